"""`ProjectSpec`: what is posted, canonical JSON, its CID on chain."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from marketplace.errors import FairshareError, Reason
from marketplace.spec.cutting import check_cut, check_width
from marketplace.spec.problems import bad_field, from_validation
from marketplace.spec.rules import check_arithmetic, check_sealing, check_sections, divisor_of, inputs
from marketplace.spec.sections import (
    Address,
    AggregatorsSection,
    ArithmeticSection,
    Cid,
    CohortSection,
    Digest,
    Peers,
    PrivacySection,
    ProjectSection,
    ReputationSection,
    RewardSection,
    RoundsSection,
    ScoringSection,
    SealingSection,
    Section,
    SettlementSection,
    Sha256,
    SketchSection,
    StakesSection,
    TaskSection,
    TrainingSection,
)
from zk.shape import CircuitShape

MAX_SPEC_BYTES = 64 * 1024


class EvaluationSection(Section):
    """Hash of the owner's evaluation set, the bytes of its .npz."""

    sha256: Sha256


class ValidationSection(Section):
    """The owner's validation set, which the references are made from: keccak256(digest of its CIDv0, salt)."""

    commitment: Digest


class StorageSection(Section):
    """Peers that keep the project's files, as multiaddresses."""

    peers: Peers


class CircuitSection(Section):
    """The circuit: its digest on chain, its shape, and the CIDs of its files.

    `slots`: its inputs, K or with the reference rule K + 1. `length`: of an input, on the sketch path of a sketch (k).
    """

    digest: Digest
    slots: Annotated[int, Field(ge=3, le=16)]
    length: Annotated[int, Field(ge=1)]
    srs_kind: Literal["test", "ceremony"]
    vk: Cid
    srs: Cid


class ChainSection(Section):
    """Where the project lives: the EIP-155 chain id and the TrainingMarket's address (lower case)."""

    chain_id: Annotated[int, Field(ge=1, lt=2**63)]
    market: Address


class ProjectSpec(Section):
    """A posted project. Nothing in it changes; its bytes are canonical, so its CID names it."""

    version: Literal[4] = 4
    project: ProjectSection
    task: TaskSection
    training: TrainingSection
    privacy: PrivacySection | None  # None: the owner asks for none
    rounds: RoundsSection
    cohort: CohortSection
    reward: RewardSection
    stakes: StakesSection
    scoring: ScoringSection
    settlement: SettlementSection
    aggregators: AggregatorsSection
    reputation: ReputationSection
    arithmetic: ArithmeticSection
    sketch: SketchSection | None = None  # with arithmetic.path "sketch"
    sealing: SealingSection | None = None  # with project.visibility "members"; else not in the bytes at all
    evaluation: EvaluationSection
    validation: ValidationSection | None
    storage: StorageSection
    circuit: CircuitSection
    chain: ChainSection
    initial_model: Cid

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_sections(self)
        _ = self.shape  # refused where there is none
        if self.circuit.slots != self.inputs:
            raise bad_field("circuit.slots", f"this cohort and scoring.rule need {self.inputs}")
        if (self.validation is None) == self.has_reference:
            raise bad_field("validation", "it goes with the reference rule, and only with it")
        self._check_path()
        check_sealing(self, self.is_sketched)
        if (self.sealing is not None) != self.is_sealed:
            raise bad_field("sealing", 'it goes with project.visibility "members", and only with it')
        check_arithmetic(
            self,
            self.arithmetic.scale_bits,
            self.arithmetic.max_norm_squared,
            self.length,
            self.circuit.length if self.is_sketched else None,
        )
        return self

    def _check_path(self) -> None:
        if (self.sketch is None) == self.is_sketched:
            raise bad_field("sketch", 'it goes with arithmetic.path "sketch", and only with it')
        if self.sketch is None:
            return
        if self.arithmetic.range == "proven":
            raise bad_field("arithmetic.range", "sketches are not int16, so no circuit proves that they are")
        check_width(self.circuit.length, "circuit.length")
        check_cut(self.shape, self.sketch)

    @property
    def is_sketched(self) -> bool:
        """Whether proofs run over sketches of the updates."""
        return self.arithmetic.path == "sketch"

    @property
    def is_sealed(self) -> bool:
        """Whether models are sealed to the members."""
        return self.project.visibility == "members"

    @property
    def length(self) -> int:
        """Numbers in a packed update or model, the task's d and zeros: the circuit's length, or that of all chunks."""
        return self.circuit.length if self.sketch is None else self.sketch.length

    @property
    def shape(self) -> CircuitShape:
        """The circuit's shape."""
        return CircuitShape(self.circuit.slots, self.circuit.length, self.arithmetic.range)

    @property
    def divisor(self) -> int:
        """m: how many updates a round merges at most."""
        return divisor_of(self)

    @property
    def inputs(self) -> int:
        """Inputs of the circuit: K, and with the reference rule the owner's update, the last."""
        return inputs(self)

    @property
    def has_reference(self) -> bool:
        """Whether contributions are measured by the owner's update on its validation set."""
        return self.scoring.rule == "reference"

    def to_bytes(self) -> bytes:
        """Canonical JSON: sorted keys, no spaces, UTF-8, amounts as decimal strings."""
        document = self.model_dump()
        if self.sealing is None:
            del document["sealing"]  # specs that were posted before there was one keep their bytes
        return json.dumps(
            document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        ).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a posted spec, which may come from anyone.

        Raises TOO_LARGE beyond 64 KiB or the spec's path; BAD_SPEC, naming the field, for anything that is
        unknown, missing, contradictory, or not written canonically.
        """
        if len(data) > MAX_SPEC_BYTES:
            raise FairshareError(
                Reason.TOO_LARGE, f"the spec is over {MAX_SPEC_BYTES} bytes", "this is no project spec"
            )
        try:
            document = json.loads(
                data.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_no_constant
            )
        except (ValueError, RecursionError) as error:
            raise _not_a_spec(f"the spec is not JSON: {error}") from error
        try:
            spec = cls.model_validate(document)
            canonical = spec.to_bytes()
        except ValidationError as error:
            raise from_validation(error) from error
        except UnicodeEncodeError as error:
            raise _not_a_spec("the spec holds text that is not Unicode") from error
        if canonical != data:
            raise _not_a_spec("the spec is not written canonically")
        return spec


def _not_a_spec(problem: str) -> FairshareError:
    return FairshareError(Reason.BAD_SPEC, problem, "the owner must post it with `fairshare project post`")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a field stands twice")
    return document


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")
