"""The project.toml of a demo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
LARGE = 10  # times these windows for a network that takes minutes to train, commit to and check

_FEATURES = {"digits": 64, "fashion-mnist": 784}
_USUAL = {"digits": "softmax", "fashion-mnist": "mlp"}
_MODELS: dict[str, dict[str, Any]] = {
    "softmax": {},
    # of Fashion-MNIST d = (49 + 1) * 16 + (16 + 1) * 10 = 970: 28 x 28 pixels averaged to 7 x 7, all layers trained
    "mlp": {"hidden": 16, "pool": 4, "trained": "all"},
    "cnn": {},
}


@dataclass(frozen=True)
class Plan:
    """What a demo is to show."""

    cast: Cast
    rounds: int
    dataset: str
    seed: int
    task: str | None = None  # None: the data set's usual one
    rule: str | None = None  # of the score; None: the template's
    width: int | None = None  # of a sketch; None: the template's
    skew: float | None = None  # of the trainers' data, Dirichlet's alpha; None: all alike

    @property
    def kind(self) -> str:
        """The task's kind."""
        return self.task or _USUAL[self.dataset]


def check_dataset(name: str) -> str:
    """`name`, if a demo knows what to do with that data set; else BAD_INPUT."""
    if name not in _USUAL:
        raise FairshareError(
            Reason.BAD_INPUT, f"there is no data set {name!r}", f"use one of {', '.join(_USUAL)}"
        )
    return name


def check_task(kind: str | None) -> str | None:
    """`kind`, if a demo has settings for such a task; else BAD_INPUT."""
    if kind is not None and kind not in _MODELS:
        raise FairshareError(
            Reason.BAD_INPUT, f"there is no task {kind!r} in a demo", f"use one of {', '.join(_MODELS)}"
        )
    return kind


def project_file(plan: Plan, parts: Parts) -> ProjectFile:
    """The project of a plan. Raises BAD_SPEC, TOO_LARGE."""
    document = ProjectFile.from_toml(template(plan.kind)).model_dump(exclude_none=True)
    features = {"features": _FEATURES[plan.dataset], "classes": 10}
    absent = "absent" in plan.cast.trainers
    bad_aggregator = any(behaviour != "honest" for behaviour in plan.cast.aggregators)
    document["project"]["name"] = f"Demo: {plan.dataset}"
    document["task"] = document["task"] | features | _MODELS[plan.kind]
    document["training"]["seed"] = plan.seed
    times = LARGE if plan.kind == "cnn" else 1
    submit = SUBMIT_S_WITH_ABSENT if absent else SUBMIT_S
    challenge = min(submit, CHALLENGE_S_WITH_BAD_AGGREGATOR) if bad_aggregator else CHALLENGE_S
    document["rounds"] = {
        "count": plan.rounds,
        "join_window": JOIN_S * times,
        "submit_window": submit * times,
        "result_window": (RESULT_S_WITH_BAD_AGGREGATOR if bad_aggregator else RESULT_S) * times,
        "answer_window": ANSWER_S * times,
        "challenge_window": challenge * times,
    }
    if plan.width is not None:
        document["arithmetic"]["width"] = plan.width
    if "false-gram" in plan.cast.aggregators:  # only where nothing is proved at once is there room for it
        document["settlement"] = {"mode": "on-demand"}
    document["cohort"] = {"slots": len(plan.cast.trainers), "faults": plan.cast.faults}
    document["evaluation"] = {"file": str(parts.evaluation)}
    document["validation"] = {"file": str(parts.validation)}
    if plan.rule is not None and plan.rule != "reference":
        document["scoring"] |= {"rule": plan.rule, "fallback_rule": "projection", "reference_share": 0}
        document["stakes"]["reveal"] = "0"
        del document["validation"]
    return ProjectFile.model_validate(document)
