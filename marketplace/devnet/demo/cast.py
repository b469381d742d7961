"""Who takes part in a demo, and which of them cheat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from marketplace.errors import FairshareError, Reason
from marketplace.owner.draft import faults_of

HONEST = "honest"
NO_ATTACK = "none"
TRAINER_ATTACKS = (
    *("sign-flip", "scale", "random", "zero", "label-flip", "copy", "absent", "withhold-update"),
    *("false-leaf", "one-chunk", "accomplice"),  # on the sketch path
)
ROLE_NAMES = {"withhold-update": "withhold"}  # of a trainer's attack where it is not ours
AGGREGATOR_ATTACKS = (
    *("tamper-aggregate", "withhold", "withhold-model", "false-complaint", "false-gram"),
    *("wrong-chunk", "wrong-sketch", "friend-sketch"),  # on the sketch path
)
DEFAULT_ATTACKS = ("sign-flip", "copy", "label-flip")
AGGREGATORS = 2  # one in reserve
FEWEST_TRAINERS, MOST_TRAINERS = 3, 15  # and the reference: 16 inputs are what a circuit takes


@dataclass(frozen=True)
class Cast:
    """Behaviour of each trainer and aggregator, by index; `faults`: f, which the project tolerates."""

    trainers: tuple[str, ...]
    aggregators: tuple[str, ...]
    faults: int

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the accounts: aggregators first, as they must join before the project starts."""
        return (
            *(f"aggregator-{i}" for i in range(len(self.aggregators))),
            *(f"trainer-{i}" for i in range(len(self.trainers))),
        )

    def behaviour(self, name: str) -> str:
        """What an account does: `HONEST` or the kind of its attack."""
        role, _, index = name.rpartition("-")
        return (self.trainers if role == "trainer" else self.aggregators)[int(index)]


def cast(trainers: int, attacks: Sequence[str]) -> Cast:
    """The cast for `trainers` trainers and attacks written KIND@INDEX; none given: the default three.

    Raises BAD_INPUT saying which is wrong.
    """
    if not FEWEST_TRAINERS <= trainers <= MOST_TRAINERS:
        raise FairshareError(
            Reason.BAD_INPUT,
            f"{trainers} trainers are not possible",
            f"take {FEWEST_TRAINERS} to {MOST_TRAINERS}",
        )
    behaviours = [HONEST] * trainers
    aggregators = [HONEST] * AGGREGATORS
    for kind, index in _chosen(trainers, attacks):
        played = aggregators if kind in AGGREGATOR_ATTACKS else behaviours
        if not 0 <= index < len(played):
            raise _bad(f"{kind}@{index}", f"there are {len(played)} of them, counted from 0")
        if played[index] != HONEST:
            raise _bad(f"{kind}@{index}", f"number {index} does {played[index]} already")
        played[index] = kind
    return Cast(tuple(behaviours), tuple(aggregators), faults_of(trainers))


def _chosen(trainers: int, attacks: Sequence[str]) -> list[tuple[str, int]]:
    if not attacks:
        kinds = DEFAULT_ATTACKS[: min(len(DEFAULT_ATTACKS), trainers - faults_of(trainers) - 1)]
        kinds = kinds if trainers >= 8 else kinds[: faults_of(trainers)]
        return [(kind, trainers - len(kinds) + i) for i, kind in enumerate(kinds)]
    if list(attacks) == [NO_ATTACK]:
        return []
    return [_parsed(attack) for attack in attacks]


def _parsed(attack: str) -> tuple[str, int]:
    kind, at, index = attack.partition("@")
    if kind not in (*TRAINER_ATTACKS, *AGGREGATOR_ATTACKS):
        known = ", ".join((*TRAINER_ATTACKS, *AGGREGATOR_ATTACKS, NO_ATTACK))
        raise _bad(attack, f"the kinds are {known}")
    if not at or not index.isascii() or not index.isdigit():
        raise _bad(attack, "write KIND@INDEX, such as sign-flip@7")
    return kind, int(index)


def _bad(attack: str, why: str) -> FairshareError:
    return FairshareError(Reason.BAD_INPUT, f"--attack {attack} is not possible", why)
