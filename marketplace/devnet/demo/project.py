"""The project.toml of a demo."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.devnet.data import Parts
from marketplace.devnet.demo.cast import Cast
from marketplace.errors import FairshareError, Reason
from marketplace.spec import ProjectFile, template

JOIN_S = 240  # the project starts as soon as everybody has joined
SUBMIT_S = 120  # a round goes on as soon as everybody has submitted
SUBMIT_S_WITH_ABSENT = 25  # every round waits this long for those who never submit
RESULT_S = 180
RESULT_S_WITH_BAD_AGGREGATOR = 45  # until the one in reserve takes over
ANSWER_S = 12  # shorter than a proof takes: a complaint that nobody answers costs no time
CHALLENGE_S = 6  # shorter than a round's training
CHALLENGE_S_WITH_BAD_AGGREGATOR = 45  # for trainers to notice that a model cannot be had

_MODELS = {
    "digits": {"kind": "softmax", "features": 64, "classes": 10},
    # d = (49 + 1) * 16 + (16 + 1) * 10 = 970: 28 x 28 pixels averaged to 7 x 7, all layers trained
    "fashion-mnist": {
        "kind": "mlp",
        "features": 784,
        "classes": 10,
        "hidden": 16,
        "pool": 4,
        "trained": "all",
    },
}


@dataclass(frozen=True)
class Plan:
    """What a demo is to show."""

    cast: Cast
    rounds: int
    dataset: str
    seed: int


def check_dataset(name: str) -> str:
    """`name`, if a demo knows what to do with that data set; else BAD_INPUT."""
    if name not in _MODELS:
        raise FairshareError(
            Reason.BAD_INPUT, f"there is no data set {name!r}", f"use one of {', '.join(_MODELS)}"
        )
    return name


def project_file(plan: Plan, parts: Parts) -> ProjectFile:
    """The project of a plan. Raises BAD_SPEC, TOO_LARGE."""
    model = _MODELS[plan.dataset]
    document = ProjectFile.from_toml(template(str(model["kind"]))).model_dump(exclude_none=True)
    absent = "absent" in plan.cast.trainers
    bad_aggregator = any(behaviour != "honest" for behaviour in plan.cast.aggregators)
    document["project"]["name"] = f"Demo: {plan.dataset}"
    document["task"] = model
    document["training"]["seed"] = plan.seed
    submit = SUBMIT_S_WITH_ABSENT if absent else SUBMIT_S
    document["rounds"] = {
        "count": plan.rounds,
        "join_window": JOIN_S,
        "submit_window": submit,
        "result_window": RESULT_S_WITH_BAD_AGGREGATOR if bad_aggregator else RESULT_S,
        "answer_window": ANSWER_S,
        "challenge_window": min(submit, CHALLENGE_S_WITH_BAD_AGGREGATOR) if bad_aggregator else CHALLENGE_S,
    }
    if "false-gram" in plan.cast.aggregators:  # only where nothing is proved at once is there room for it
        document["settlement"] = {"mode": "on-demand"}
    document["cohort"] = {"slots": len(plan.cast.trainers), "faults": plan.cast.faults}
    document["evaluation"] = {"file": str(parts.evaluation)}
    document["validation"] = {"file": str(parts.validation)}
    return ProjectFile.model_validate(document)
