"""What is to go wrong in a project, and when: all of it drawn from one seed. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

EVERYBODY = "everybody"  # target of a kill: a power cut
IN_TURN = "in turn"  # target of a kill: the aggregator in turn, whichever it is then
STORAGE = "storage"  # target of a restart
_POWER_CUT, _AGGREGATOR_IN_TURN = 0.02, 0.15  # shares of the kills
_BEFORE_NEXT_S = 1.5  # at most, on this machine
_DOWN_S = 2.0  # at most, before a killed process is started again
_KEPT = (0.0, 0.0, 0.5, 1.0)
_SILENT_S = (1.0, 12.0)  # of an endpoint; a request is given up after 10


class Kind(StrEnum):
    """A kind of mischief."""

    KILL = "kill"  # SIGKILL, and a new start
    DROP = "drop"  # an endpoint cuts its connections and takes none
    STALL = "stall"  # an endpoint takes connections and answers nothing
    REORGANISE = "reorganise"
    KEEP_AWAY = "keep away"  # SIGKILL, and a new start once a deadline is over (`absence`)
    RESTART_STORAGE = "restart storage"  # SIGKILL to the storage node that stands alone, and a new start


@dataclass(frozen=True)
class Act:
    """One mischief of a round: while its window is open, or (`closed`) while the aggregator works. Round 0: joining."""

    kind: Kind
    round: int
    closed: bool
    pause_s: float  # after the act before
    target: str = ""  # a role, an endpoint
    lasts_s: float = 0.0
    depth: int = 0  # blocks
    kept: float = 0.0  # share of the senders whose transactions are in the new blocks too, in another order


@dataclass(frozen=True)
class Amount:
    """How much of each kind a project gets."""

    kills: int
    reorganisations: int
    drops: int
    stalls: int
    storage_restarts: int
    depth: int = 3  # of a reorganisation, in blocks


def plan(
    seed: int, rounds: int, roles: Sequence[str], endpoints: Sequence[str], amount: Amount
) -> tuple[Act, ...]:
    """The acts in their order, spread evenly over the time before the rounds and both halves of each."""
    chance = random.Random(seed)
    kinds = [
        *[Kind.KILL] * amount.kills,
        *[Kind.REORGANISE] * amount.reorganisations,
        *[Kind.DROP] * amount.drops,
        *[Kind.STALL] * amount.stalls,
        *[Kind.RESTART_STORAGE] * amount.storage_restarts,
    ]
    chance.shuffle(kinds)
    halves = sorted(1 + i % (2 * rounds + 1) for i in range(len(kinds)))
    victims = _victims(chance, roles, amount.kills)
    acts = []
    for half, kind in zip(halves, kinds, strict=True):
        target, lasts_s, depth, kept = "", 0.0, 0, 0.0
        match kind:
            case Kind.KILL:
                target, lasts_s = victims.pop(), chance.uniform(0, _DOWN_S)
            case Kind.DROP | Kind.STALL:
                target, lasts_s = chance.choice([*endpoints, EVERYBODY]), chance.uniform(*_SILENT_S)
            case Kind.REORGANISE:
                depth, kept = amount.depth, chance.choice(_KEPT)
            case Kind.RESTART_STORAGE:
                target, lasts_s = STORAGE, chance.uniform(0, _DOWN_S)
        pause_s = chance.uniform(0, _BEFORE_NEXT_S)
        acts.append(Act(kind, half // 2, half > 1 and half % 2 == 1, pause_s, target, lasts_s, depth, kept))
    return tuple(acts)


def _victims(chance: random.Random, roles: Sequence[str], kills: int) -> list[str]:
    """Everybody about as often, in any order; some are power cuts, some the aggregator's that is at work."""
    cuts, in_turn = round(_POWER_CUT * kills), round(_AGGREGATOR_IN_TURN * kills)
    others = [roles[i % len(roles)] for i in range(kills - cuts - in_turn)]
    victims = [*[EVERYBODY] * cuts, *[IN_TURN] * in_turn, *others]
    chance.shuffle(victims)
    return victims
