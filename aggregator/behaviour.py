"""How an aggregator behaves: honestly, or as one of the attacks that the demo and the tests run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from marketplace.chain.types import RoundResult
from marketplace.protocol.digests import BATCH
from marketplace.protocol.field import FIELD_MODULUS
from marketplace.protocol.gram import Gram

_STRETCH = 16  # a false sketch is longer by its 16th part


class Attack(StrEnum):
    """Ways for an aggregator to cheat; for test chains only."""

    TAMPER_AGGREGATE = "tamper-aggregate"  # posts results that are not what the proof shows
    WITHHOLD = "withhold"  # collects and never posts
    WITHHOLD_MODEL = "withhold-model"  # posts and never serves the model
    FALSE_COMPLAINT = "false-complaint"  # complains about an update that it has opened
    FALSE_GRAM = "false-gram"  # settlement on-demand: posts a Gram matrix that it cannot prove
    # On the sketch path:
    WRONG_CHUNK = "wrong-chunk"  # merges a chunk wrongly
    WRONG_SKETCH = "wrong-sketch"  # proves a sketch that is not its trainer's, and is silent when asked
    FRIEND_SKETCH = "friend-sketch"  # the same, for a friend that says nothing; and lies when asked


SKETCHED = frozenset({Attack.WRONG_CHUNK, Attack.WRONG_SKETCH, Attack.FRIEND_SKETCH})
FRIEND = 0  # the slot whose sketch is false


@dataclasses.dataclass(frozen=True)
class Behaviour:
    """What an aggregator does where an honest one could do otherwise."""

    attack: Attack | None = None

    @property
    def concludes(self) -> bool:
        """Whether it posts anything at all."""
        return self.attack is not Attack.WITHHOLD

    @property
    def lies(self) -> bool:
        """Whether it posts lies about its result instead of it."""
        return self.attack is Attack.TAMPER_AGGREGATE

    def serves_model(self, open_cohorts: int) -> bool:
        """Whether it publishes the model of a result; of a round's last cohort, the one that counts, or of all."""
        return self.attack is not Attack.WITHHOLD_MODEL or open_cohorts > 1

    def answers_for_model(self) -> bool:
        """Whether it answers a challenge of its model, or of a chunk of it."""
        return self.attack is not Attack.WITHHOLD_MODEL

    def answers_for_sketch(self) -> bool:
        """Whether it answers a question of a sketch."""
        return self.attack is not Attack.WRONG_SKETCH

    def sketch(self, true: NDArray[np.int64], slot: int) -> NDArray[np.int64]:
        """The sketch that it proves for a slot: a little longer than it is, so that it is worth more."""
        false = self.attack in (Attack.WRONG_SKETCH, Attack.FRIEND_SKETCH) and slot == FRIEND
        return true + true // _STRETCH if false else true

    def merged(self, true: NDArray[np.int32], chunk_length: int) -> NDArray[np.int32] | None:
        """The model that it publishes in place of the true one; None: the true one."""
        if self.attack is not Attack.WRONG_CHUNK:
            return None
        false, chunk = true.copy(), true.size // chunk_length // 2
        false[chunk * chunk_length] += 1
        return false

    def values(self, true: list[int], due: int) -> list[int]:
        """The values that it answers with, which have to add up to `due` in the field."""
        if self.attack is not Attack.FRIEND_SKETCH:
            return true
        return [(true[0] + due - sum(true)) % FIELD_MODULUS, *true[1:]]

    def victim(self, opened: set[int]) -> frozenset[int]:
        """Slots that it complains about although their updates are open."""
        return frozenset({min(opened)}) if self.attack is Attack.FALSE_COMPLAINT and opened else frozenset()

    def gram(self, true: Gram, present: set[int]) -> Gram:
        """The Gram matrix that it posts: one that nobody can prove has a slot a little longer than it is."""
        if self.attack is not Attack.FALSE_GRAM or not present:
            return true
        slot = min(present)
        at = slot * true.slots - slot * (slot - 1) // 2
        return Gram(true.slots, (*true.triangle[:at], true.triangle[at] + 1, *true.triangle[at + 1 :]))


def tampered(
    result: RoundResult, slots: int, commitment_bytes: int = 64
) -> Iterator[tuple[str, RoundResult]]:
    """Lies about an honest `result`, each with what it lies about."""
    favoured, victim = _swap(result.merged, slots)
    yield (
        "scores",
        dataclasses.replace(
            result, gram=(*result.gram[:1], (result.gram[1] + 1) % FIELD_MODULUS, *result.gram[2:])
        ),
    )
    yield "mask", dataclasses.replace(result, merged=result.merged ^ (1 << favoured) ^ (1 << victim))
    first, second = result.proof[:commitment_bytes], result.proof[commitment_bytes : 2 * commitment_bytes]
    rest = result.proof[2 * commitment_bytes :]
    yield "update", dataclasses.replace(result, proof=second + first + rest)
    yield "proof", dataclasses.replace(result, proof=result.proof[:-1] + bytes([result.proof[-1] ^ 1]))
    arrived = result.arrivals
    transactions = len(arrived.digests) - (arrived.order[-1:] != bytes([BATCH]))
    shorter = dataclasses.replace(arrived, order=arrived.order[:-1], digests=arrived.digests[:transactions])
    yield "arrivals", dataclasses.replace(result, arrivals=shorter)


def _swap(merged: int, slots: int) -> tuple[int, int]:
    """A slot that is not merged and one that is."""
    inside = [slot for slot in range(slots) if merged >> slot & 1]
    outside = [slot for slot in range(slots) if not merged >> slot & 1]
    return (outside or inside)[0], inside[0]
