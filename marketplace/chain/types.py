"""Python forms of the contracts' structs: the same names in snake_case, in the same order as the ABI.

Amounts are in the token's smallest unit, windows in seconds, times block timestamps in seconds; masks have a
bit for each slot; digests have 32 bytes.
"""

from __future__ import annotations

import dataclasses
from enum import IntEnum
from typing import NewType

from web3 import Web3

from marketplace.chain.abi_struct import AbiStruct as AbiStruct
from marketplace.chain.sketch_types import ChunkFacts as ChunkFacts
from marketplace.chain.sketch_types import LeafPath as LeafPath
from marketplace.chain.sketch_types import ShownChunk as ShownChunk
from marketplace.chain.sketch_types import SketchEvidence as SketchEvidence
from marketplace.chain.sketch_types import SketchFacts as SketchFacts
from marketplace.chain.sketch_types import SketchQuestion as SketchQuestion
from marketplace.chain.sketch_types import SketchResult as SketchResult
from marketplace.chain.sketch_types import SketchStatement as SketchStatement
from marketplace.chain.sketch_types import UpdateChunk as UpdateChunk
from marketplace.protocol.krum import ScoreRule as ScoreRule
from zk.curve import G2, Point

Address = NewType("Address", str)  # checksummed
NATIVE_COIN = Address("0x" + 40 * "0")  # the `token` that stands for the chain's own coin


def address(text: str) -> Address:
    """A checksummed address from any hex spelling; ValueError when it is none."""
    return Address(str(Web3.to_checksum_address(text)))


class Status(IntEnum):
    """State of a project."""

    NONE = 0
    OPEN = 1
    DRAWING = 2  # trainers outnumber the seats: the seed's block is awaited
    ACTIVE = 3
    CLOSING = 4  # the last round is over, its challenge window is not
    SETTLED = 5
    CANCELLED = 6
    HALTED = 7


class Settlement(IntEnum):
    """When a result must be proved."""

    PROVED = 0  # a proof with every result
    ON_DEMAND = 1  # a result stands unless somebody demands its proof in the challenge window


class ChallengeKind(IntEnum):
    """What a challenge of a round says."""

    NONE = 0
    MODEL = 1  # the model cannot be fetched, or it is not what M commits to
    PROOF = 2  # prove this result
    CHUNK = 3  # sketch path: show this chunk of the new model
    SKETCH = 4  # sketch path: that is not the commitment of the sketch


EXACT_KINDS = (
    ChallengeKind.MODEL,
    ChallengeKind.PROOF,
)  # that `challenge` takes; others are for `challengeSketch`


@dataclasses.dataclass(frozen=True)
class Terms(AbiStruct):
    """What an owner fixes when it posts a project."""

    token: Address
    complaint_deposit: int  # what the wrong side of a complaint or challenge pays the right one
    reward: int  # whole escrow, the aggregators' fees included
    aggregator_fee: int  # for each cohort's result
    rounds: int
    slots: int
    faults: int
    cohorts: int  # of a round, at most
    settlement: Settlement
    score_rule: ScoreRule
    fallback_rule: ScoreRule  # with reference: for the rest of the pot, and where no reference was posted
    max_norm_squared: int
    batch_window: int  # seconds, from the round's opening; 0: no batches
    submit_window: int  # from the round's opening
    result_window: int
    challenge_window: int
    strike_factor: int  # hundredths of the median Krum score; 0: no strikes by score
    strike_slash: int  # basis points of the stake
    duplicate_cosine: int  # basis points; 0: no near-duplicate rule
    reference_share: int  # with reference: basis points of a pot paid by it
    trainer_stake: int
    aggregator_bond: int
    trainers: int  # places
    min_reputation: int  # 0: anyone
    reveal_bond: int  # with reference: lost unless the validation set is revealed
    join_window: int
    answer_window: int
    chunks: int  # J: the sketch path; 0: the exact path
    chunk_length: int  # n, numbers of a chunk
    spec: bytes  # sha2-256 digest of the spec's CIDv0
    circuit: bytes
    validation: bytes  # with reference: keccak256(digest of the validation set's CIDv0, salt)
    aggregators: bytes  # Merkle root of the addresses that may aggregate; 0: anyone
    initial_model: Point  # on the sketch path (root, chunks)


@dataclasses.dataclass(frozen=True)
class Project(AbiStruct):
    """A project's state."""

    owner: Address
    status: Status
    round: int  # under way, from 1; 0 before the start
    last_round: int  # T, and one more for each round that was undone
    aggregator_index: int
    aggregator_count: int
    cohorts: int  # of a round, fixed at the start
    open_cohorts: int  # of this round, without a result or a skip so far
    drawn: bool  # seats are drawn by the seed; else trainer i has seat i
    revealed: bool  # the validation set
    challenged: bool  # a challenge of the previous round is open
    submit_deadline: int
    turn_start: int  # of the current aggregator, in this round
    answer_deadline: int  # of the open complaints; in the past: none is open
    result_deadline: int
    challenge_deadline: int  # of the previous round's results
    reference_round: int  # the round that `reference_digest` is for
    drawn_from: int  # trainers at the start; their numbers are below it
    sketched: bool  # the terms have chunks
    outcome_round: int  # the round that `outcome` is of
    outcome_index: int  # the aggregator of its last link
    escrow: int  # of the reward, not yet earned
    pot: int  # slashed in this round, not yet earned
    trainer_count: int  # those who have not left
    join_deadline: int
    bonus: int  # of a forfeited reveal bond, for each trainer that has not left
    seed_round: int  # the round that `sketch_seed` is for
    model: Point  # on the sketch path (root, chunks)
    seed: bytes  # before the draw: the number of the block whose hash it will be
    sketch_seed: bytes
    reference_digest: bytes  # of the owner's reference update
    outcome: bytes  # chain of hashes of a round's outcomes, so that it can be undone
    owner_credit: int


@dataclasses.dataclass(frozen=True)
class Cohort(AbiStruct):
    """A cohort's round."""

    round: int  # that the rest is about
    submitted: int  # mask: by transaction
    batched: int  # mask: under the aggregator's root
    complained: int  # mask: and not answered yet
    answered: int  # mask
    concluded: bool
    batch_index: int  # the aggregator that posted the batch
    chain: bytes  # hash of the arrivals in their order
    batch_root: bytes


@dataclasses.dataclass(frozen=True)
class Account(AbiStruct):
    """A trainer's or an aggregator's account in a project."""

    holder: Address
    earned: int  # in all


@dataclasses.dataclass(frozen=True)
class Member(AbiStruct):
    """An address's part in a project, as the contract stores it: `trainer_number` and `aggregator_index` read it."""

    number: int  # of the trainer, + 1; 0: no trainer
    index: int  # of the aggregator, + 1; 0: no aggregator
    left: bool
    locked: int  # in the vault, for this project
    claimed: int  # of what it earned

    @property
    def trainer_number(self) -> int | None:
        """The trainer's number, from 0; None: no trainer."""
        return self.number - 1 if self.number else None

    @property
    def aggregator_index(self) -> int | None:
        """The aggregator's place in the list, from 0; None: no aggregator."""
        return self.index - 1 if self.index else None


@dataclasses.dataclass(frozen=True)
class Arrivals(AbiStruct):
    """What a cohort's round received, in the order of arrival: preimage of `Cohort.chain`."""

    order: bytes  # a byte each: the slot of a transaction, 0xff for the batch
    digests: tuple[bytes, ...]  # of the transactions, in that order
    batch: tuple[bytes, ...]  # digests under the root, by slot; empty: a stand-in that has no list
    signatures: tuple[bytes, ...]  # by slot, of the same


@dataclasses.dataclass(frozen=True)
class RoundResult(AbiStruct):
    """The result of a cohort's round, as its aggregator posts it."""

    round: int
    cohort: int
    merged: int
    median_score_slot: int
    median_norm_slot: int
    model: bytes
    before: bytes  # x of the model's commitment that it was made on; on the sketch path its root
    neighbours: tuple[int, ...]  # masks by slot
    gram: tuple[int, ...]  # upper triangle, field elements
    arrivals: Arrivals
    proof: bytes  # on demand: its first 64 bytes a slot, the commitments


@dataclasses.dataclass(frozen=True)
class Outcome(AbiStruct):
    """What a result changed, so that it can be undone: preimage of a link of `Project.outcome`."""

    round: int
    cohort: int
    aggregator_index: int
    fee: int
    escrow: int  # before
    pot: int  # before
    slashed: int  # of the struck
    model: Point  # before
    statement: bytes  # on demand: keccak256(commitments, gram); on the sketch path of the SketchStatement
    numbers: tuple[int, ...]  # of the trainers paid
    amounts: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Challenge(AbiStruct):
    """An open challenge of the previous round."""

    kind: ChallengeKind
    challenger: Address
    deadline: int  # for the answer
    accused: int  # index of the aggregator
    round: int  # that `answered` is about
    answered: int  # in that round: bit 0 model, bit 1 + c proof of cohort c
    statement: bytes  # that the proof must show; of the facts for CHUNK and SKETCH


@dataclasses.dataclass(frozen=True)
class Opening(AbiStruct):
    """A vector and the KZG opening that ties it to a commitment."""

    packed: bytes  # little-endian int16 (an update) or int32 (a model)
    proof: Point


@dataclasses.dataclass(frozen=True)
class Permit(AbiStruct):
    """An EIP-2612 approval of the market or the vault; deadline 0: none."""

    deadline: int
    v: int
    r: bytes
    s: bytes


NO_PERMIT = Permit(deadline=0, v=0, r=bytes(32), s=bytes(32))


@dataclasses.dataclass(frozen=True)
class Circuit(AbiStruct):
    """A circuit of shape (slots, length), the contract that verifies its proofs, and [tau]G2 of its SRS."""

    verifier: Address
    slots: int
    logrows: int
    length: int
    proof_length: int  # bytes
    zero: Point
    tau: G2


@dataclasses.dataclass(frozen=True)
class Record(AbiStruct):
    """Track record of an address over all projects."""

    projects: int
    faults: int
    contribution: int  # millionths of a whole round
    score: int  # at `updated_at`: it decays
    updated_at: int


@dataclasses.dataclass(frozen=True)
class Unbonding:
    """Stake on its way out of the vault."""

    amount: int
    ready_at: int  # block timestamp, seconds


@dataclasses.dataclass(frozen=True)
class Block:
    """A block's header, as far as it is needed."""

    number: int
    timestamp: int  # seconds
    hash: bytes
