"""What trainers and the owner send, by the settings that `fairshare project new` writes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.learning import split, tasks, train
from marketplace.learning.data import Dataset
from marketplace.protocol import fixed_point
from marketplace.protocol.krum import Rules, ScoreRule
from marketplace.spec import ProjectFile, template
from offchain import tables

Update = NDArray[np.int16]
Model = NDArray[np.int32]

TASK_OF = {"digits": "softmax", "fashion-mnist": "mlp", **dict.fromkeys(tables.NAMES, "tabular")}


class Training:
    """A project's recipe for updates of `slots` trainers, of whom `faults` may be harmful.

    `epochs`, `changes`: of a round of training, fields of [training] instead of the template's.
    """

    def __init__(
        self, dataset: str, slots: int, faults: int, epochs: int | None = None, **changes: float
    ) -> None:
        project = ProjectFile.from_toml(template(TASK_OF[dataset]))
        if dataset in tables.NAMES:
            project = project.model_copy(update={"task": tables.task(dataset, project.task)})
        cohort = project.cohort.model_copy(update={"slots": slots, "faults": faults, "trainers": slots})
        recipe = project.training.model_copy(
            update=changes if epochs is None else changes | {"epochs": epochs}
        )
        self.project = project.model_copy(update={"cohort": cohort, "training": recipe})
        self.task = tasks.load(project.task)
        self.rounds = project.rounds.count

    def initial(self) -> Model:
        """W_0."""
        weights = self.task.initial(self.project.training.seed)
        return fixed_point.to_model(weights, self.project.arithmetic.scale_bits)

    def weights(self, model: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """The model's weights as floats."""
        return fixed_point.dequantise(model, self.project.arithmetic.scale_bits)

    def update(self, model: Model, data: Dataset, seed: int) -> Update:
        """One round of training on `data`: a trainer's update, or on the validation set the owner's."""
        training = self.project.training
        delta = train.local_delta(self.task, self.weights(model), data, training, seed, "cpu", 1)
        clipped = fixed_point.clip(delta, training.clip_norm)
        return fixed_point.quantise(clipped, self.project.arithmetic.scale_bits, self.project.divisor)

    def rules(self, rule: ScoreRule) -> Rules:
        """How such a round is judged; by the reference alone where that is the rule."""
        by_owner = rule is ScoreRule.REFERENCE
        return Rules(
            slots=self.project.cohort.slots,
            faults=self.project.cohort.faults,
            max_norm_squared=self.project.max_norm_squared,
            score_rule=ScoreRule.PROJECTION if by_owner else rule,
            reference=by_owner,
            duplicate_cosine=self.project.scoring.duplicate_cosine,
        )


def parts_of(data: Dataset, count: int, alpha: float | None, seed: int) -> list[Dataset]:
    """A part for each trainer: IID, or by Dirichlet(alpha)."""
    return split.iid(data, count, seed) if alpha is None else split.dirichlet(data, count, alpha, seed)


def noisy(data: Dataset, share: float, classes: int, seed: int) -> Dataset:
    """`share` of the labels drawn anew, uniformly: at 1 they say nothing."""
    random = np.random.default_rng(seed)
    hit = random.random(len(data)) < share
    return dataclasses.replace(data, y=np.where(hit, random.integers(0, classes, len(data)), data.y))
