"""One project on the devnet, from its posting to the last claim, and what is kept of it."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from offchain.pay import PAY
from offchain.training import Training
from offchain.worth import worth
from pydantic import BaseModel, ConfigDict

from marketplace.learning.data import Dataset
from marketplace.protocol.krum import ScoreRule
from marketplace.spec import ProjectFile
from onchain.ledger import Ledger, PaidRound
from onchain.members import Members

TIMEOUT_S = 1800.0
# Windows are for slow machines: a round goes on when everybody has submitted, but not before the challenge window
# of the round before it is over.
ROUNDS = {
    "join_window": 900,
    "submit_window": 180,
    "result_window": 600,
    "answer_window": 60,
    "challenge_window": 6,
}


class Case(BaseModel):
    """Which project; `alpha` None: IID."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    alpha: float | None
    seed: int
    rule: str
    settlement: str
    faults: int
    rounds: int
    epochs: int | None

    @property
    def name(self) -> str:
        """For people."""
        dealt = "IID" if self.alpha is None else f"Dirichlet({self.alpha})"
        return f"{dealt}, seed {self.seed}, {self.rule}, {self.settlement}"


class Outcome(BaseModel):
    """What became of it. By round: wei paid by trainer, pots, masks as lists, and by method the shares of a round."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    case: Case
    seconds: float
    pots: list[int]
    amounts: list[list[int]]
    merged: list[list[int]]
    struck: list[list[int]]
    digests: list[str]  # of the round's model and updates
    worth: dict[str, list[list[float]]]
    evaluations: float  # of subsets a round, by GTG-Shapley


def play(
    market: Members,
    case: Case,
    training: Training,
    parts: list[Dataset],
    validation: Dataset,
    evaluation: Dataset,
    on_round: Callable[[], None],
) -> Outcome:
    """Runs one project. Raises what its nodes raise, and INTEGRITY where the chain is not the judge off chain."""
    began = time.monotonic()
    project = market.post(project_file(training, case), validation, evaluation)
    ledger = Ledger(market.context(project), market.aggregator.journal)
    seen = 0

    def look() -> None:
        nonlocal seen
        ledger.look()
        while seen < len(ledger.rounds):
            seen += 1
            on_round()

    market.run(project, parts, case.seed, look, TIMEOUT_S)
    ledger.close(case.rounds)
    return _outcome(case, time.monotonic() - began, ledger.rounds, training, validation)


def project_file(training: Training, case: Case) -> ProjectFile:
    """The template's project with the case's rule and the benchmark's windows."""
    rule, share = PAY[case.rule]
    document = training.project.model_dump(exclude_none=True)
    document["project"]["name"] = case.name
    document["rounds"] |= ROUNDS | {"count": case.rounds}
    document["scoring"] |= {"rule": rule.name.lower(), "reference_share": share}
    document["settlement"] = {"mode": case.settlement}
    document["reward"]["amount"] = str(document["reward"]["amount"])
    if rule is not ScoreRule.REFERENCE:
        document["stakes"]["reveal"] = "0"
        del document["validation"]
    return ProjectFile.model_validate(document, strict=False)


def _outcome(
    case: Case, seconds: float, rounds: list[PaidRound], training: Training, validation: Dataset
) -> Outcome:
    random = np.random.default_rng(case.seed)
    found = [worth(training, validation, paid.model, paid.updates, random, by_mean=False) for paid in rounds]
    return Outcome(
        case=case,
        seconds=round(seconds, 1),
        pots=[paid.pot for paid in rounds],
        amounts=[list(paid.amounts) for paid in rounds],
        merged=[list(paid.merged) for paid in rounds],
        struck=[list(paid.struck) for paid in rounds],
        digests=[paid.digest for paid in rounds],
        worth={name: [one.shares[name].tolist() for one in found] for name in found[0].shares},
        evaluations=float(np.mean([one.evaluations for one in found])),
    )
