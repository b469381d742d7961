"""The sections of a project spec, each checked on its own; docs/spec.md lists the fields."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from marketplace.spec.amounts import Amount

YEAR_S = 366 * 24 * 3600

Sha256 = Annotated[str, StringConstraints(pattern=r"\A[0-9a-f]{64}\z")]
Address = Annotated[str, StringConstraints(pattern=r"\A0x[0-9a-fA-F]{40}\z"), AfterValidator(str.lower)]
Token = Annotated[
    str, StringConstraints(pattern=r"\A(native|0x[0-9a-fA-F]{40})\z"), AfterValidator(str.lower)
]
Digest = Annotated[str, StringConstraints(pattern=r"\A0x[0-9a-f]{64}\z")]
Cid = Annotated[str, StringConstraints(pattern=r"\AQm[1-9A-HJ-NP-Za-km-z]{44}\z")]
Multiaddr = Annotated[str, StringConstraints(pattern=r"\A(/[A-Za-z0-9.:_-]+)+\z", max_length=256)]
Window = Annotated[int, Field(ge=1, le=YEAR_S)]
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
    """What the project is called, and who may read its models."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=80), AfterValidator(_one_line)]
    description: Annotated[str, StringConstraints(max_length=2000), AfterValidator(_text)] = ""
    visibility: Literal["public"] = "public"


class TaskSection(Section):
    """Which task; fields beyond these three are the task plug-in's own, checked by it."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)
    __pydantic_extra__: dict[str, bool | int | float | Annotated[str, StringConstraints(max_length=80)]]

    kind: Annotated[str, StringConstraints(pattern=r"\A[a-z][a-z0-9-]{0,31}\z")]
    features: Annotated[int, Field(ge=1, le=1_000_000)]
    classes: Annotated[int, Field(ge=2, le=10_000)]

    @property
    def options(self) -> dict[str, bool | int | float | str]:
        """The plug-in's own fields."""
        return dict(self.__pydantic_extra__)


class TrainingSection(Section):
    """How a trainer trains in a round: plain SGD with momentum on the cross-entropy."""

    epochs: Annotated[int, Field(ge=1, le=1000)]
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)]
    learning_rate: Annotated[float, Field(gt=0, le=1000)]
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    clip_norm: Annotated[float, Field(gt=0, le=1e6)]  # Euclidean norm of a delta, before quantising
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0  # of the initial weights


class RoundsSection(Section):
    """T and the windows, in seconds."""

    count: Annotated[int, Field(ge=1, le=65_535)]
    join_window: Window
    submit_window: Window
    result_window: Window


class CohortSection(Section):
    """K and f."""

    trainers: Annotated[int, Field(ge=3, le=16)]
    faults: Annotated[int, Field(ge=0)]


class RewardSection(Section):
    """`amount` is the whole escrow: T round budgets and T aggregator fees."""

    token: Token = "native"
    amount: Amount
    aggregator_fee: Amount  # for each proved round


class StakesSection(Section):
    """What a trainer and an aggregator lock to take part."""

    trainer: Amount
    aggregator: Amount


class ScoringSection(Section):
    """How contributions are scored and faults punished (docs/protocol.md, "From G to pay")."""

    rule: Literal["projection", "cosine"] = "projection"
    strike_factor: Annotated[int, Field(ge=0, le=65_535)] = 0  # hundredths of the median Krum score; 0: none
    strike_slash: Annotated[int, Field(ge=0, le=10_000)] = 0  # basis points of the stake
    duplicate_cosine: Annotated[int, Field(ge=0, le=10_000)] = 0  # basis points; 0: no such rule


class ArithmeticSection(Section):
    """Fixed point: one unit is 2^-scale_bits; every update's squared norm is at most max_norm_squared."""

    scale_bits: Annotated[int, Field(ge=1, le=30)]
    max_norm_squared: Annotated[int, Field(ge=1, lt=2**63)]
