"""The sections of a project spec, each checked on its own; docs/spec.md lists the fields."""

from __future__ import annotations

import operator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from marketplace.spec.amounts import Amount
from zk.shape import Range

YEAR_S = 366 * 24 * 3600
MAX_ROUNDS, MAX_COHORTS, MAX_TRAINERS = 65_000, 15, 1 << 24  # contracts/libraries/TermsCheck.sol
# k, numbers of a sketch, and J and n, of chunks: with more, two chunks fit no transaction (marketplace.spec.cutting).
MIN_WIDTH, MAX_WIDTH = 256, 8192
MAX_CHUNKS, MAX_CHUNK_LENGTH = 4096, 15_360
MAX_OPTION_NUMBERS = 4096  # of a list among a task's options

Sha256 = Annotated[str, StringConstraints(pattern=r"\A[0-9a-f]{64}\z")]
Address = Annotated[str, StringConstraints(pattern=r"\A0x[0-9a-fA-F]{40}\z"), AfterValidator(str.lower)]
Token = Annotated[
    str, StringConstraints(pattern=r"\A(native|0x[0-9a-fA-F]{40})\z"), AfterValidator(str.lower)
]
Digest = Annotated[str, StringConstraints(pattern=r"\A0x[0-9a-f]{64}\z")]
PublicKey = Annotated[str, StringConstraints(pattern=r"\A0x[0-9a-f]{64}\z")]  # X25519
Cid = Annotated[str, StringConstraints(pattern=r"\AQm[1-9A-HJ-NP-Za-km-z]{44}\z")]
Multiaddr = Annotated[str, StringConstraints(pattern=r"\A(/[A-Za-z0-9.:_-]+)+\z", max_length=256)]
Window = Annotated[int, Field(ge=1, le=YEAR_S)]
FallbackRule = Literal["projection", "cosine"]
Rule = Literal["reference", "projection", "cosine"]
ArithmeticPath = Literal["exact", "sketch"]
Numbers = Annotated[tuple[int | float, ...], Field(strict=False, max_length=MAX_OPTION_NUMBERS)]
TaskOption = bool | int | float | Annotated[str, StringConstraints(max_length=80)] | Numbers
Peers = Annotated[tuple[Multiaddr, ...], Field(strict=False, max_length=16)]


def _one_line(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("use printable characters on one line, with no space at either end")
    return text


def _text(text: str) -> str:
    if not all(c.isprintable() or c == "\n" for c in text):
        raise ValueError("use printable characters and line feeds")
    return text


class Section(BaseModel):
    """Frozen, strict, no unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ProjectSection(Section):
    """What the project is called, and who may read its models: everybody, or its members (docs/privacy.md)."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=80), AfterValidator(_one_line)]
    description: Annotated[str, StringConstraints(max_length=2000), AfterValidator(_text)] = ""
    visibility: Literal["public", "members"] = "public"


class TaskSection(Section):
    """Which task; fields beyond these three are the task plug-in's own, checked by it."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)
    __pydantic_extra__: dict[str, TaskOption]

    kind: Annotated[str, StringConstraints(pattern=r"\A[a-z][a-z0-9-]{0,31}\z")]
    features: Annotated[int, Field(ge=1, le=1_000_000)]
    classes: Annotated[int, Field(ge=2, le=10_000)]

    @property
    def options(self) -> dict[str, bool | int | float | str | tuple[int | float, ...]]:
        """The plug-in's own fields."""
        return dict(self.__pydantic_extra__)


class TrainingSection(Section):
    """How a trainer trains in a round: plain SGD with momentum on the cross-entropy.

    `deterministic`: so that the same machine gives the same bytes again. Where it is false it is not written out, so
    that specs from before it keep their bytes; `repr`, by which trainers know what they have paid for, never shows it.
    """

    epochs: Annotated[int, Field(ge=1, le=1000)]
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)]
    learning_rate: Annotated[float, Field(gt=0, le=1000)]
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    clip_norm: Annotated[float, Field(gt=0, le=1e6)]  # Euclidean norm of a delta, before quantising
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0  # of the initial weights
    deterministic: Annotated[bool, Field(repr=False, exclude_if=operator.not_)] = False


class PrivacySection(Section):
    """The differential privacy that an owner asks of trainers, over all rounds (docs/privacy.md). Nothing proves it."""

    epsilon: Annotated[float, Field(gt=0, le=1000)]
    delta: Annotated[float, Field(gt=0, lt=1)]
    max_grad_norm: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    noise_multiplier: Annotated[float, Field(ge=0.1, le=1e4)] | None = None  # None: what makes epsilon last


class RoundsSection(Section):
    """T and the windows, in seconds. `batch_window` 0: no batches."""

    count: Annotated[int, Field(ge=1, le=MAX_ROUNDS)]
    join_window: Window
    submit_window: Window  # from the round's opening
    batch_window: Annotated[int, Field(ge=0, le=YEAR_S)] = 0  # from the round's opening
    result_window: Window
    answer_window: Window = Field(
        default_factory=lambda fields: _half(fields, "submit_window", "result_window")
    )
    challenge_window: Window = Field(default_factory=lambda fields: _half(fields, "submit_window"))


class CohortSection(Section):
    """K and f, the cohorts of a round at most, and N, the places for trainers."""

    slots: Annotated[int, Field(ge=3, le=16)]
    faults: Annotated[int, Field(ge=0)]
    cohorts: Annotated[int, Field(ge=1, le=MAX_COHORTS)] = 1
    trainers: Annotated[int, Field(ge=1, le=MAX_TRAINERS)] = Field(
        default_factory=lambda fields: fields.get("slots", 1) * fields.get("cohorts", 1)
    )


class RewardSection(Section):
    """`amount` is the whole escrow: the budgets and the aggregators' fees of all rounds and cohorts."""

    token: Token = "native"
    amount: Amount
    aggregator_fee: Amount  # for each cohort's result


class StakesSection(Section):
    """What a trainer and an aggregator lock to take part, and what else is at stake."""

    trainer: Amount
    aggregator: Amount
    complaint_deposit: Amount = Field(
        default_factory=lambda fields: min(fields.get("trainer", 0), fields.get("aggregator", 0)) // 100
    )
    reveal: Amount = 0  # the owner's, with the reference rule: lost unless it reveals its validation set


class ScoringSection(Section):
    """How contributions are scored and faults punished (docs/protocol.md, "From G to pay")."""

    rule: Rule = "reference"
    fallback_rule: FallbackRule = "projection"  # for the rest of a pot, and where no reference was posted
    reference_share: Annotated[int, Field(ge=0, le=10_000)] = Field(  # basis points of a pot
        default_factory=lambda fields: 8000 if fields.get("rule") == "reference" else 0
    )
    strike_factor: Annotated[int, Field(ge=0, le=65_535)] = 0  # hundredths of the median Krum score; 0: none
    strike_slash: Annotated[int, Field(ge=0, le=10_000)] = 0  # basis points of the stake
    duplicate_cosine: Annotated[int, Field(ge=0, le=10_000)] = 0  # basis points; 0: no such rule


class SettlementSection(Section):
    """Whether every result comes with its proof, or only one that somebody demands."""

    mode: Literal["proved", "on-demand"] = "proved"


class AggregatorsSection(Section):
    """The addresses that may aggregate; empty: anyone."""

    allowed: Annotated[tuple[Address, ...], Field(strict=False, max_length=256)] = ()


class ReputationSection(Section):
    """What a trainer's score must be at least; 0: anyone. A million is one whole round."""

    floor: Annotated[int, Field(ge=0, lt=2**32)] = 0


class ArithmeticSection(Section):
    """Fixed point: one unit is 2^-scale_bits; every update's squared norm is at most max_norm_squared.

    `range`: whether the circuit proves that entries are int16, or who finds one that is not complains (docs/proof.md).
    `path`: whether a proof runs over the updates or over sketches of them (docs/sketch.md).
    """

    scale_bits: Annotated[int, Field(ge=1, le=30)]
    max_norm_squared: Annotated[int, Field(ge=1, lt=2**63)]
    range: Range = "disputed"
    path: ArithmeticPath = "exact"


class SealingSection(Section):
    """The owner's key, which models are sealed to besides the members': those are on chain."""

    owner_key: PublicKey

    @property
    def key(self) -> bytes:
        """Its 32 bytes."""
        return bytes.fromhex(self.owner_key[2:])


class SketchSection(Section):
    """How vectors are cut on the sketch path: into `chunks` (J) of `chunk_length` (n) numbers (docs/sketch.md)."""

    chunk_length: Annotated[int, Field(ge=MIN_WIDTH, le=MAX_CHUNK_LENGTH)]
    chunks: Annotated[int, Field(ge=1, le=MAX_CHUNKS)]

    @property
    def length(self) -> int:
        """Numbers in a packed update or model: the task's d and zeros."""
        return self.chunk_length * self.chunks


def _half(fields: dict[str, Any], *names: str) -> int:
    """Half of the shortest of these windows. A field that is wrong is not there: it is told of, not this one."""
    shortest: int = min(fields.get(name, 2) for name in names)
    return max(1, shortest // 2)
