"""What a trainer's rounds have cost in privacy, in its journal: counted before a round is trained, never after.

A round is paid for once for each thing that is trained on in it: model, data and settings, together an occasion. Its
secret seed is drawn and written down with the payment; a node that is killed in between trains with the same seed, and
makes the same update, which costs nothing more. Another model, as after a false preview, is another occasion: it has a
seed of its own, or the noise of both could be cancelled, and costs as much again.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.learning.accounting import Spending, epsilon, rounds_within, with_spending
from marketplace.learning.data import Dataset
from marketplace.learning.private import Noise
from marketplace.learning.secret_draws import SEED_BYTES
from marketplace.node.journal import Journal
from marketplace.node.logging import Logger
from marketplace.spec.sections import TrainingSection
from trainer_node.privacy import Choice, Policy

PRIVACY = "privacy"  # journal, of the project: what was chosen, all that was spent, and what that comes to
SECRETS = "noise-secrets"  # journal, of a round: seeds by occasion


@dataclass(frozen=True)
class Paid:
    """A training that is paid for: its noise, and the secret seed of that and of its batches."""

    noise: Noise
    secret: bytes

    def __repr__(self) -> str:  # logs must not hold the secret
        return f"Paid({self.noise})"


@dataclass
class PrivacyBudget:
    """A trainer's budget in one project. Threads may share it.

    Making one writes down what is chosen, and what was spent before by that measure.
    """

    journal: Journal
    project: int
    rounds: int  # that the project has, if none is done again
    choice: Choice
    policy: Policy  # that follows from it
    log: Logger
    _abstained: set[int] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        with self.journal.atomic():
            self._keep(self.history)

    @property
    def history(self) -> tuple[Spending, ...]:
        """All that was spent, as opacus' accountants keep it."""
        return history_in(kept(self.journal, self.project))

    def abstains(self, round_: int) -> bool:
        """Whether `abstain` was called for this round."""
        return round_ in self._abstained

    def abstain(self, round_: int) -> None:
        """Submit nothing in this round, and say why."""
        self._abstained.add(round_)
        self.log.warning(
            "abstaining: the privacy budget does not allow this round",
            round=round_,
            epsilon_budget=self.policy.epsilon,
            epsilon_with_this_round=self._epsilon_after(),
            delta=self.policy.delta,
        )

    def pay(self, round_: int, occasion: bytes) -> Paid | None:
        """Pay for a training, if it is not paid for already; None, and nothing is paid, beyond the budget."""
        with self.journal.atomic():
            secrets = self.journal.get(self.project, round_, SECRETS, {})
            secret = secrets.get(occasion.hex())
            if secret is not None:
                return Paid(self.policy.noise, bytes.fromhex(secret))
            if self._epsilon_after() > self.policy.epsilon:
                return None
            drawn = os.urandom(SEED_BYTES)
            self.journal.put(self.project, round_, SECRETS, secrets | {occasion.hex(): drawn.hex()})
            document = self._keep(with_spending(self.history, self.policy.a_round))
        self.log.info("privacy spent", round=round_, **document)
        return Paid(self.policy.noise, drawn)

    def close(self, last_round: int) -> None:
        """After a project's end: forget the secrets of its rounds up to `last_round`."""
        with self.journal.atomic():
            for round_ in range(1, last_round + 1):
                self.journal.delete(self.project, round_, SECRETS)

    def _epsilon_after(self) -> float:
        """Epsilon spent, with one more round."""
        return epsilon(with_spending(self.history, self.policy.a_round), self.policy.delta)

    def _keep(self, history: tuple[Spending, ...]) -> dict[str, Any]:
        """Write down `history`; what is said of it."""
        policy = self.policy
        spent = {
            "epsilon_spent": epsilon(history, policy.delta),
            "rounds_left": rounds_within(history, policy.a_round, policy.epsilon, policy.delta, self.rounds),
        }
        document = policy.to_json() | spent
        record = document | {"choice": asdict(self.choice), "history": [list(entry) for entry in history]}
        self.journal.put(self.project, 0, PRIVACY, record)
        return document


def kept(journal: Journal, project: int) -> dict[str, Any] | None:
    """What the journal holds of a project's privacy; None where this node trained without."""
    record: dict[str, Any] | None = journal.get(project, 0, PRIVACY)
    return record


def kept_choice(journal: Journal, project: int) -> Choice | None:
    """The --dp-* options that this node was last started with in a project; None where it was never private."""
    record = kept(journal, project)
    return None if record is None else Choice(**record["choice"])


def history_in(record: dict[str, Any] | None) -> tuple[Spending, ...]:
    """The spendings in a journal's record."""
    return () if record is None else tuple(Spending(*entry) for entry in record["history"])


def shown(record: dict[str, Any]) -> dict[str, Any]:
    """A journal's record for people."""
    return {name: value for name, value in record.items() if name not in ("choice", "history")}


def occasion_of(
    model: NDArray[np.int32], dataset: Dataset, training: TrainingSection, policy: Policy
) -> bytes:
    """Names what a training depends on but for its round and its seed: 32 bytes."""
    digest = hashlib.sha256()
    for part in (model, dataset.X, dataset.y):
        array = np.ascontiguousarray(part)
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.data)
    digest.update(repr((training, policy.noise, policy.a_round)).encode())
    return digest.digest()
