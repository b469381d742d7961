"""A demo's project played again without chain, sketch or proof: plain Multi-Krum on the updates themselves.

Training is a function of data, seed and model alone, so as long as both merge the same, both have the same updates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marketplace.devnet.data import EVALUATION
from marketplace.devnet.demo.cast import HONEST
from marketplace.learning import evaluate, tasks, train
from marketplace.learning.data import Dataset, load_npz
from marketplace.protocol import fixed_point
from marketplace.protocol.gram import gram
from marketplace.protocol.krum import Judgement, Rules, ScoreRule, judge
from marketplace.spec import ProjectFile
from marketplace.spec.cutting import sure_norm_squared
from trainer_node.behaviour import Attack, Behaviour
from trainer_node.work import seed_of


@dataclass(frozen=True)
class PlainRound:
    """A round as plain Multi-Krum has it; `shares`: of its pay, by slot; `accuracy`: of the model after it."""

    updates: tuple[NDArray[np.int16], ...]  # by slot
    judgement: Judgement
    shares: NDArray[np.float64]
    accuracy: float


def play(directory: Path, behaviours: Sequence[str], rounds: int, seed: int) -> list[PlainRound]:
    """Plays the project of a kept demo; trainer i has slot i."""
    project = ProjectFile.from_toml((directory / "project.toml").read_text("utf8"))
    task = tasks.load(project.task)
    parts = [load_npz(directory / "data" / f"trainer-{i}.npz", task) for i in range(len(behaviours))]
    evaluation = load_npz(directory / "data" / EVALUATION, task)
    acts = [Behaviour(None if name == HONEST else Attack(name)) for name in behaviours]
    model = fixed_point.to_model(task.initial(project.training.seed), project.arithmetic.scale_bits)
    played = []
    for number in range(1, rounds + 1):
        weights = fixed_point.dequantise(model, project.arithmetic.scale_bits)
        updates = [
            _update(project, task, weights, part, act, seed_of(seed + slot, number))
            for slot, (part, act) in enumerate(zip(parts, acts, strict=True))
        ]
        judgement = judge(rules_of(project), gram(updates), range(len(updates)), range(1, len(updates) + 1))
        model = fixed_point.apply_updates(model, [updates[slot] for slot in judgement.merged])
        accuracy = evaluate.accuracy(
            task, fixed_point.dequantise(model, project.arithmetic.scale_bits), evaluation
        )
        played.append(PlainRound(tuple(updates), judgement, shares_of(judgement), accuracy))
    return played


def shares_of(judgement: Judgement) -> NDArray[np.float64]:
    """Of a round's pay, by slot."""
    paid = np.array(judgement.contributions, dtype=np.float64)
    return paid / max(paid.sum(), 1.0)


def rules_of(project: ProjectFile) -> Rules:
    """How its rounds are judged."""
    return Rules(
        slots=project.cohort.slots,
        faults=project.cohort.faults,
        max_norm_squared=project.max_norm_squared,
        score_rule=ScoreRule[project.scoring.rule.upper()],
        reference=False,
        strike_factor=project.scoring.strike_factor,
        duplicate_cosine=project.scoring.duplicate_cosine,
    )


def _update(
    project: ProjectFile,
    task: tasks.Task,
    weights: NDArray[np.float64],
    part: Dataset,
    act: Behaviour,
    seed: int,
) -> NDArray[np.int16]:
    """As `trainer_node.work.prepare` makes it."""
    data = act.dataset(part, task.classes)
    delta = train.local_delta(task, weights, data, project.training, seed, "cpu", 1)
    clipped = fixed_point.clip(delta, project.training.clip_norm)
    honest = fixed_point.quantise(clipped, project.arithmetic.scale_bits, project.divisor)
    return act.update(honest, sure_norm_squared(project.max_norm_squared, project.width), seed)
