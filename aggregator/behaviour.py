"""How an aggregator behaves: honestly, or as one of the attacks that the demo and the tests run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from enum import StrEnum

from marketplace.chain.types import RoundResult
from marketplace.protocol.field import FIELD_MODULUS


class Attack(StrEnum):
    """Ways for an aggregator to cheat; for test chains only."""

    TAMPER_AGGREGATE = "tamper-aggregate"  # posts results that are not what the proof shows
    WITHHOLD = "withhold"  # collects and never posts


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
    yield "omissions", dataclasses.replace(result, omitted=result.omitted | (1 << victim))


def _swap(merged: int, slots: int) -> tuple[int, int]:
    """A slot that is not merged and one that is."""
    inside = [slot for slot in range(slots) if merged >> slot & 1]
    outside = [slot for slot in range(slots) if not merged >> slot & 1]
    return (outside or inside)[0], inside[0]
