"""Writes down the work: data by trainer, the network's first numbers, and the same as a project of the market."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np

from marketplace.learning import datasets, split
from marketplace.learning.data import file_sha256, save_npz
from marketplace.learning.tasks import load
from marketplace.owner.draft import faults_of
from marketplace.spec import ProjectFile, template
from sidebyside import plain
from sidebyside.work import INITIAL, WORK, Work

AVERAGED = "averaged"
# By name: how it settles, and its `faults`, or None for as many as the market advises. With none all are merged.
PROJECTS = {"on-demand": ("on-demand", None), "proved": ("proved", None), AVERAGED: ("on-demand", 0)}
EVALUATION = "evaluation"
_WIDTH = 1024
# A round goes on when everybody has submitted, but not before the challenge window of the one before is over.
_ROUNDS = {
    "join_window": 600,
    "submit_window": 300,
    "result_window": 300,
    "answer_window": 60,
    "challenge_window": 2,
}


def write(where: Path, work: Work) -> None:
    """Into the folder `where`, which is there. Raises NOT_FOUND without Fashion-MNIST."""
    training, held_out = datasets.load("fashion-mnist")
    for number, part in enumerate(split.iid(training, work.trainers, work.seed)):
        save_npz(
            where / f"trainer-{number}.npz", part.rows(np.arange(min(len(part), work.rows or len(part))))
        )
    save_npz(where / f"{EVALUATION}.npz", held_out)
    (where / WORK).write_text(json.dumps(dataclasses.asdict(work)), "utf8")
    for name in PROJECTS:
        file = project_file(work, name, file_sha256(where / f"{EVALUATION}.npz"))
        (where / f"{name}.toml").write_text(file.to_toml(), "utf8")
    initial = load(file.task).initial(file.training.seed)
    np.save(where / INITIAL, initial.astype(np.float32))


def project_file(work: Work, name: str, sha256: str = "0" * 64) -> ProjectFile:
    """The work as one of PROJECTS, paid by projection, on the path that `auto` chooses.

    `sha256`: of the evaluation set.
    """
    settlement, faults = PROJECTS[name]
    document = ProjectFile.from_toml(template(work.kind)).model_dump(exclude_none=True)
    document["project"]["name"] = f"Side by side: {work.kind}"
    task = {"kind": work.kind, "features": 784, "classes": 10, "hidden": work.hidden}
    document["task"] = task | ({"channels": work.channels} if work.kind == "cnn" else {})
    document["training"] |= {
        "epochs": work.epochs,
        "batch_size": work.batch_size,
        "learning_rate": work.learning_rate,
        "momentum": work.momentum,
        "clip_norm": 20.0,  # so that three updates fill an int16, too; an honest one is far below
    }
    times = max(1, plain.parameters(work) // 250_000)  # a large model takes long to commit to
    document["rounds"] = {name: seconds * times for name, seconds in _ROUNDS.items()} | {"count": work.rounds}
    most = faults_of(work.trainers) if faults is None else faults
    document["cohort"] = {"slots": work.trainers, "faults": most}
    document["arithmetic"] = {"scale_bits": 15, "path": "auto", "width": _WIDTH}
    document["settlement"] = {"mode": settlement}
    document["scoring"] |= {"rule": "projection", "fallback_rule": "projection", "reference_share": 0}
    document["reward"]["amount"] = str(document["reward"]["amount"])
    document["stakes"]["reveal"] = "0"
    del document["validation"]
    document["evaluation"] = {"sha256": sha256}  # not at hand: nobody else's run is scored on the way, either
    return ProjectFile.model_validate(document, strict=False)
