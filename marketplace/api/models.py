"""What the API answers. Amounts, and integers that may leave 2^53, are decimal strings; times are Unix seconds."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Amount = Annotated[
    str, Field(pattern=r"^\d+$", description="In the token's smallest unit", examples=["1000"])
]
Big = Annotated[str, Field(pattern=r"^-?\d+$", description="An integer of any size", examples=["-12345"])]
Address = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")]
Hash = Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$")]
Cid = Annotated[str, Field(description="CIDv0", examples=["QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n"])]


class Answer(BaseModel):
    """Every answer is read at one block."""

    model_config = ConfigDict(frozen=True)

    block_number: int


class Part(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True)


class Health(Answer):
    """`storage`: null where the server was started without."""

    status: str = "ok"
    chain: bool
    storage: bool | None


class Chain(Answer):
    """The market and its contracts."""

    chain_id: int
    block_time: int
    market: Address
    vault: Address
    reputation: Address
    gram_verifier: Address
    judge: Address
    project_count: int


class Point(Part):
    """A point of BN254's G1: a commitment."""

    x: Big
    y: Big


class ProjectSummary(Part):
    """A project in a list."""

    project: int
    owner: Address
    status: str
    round: int
    rounds: int
    slots: int
    token: Address
    reward: Amount
    spec: Cid


class ProjectPage(Answer):
    """`total`: all there are."""

    total: int
    offset: int
    projects: list[ProjectSummary]


class TermsShown(Part):
    """What the owner fixed. Windows in seconds."""

    token: Address
    reward: Amount
    trainer_stake: Amount
    aggregator_bond: Amount
    aggregator_fee: Amount
    spec: Cid
    circuit: Hash
    slots: int
    faults: int
    rounds: int
    join_window: int
    submit_window: int
    result_window: int
    score_rule: str
    strike_factor: int
    strike_slash: int
    duplicate_cosine: int
    max_norm_squared: Big
    initial_model: Point


class ProjectShown(Answer):
    """A project. `trainers` by slot, null where a slot is empty; `aggregators` in the order of their turns."""

    project: int
    owner: Address
    status: str
    round: int
    join_deadline: int
    submit_deadline: int
    result_deadline: int
    aggregator_index: int
    trainers: list[Address | None]
    aggregators: list[Address]
    escrow: Amount
    pot: Amount
    model: Point
    terms: TermsShown


class RoundSummary(Part):
    """A round in a list. `merged`, `struck`, `omitted`: slots."""

    round: int
    outcome: str
    submitted: list[int]
    omitted: list[int]
    merged: list[int]
    struck: list[int]
    paid: Amount
    aggregator: Address | None
    model: Cid | None
    transaction: Hash | None


class RoundPage(Answer):
    """`total`: rounds so far."""

    project: int
    total: int
    offset: int
    rounds: list[RoundSummary]


class SlotShown(Part):
    """A slot in a round. Scores are null where the round has none for it; `share` in millionths."""

    slot: int
    trainer: Address | None
    commitment: Point | None
    position: int | None
    update: Cid | None
    submitted_in: Hash | None
    omitted: bool
    merged: bool
    struck: bool
    krum_score: Big | None
    contribution: Big | None
    share: int | None
    paid: Amount
    slashed: Amount


class TimeoutShown(Part):
    """An aggregator that let its deadline pass."""

    aggregator: Address
    slashed: Amount
    transaction: Hash


class RoundShown(Answer):
    """A round. `gram`: upper triangle of G row by row; `violations`: what the replay of the events found wrong."""

    project: int
    round: int
    outcome: str
    submit_deadline: int
    result_deadline: int
    slots: list[SlotShown]
    gram: list[Big] | None
    budget: Amount | None
    pot: Amount | None
    aggregator: Address | None
    fee: Amount | None
    timeouts: list[TimeoutShown]
    model: Point
    model_cid: Cid | None
    proof_transaction: Hash | None
    violations: list[str]


class PaymentShown(Part):
    """A credit of the project. `kind`: contribution, fee or refund."""

    kind: str
    account: Address
    round: int | None
    amount: Amount
    block: int
    transaction: Hash


class AccountShown(Part):
    """What a project gave and took of an account; `claimable` in this token over all projects."""

    account: Address
    credited: Amount
    slashed: Amount
    locked: Amount
    claimable: Amount


class Payouts(Answer):
    """All credits of a project: reward + slashed = paid + fees + refund + held."""

    project: int
    token: Address
    reward: Amount
    paid: Amount
    fees: Amount
    refund: Amount
    slashed: Amount
    held: Amount
    accounts: list[AccountShown]
    total: int
    offset: int
    payments: list[PaymentShown]


class CheckShown(Part):
    """One check of an audit; `ok` null: it could not be made."""

    name: str
    ok: bool | None
    detail: str


class AuditShown(Answer):
    """An audit up to the block. `first`: what does not hold, or could not be checked, first."""

    project: int
    ok: bool
    first: CheckShown | None
    checks: list[CheckShown]


class TrainerShown(Answer):
    """Track record as a trainer, over all projects. `contribution`: millionths of whole rounds."""

    trainer: Address
    rounds: int
    merged: int
    faults: int
    contribution: Big


class AggregatorShown(Answer):
    """Track record as an aggregator, over all projects. `rounds`: results accepted; `faults`: time-outs."""

    aggregator: Address
    rounds: int
    faults: int
