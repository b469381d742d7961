"""`ProjectFile`: what an owner writes, project.toml."""

from __future__ import annotations

import json
import tomllib
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from marketplace.errors import FairshareError, Reason
from marketplace.spec import plugins
from marketplace.spec.amounts import has_unit
from marketplace.spec.cutting import WIDTH, PathChoice, chosen_path, cut, exact_shape, sketch_shape
from marketplace.spec.posted import ChainSection, CircuitSection, ProjectSpec
from marketplace.spec.problems import bad_field, from_validation
from marketplace.spec.rules import (
    check_arithmetic,
    check_sealing,
    check_sections,
    divisor_of,
    inputs,
    least_max_norm_squared,
)
from marketplace.spec.sections import (
    MAX_CHUNK_LENGTH,
    MAX_WIDTH,
    MIN_WIDTH,
    AggregatorsSection,
    ArithmeticPath,
    ArithmeticSection,
    CohortSection,
    Peers,
    PrivacySection,
    ProjectSection,
    ReputationSection,
    RewardSection,
    RoundsSection,
    ScoringSection,
    Section,
    SettlementSection,
    Sha256,
    SketchSection,
    StakesSection,
    TaskSection,
    TrainingSection,
)
from zk.shape import CircuitShape, Range

MAX_FILE_BYTES = 64 * 1024


class ArithmeticChoice(Section):
    """As `ArithmeticSection`; `max_norm_squared` follows from `training.clip_norm` unless it is given.

    `path` "auto": the exact one where the model is small enough. `width` and `chunk_length` are the sketch path's.
    """

    scale_bits: Annotated[int, Field(ge=1, le=30)] = 14
    max_norm_squared: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    range: Range = "disputed"
    path: PathChoice = "exact"
    width: Annotated[int, Field(ge=MIN_WIDTH, le=MAX_WIDTH)] | None = None
    chunk_length: Annotated[int, Field(ge=MIN_WIDTH, le=MAX_CHUNK_LENGTH)] | None = None


class EvaluationChoice(Section):
    """The owner's evaluation set: a local .npz (relative to project.toml), or its hash if kept elsewhere."""

    file: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None
    sha256: Sha256 | None = None


class ValidationChoice(Section):
    """The owner's validation set: a local .npz, relative to project.toml. Nobody sees it before the end."""

    file: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class StorageChoice(Section):
    """Peers that keep the project's files, as multiaddresses; posting adds the owner's own node."""

    peers: Peers = ()


class ProjectFile(Section):
    """An owner's project.toml. Every field is checked on its own and against the others."""

    project: ProjectSection
    task: TaskSection
    training: TrainingSection
    privacy: PrivacySection | None = None
    rounds: RoundsSection
    cohort: CohortSection
    reward: RewardSection
    stakes: StakesSection
    scoring: ScoringSection = ScoringSection()
    settlement: SettlementSection = SettlementSection()
    aggregators: AggregatorsSection = AggregatorsSection()
    reputation: ReputationSection = ReputationSection()
    arithmetic: ArithmeticChoice = ArithmeticChoice()
    evaluation: EvaluationChoice
    validation: ValidationChoice | None = None
    storage: StorageChoice = StorageChoice()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_sections(self)
        self._check_path()
        check_sealing(self, self.path == "sketch")
        check_arithmetic(
            self, self.arithmetic.scale_bits, self.max_norm_squared, self.vector_length, self.width
        )
        if self.evaluation.file is None and self.evaluation.sha256 is None:
            raise bad_field("evaluation.file", "name the evaluation set, or give evaluation.sha256")
        if self.has_reference and self.validation is None:
            raise bad_field(
                "validation.file",
                'scoring.rule "reference" needs a validation set',
                'name an .npz of yours, or set scoring.rule to "projection"',
            )
        if self.validation is not None and not self.has_reference:
            raise bad_field("validation.file", f'scoring.rule "{self.scoring.rule}" has no use for it')
        return self

    def _check_path(self) -> None:
        stated = self.arithmetic
        if stated.path == "exact":
            for name in ("width", "chunk_length"):
                if getattr(stated, name) is not None:
                    raise bad_field(f"arithmetic.{name}", "the exact path has none; leave it out")
        elif self.path == "sketch" and stated.range == "proven":
            raise bad_field("arithmetic.range", "sketches are not int16, so no circuit proves that they are")

    @property
    def length(self) -> int:
        """d, the task's trainable parameters."""
        return plugins.load(self.task).length

    @property
    def path(self) -> ArithmeticPath:
        """Whether proofs run over the updates or over sketches of them: as chosen, "auto" by d."""
        return chosen_path(self.arithmetic.path, self.inputs, self.length, self.arithmetic.range)

    @property
    def sketch(self) -> SketchSection | None:
        """How vectors are cut on the sketch path; None on the exact one."""
        if self.path == "exact":
            return None
        return cut(self.shape, self.length, self.arithmetic.chunk_length)

    @property
    def shape(self) -> CircuitShape:
        """The circuit's shape, of the catalogue: at least as long as d, on the sketch path as a sketch."""
        if self.path == "sketch":
            return sketch_shape(self.inputs, self.arithmetic.width or WIDTH)
        return exact_shape(self.inputs, self.length, self.arithmetic.range)

    @property
    def vector_length(self) -> int:
        """Numbers in a packed update or model: d and zeros."""
        sketch = self.sketch
        return self.shape.length if sketch is None else sketch.length

    @property
    def width(self) -> int | None:
        """Numbers of a sketch, k; None on the exact path."""
        return self.shape.length if self.path == "sketch" else None

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

    @property
    def max_norm_squared(self) -> int:
        """N_max, as given or as follows from `training.clip_norm`."""
        return self.arithmetic.max_norm_squared or least_max_norm_squared(
            self.training.clip_norm,
            self.arithmetic.scale_bits,
            self.divisor,
            self.vector_length,
            self.width,
        )

    @classmethod
    def from_toml(cls, text: str | bytes) -> Self:
        """Read project.toml; raises BAD_SPEC naming the field, TOO_LARGE beyond its path."""
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        if len(data) > MAX_FILE_BYTES:
            raise FairshareError(
                Reason.TOO_LARGE, f"the project file is over {MAX_FILE_BYTES} bytes", "shorten it"
            )
        try:
            document = tomllib.loads(data.decode("utf-8"))
        except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
            raise FairshareError(
                Reason.BAD_SPEC, f"the project file is not TOML: {error}", "correct the file at that place"
            ) from error
        _refuse_units_of_other_tokens(document)
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise from_validation(error) from error

    def to_toml(self) -> str:
        """The file as TOML; `from_toml` reads it back to an equal object."""
        document = self.model_dump(exclude_none=True)
        return "\n".join(_section(name, fields) for name, fields in document.items())

    def post(
        self,
        *,
        circuit: CircuitSection,
        chain: ChainSection,
        initial_model: str,
        evaluation_sha256: str,
        validation: str | None = None,
        owner_key: bytes | None = None,
        peers: tuple[str, ...] = (),
    ) -> ProjectSpec:
        """The spec to post: this file and what posting fills in.

        `initial_model`: CID of the packed W_0. `validation`: commitment to the validation set, 0x and 64 hex
        digits, with the reference rule. `owner_key`: the owner's X25519 key, 32 bytes, where models are sealed.
        `peers` come before those of the file. Raises BAD_SPEC where they contradict the file.
        """
        if self.evaluation.sha256 not in (None, evaluation_sha256):
            raise bad_field("evaluation.sha256", "this is not the hash of the evaluation set at hand")
        path, sketch = self.path, self.sketch
        if sketch is None and circuit.length < self.length:
            raise bad_field(
                "task", f"it has {self.length} trainable parameters, the circuit takes {circuit.length}"
            )
        if sketch is not None and circuit.length != self.shape.length:
            raise bad_field("circuit.length", f"sketches have {self.shape.length} numbers")
        document = self.model_dump(exclude={"arithmetic", "evaluation", "validation", "storage"})
        try:
            return ProjectSpec.model_validate(
                document
                | {
                    "arithmetic": ArithmeticSection(
                        scale_bits=self.arithmetic.scale_bits,
                        max_norm_squared=self.max_norm_squared,
                        range=self.arithmetic.range,
                        path=path,
                    ),
                    "sketch": sketch,
                    "sealing": None if owner_key is None else {"owner_key": "0x" + owner_key.hex()},
                    "evaluation": {"sha256": evaluation_sha256},
                    "validation": None if validation is None else {"commitment": validation},
                    "storage": {"peers": tuple(dict.fromkeys((*peers, *self.storage.peers)))},
                    "circuit": circuit,
                    "chain": chain,
                    "initial_model": initial_model,
                }
            )
        except ValidationError as error:
            raise from_validation(error) from error


def _refuse_units_of_other_tokens(document: dict[str, Any]) -> None:
    """Only the native coin has units; how many decimals another token has, the file cannot know."""
    reward = document.get("reward")
    if not isinstance(reward, dict) or reward.get("token", "native") == "native":
        return
    for section, field in (
        ("reward", "amount"),
        ("reward", "aggregator_fee"),
        ("stakes", "trainer"),
        ("stakes", "aggregator"),
        ("stakes", "complaint_deposit"),
        ("stakes", "reveal"),
    ):
        fields = document.get(section)
        if isinstance(fields, dict) and has_unit(fields.get(field)):
            raise bad_field(
                f"{section}.{field}", "units are for the native coin; write the token's smallest unit"
            )


def _section(name: str, fields: dict[str, Any]) -> str:
    lines = (f"{key} = {_value(value)}" for key, value in fields.items())
    return "\n".join((f"[{name}]", *lines)) + "\n"


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    # A JSON string, number or boolean is one in TOML too, but for DEL, which no field may hold.
    return json.dumps(value, ensure_ascii=False)
