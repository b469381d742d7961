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
    """A point of BN254's G1: a commitment. On the sketch path a model's is its root and its number of chunks."""

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
    cohorts: int
    places: int
    path: str
    score_rule: str
    settlement: str
    token: Address
    reward: Amount
    spec: Cid


class ProjectPage(Answer):
    """`total`: all there are."""

    total: int
    offset: int
    projects: list[ProjectSummary]


class TermsShown(Part):
    """What the owner fixed. Windows in seconds, shares in basis points; null: none.

    `path`: exact or sketch (docs/sketch.md); `chunks` and their length are 0 on the exact one.
    """

    token: Address
    reward: Amount
    trainer_stake: Amount
    aggregator_bond: Amount
    aggregator_fee: Amount
    complaint_deposit: Amount
    reveal_bond: Amount
    spec: Cid
    circuit: Hash
    validation: Hash | None
    aggregators: Hash | None
    slots: int
    faults: int
    cohorts: int
    trainers: int
    rounds: int
    join_window: int
    batch_window: int
    submit_window: int
    answer_window: int
    result_window: int
    challenge_window: int
    settlement: str
    score_rule: str
    fallback_rule: str
    reference_share: int
    min_reputation: int
    strike_factor: int
    strike_slash: int
    duplicate_cosine: int
    max_norm_squared: Big
    path: str
    chunks: int
    chunk_length: int
    initial_model: Point


class AggregatorPart(Part):
    """An aggregator of a project, in the order of the turns."""

    index: int
    aggregator: Address
    earned: Amount


class ChallengeOpen(Part):
    """A challenge that awaits its answer."""

    kind: str
    challenger: Address
    round: int
    deadline: int


class ProjectShown(Answer):
    """A project. `seed`: of the draw of seats, null where trainer i has seat i.

    `width`: numbers of what a proof is about, an update or on the sketch path a sketch.
    `sketch_seed`: of the sketches of `seed_round`; null before the first one.
    """

    project: int
    owner: Address
    status: str
    round: int
    last_round: int
    cohorts: int
    seed: Hash | None
    width: int
    seed_round: int | None
    sketch_seed: Hash | None
    revealed: bool
    join_deadline: int
    submit_deadline: int
    answer_deadline: int
    result_deadline: int
    challenge_deadline: int
    aggregator_index: int
    trainer_count: int
    aggregators: list[AggregatorPart]
    challenge: ChallengeOpen | None
    escrow: Amount
    pot: Amount
    model: Point
    terms: TermsShown


class TrainerPart(Part):
    """A trainer of a project."""

    number: int
    trainer: Address
    earned: Amount


class TrainerPage(Answer):
    """Trainers by number. `total`: numbers given so far; one that left an active project keeps its number."""

    project: int
    total: int
    offset: int
    trainers: list[TrainerPart]


class RoundSummary(Part):
    """A round in a list. `submitted` .. `struck`: seats, cohort * K + slot; `models`: CIDs, the last one stands."""

    round: int
    outcome: str
    submitted: list[int]
    withheld: list[int]
    merged: list[int]
    struck: list[int]
    reference: bool
    paid: Amount
    models: list[Cid]
    transactions: list[Hash]


class RoundPage(Answer):
    """`total`: rounds so far."""

    project: int
    total: int
    offset: int
    rounds: list[RoundSummary]


class SlotShown(Part):
    """A slot in a round. `position`: in the order of arrival; `share`: of what its cohort's round paid, in millionths.

    `commitment` is known once the slot's update is in a result, or answered for; `krum_score` where it was present.
    On the sketch path `commitment` is that of its sketch, known with the result, and `root` its chunks'; `chunk`: that
    a complaint asks for; `left_out`: answered for, but not had by the aggregator all the same.
    """

    slot: int
    trainer: Address | None
    digest: Hash | None
    position: int | None
    batched: bool
    update: Cid | None
    submitted_in: Hash | None
    complained: bool
    answered_in: Hash | None
    withheld: bool
    chunk: int | None
    left_out: bool
    root: Hash | None
    commitment: Point | None
    present: bool
    merged: bool
    struck: bool
    krum_score: Big | None
    share: int | None
    paid: Amount
    slashed: Amount


class BatchShown(Part):
    """The aggregator's batch. `updates`: CID of its list."""

    root: Hash
    slots: list[int]
    updates: Cid
    transaction: Hash


class CohortShown(Part):
    """A cohort's round. `gram`: upper triangle of G row by row, as signed integers; the reference comes last.

    On the sketch path `model` is the CID of its manifest, `sum` the merged sketches' commitment, and `statement` the
    hash of what the result states.
    """

    cohort: int
    outcome: str
    slots: list[SlotShown]
    batch: BatchShown | None
    aggregator: Address | None
    fee: Amount | None
    gram: list[Big] | None
    model: Cid | None
    model_commitment: Point | None
    sum: Point | None
    statement: Hash | None
    result_transaction: Hash | None


class TimeoutShown(Part):
    """An aggregator that let its deadline pass."""

    aggregator: Address
    slashed: Amount
    transaction: Hash


class ReferenceShown(Part):
    """The owner's update on its validation set."""

    digest: Hash
    update: Cid
    transaction: Hash


class ChallengeShown(Part):
    """A challenge of the round. `cohort`: of a proof, a chunk or a slot's sketch.

    On the sketch path: `chunk` of the new model that is asked for, or the `slot` whose sketch is, null for the sum of
    the merged ones; an answer about a sketch stands unless it is refuted, until the challenge is closed.
    """

    kind: str
    challenger: Address
    cohort: int
    chunk: int | None
    slot: int | None
    deadline: int
    transaction: Hash
    answered_in: Hash | None
    refuted_in: Hash | None
    closed_in: Hash | None


class RoundShown(Answer):
    """A round, as the market's events have it; the audit says whether all of it is right."""

    project: int
    round: int
    outcome: str
    submit_deadline: int
    result_deadline: int
    challenge_deadline: int | None
    budget: Amount
    cohorts: list[CohortShown]
    reference: ReferenceShown | None
    timeouts: list[TimeoutShown]
    challenges: list[ChallengeShown]
    sketch_seed: Hash | None
    undone_in: Hash | None


class PaymentShown(Part):
    """What was earned, or paid out. `kind`: contribution, fee, refund or claim."""

    kind: str
    account: Address
    round: int | None
    amount: Amount
    block: int
    transaction: Hash


class Payouts(Answer):
    """Earnings and claims of a project. Undone rounds count for nothing. `held`: escrow and pot."""

    project: int
    token: Address
    reward: Amount
    paid: Amount
    fees: Amount
    refund: Amount
    struck: Amount
    bonds_lost: Amount
    held: Amount
    claimed: Amount
    total: int
    offset: int
    payments: list[PaymentShown]


class AccountShown(Part):
    """An account's part in a project. `claimable`: with the owner's refund."""

    account: Address
    claimed: Amount
    locked: Amount
    claimable: Amount


class AccountPage(Answer):
    """Owner, aggregators, trainers."""

    project: int
    total: int
    offset: int
    accounts: list[AccountShown]


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


class RecordShown(Answer):
    """Track record in one role, over all projects. `contribution`: millionths of whole rounds; `score`: decays."""

    account: Address
    projects: int
    faults: int
    contribution: Big
    score: Big
    updated_at: int
