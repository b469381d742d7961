"""How an aggregator behaves: honestly, or as one of the attacks that the demo and the tests run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from enum import StrEnum

from marketplace.chain.types import RoundResult
from marketplace.protocol.digests import BATCH
from marketplace.protocol.field import FIELD_MODULUS
from marketplace.protocol.gram import Gram


class Attack(StrEnum):
    """Ways for an aggregator to cheat; for test chains only."""

    TAMPER_AGGREGATE = "tamper-aggregate"  # posts results that are not what the proof shows
    WITHHOLD = "withhold"  # collects and never posts
    WITHHOLD_MODEL = "withhold-model"  # posts and never serves the model
    FALSE_COMPLAINT = "false-complaint"  # complains about an update that it has opened
    FALSE_GRAM = "false-gram"  # settlement on-demand: posts a Gram matrix that it cannot prove


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
        """Whether it answers a challenge of its model."""
        return self.attack is not Attack.WITHHOLD_MODEL

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
