"""What the transactions behind a project's events said that no event repeats, read once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from marketplace.audit import sketch_calls as sketched_path
from marketplace.audit.calls import ProofAnswer, find_complaint, find_proof, find_result
from marketplace.audit.sketch_calls import Place, SketchCalls
from marketplace.chain import events as e
from marketplace.chain.client import MarketClient
from marketplace.chain.types import (
    Arrivals,
    ChallengeKind,
    RoundResult,
    ShownChunk,
    SketchEvidence,
    SketchResult,
    UpdateChunk,
)
from marketplace.errors import FairshareError, Reason
from zk.curve import Point

T = TypeVar("T")


@dataclass
class Spoken:
    """By what an event's transaction tells them apart; a text says why a call cannot be told."""

    results: dict[Place, RoundResult | str] = field(default_factory=dict)
    complaints: dict[Place, Arrivals | str] = field(default_factory=dict)
    proofs: dict[bytes, ProofAnswer | str] = field(default_factory=dict)
    stated: dict[Place, SketchResult | str] = field(default_factory=dict)
    updates: dict[tuple[bytes, int, int, int], UpdateChunk | str] = field(default_factory=dict)
    chunks: dict[bytes, ShownChunk | str] = field(default_factory=dict)
    openings: dict[bytes, Point | str] = field(default_factory=dict)
    evidence: dict[bytes, SketchEvidence | str] = field(default_factory=dict)

    @property
    def sketch(self) -> SketchCalls:
        """The calls that only the sketch path has."""
        return SketchCalls(self.stated, self.updates, self.chunks, self.openings, self.evidence)


def place_of(event: e.ResultPosted | e.UpdatesComplained) -> Place:
    """Under which a result's or a complaint's calldata is kept."""
    return event.transaction_hash, event.round, event.cohort


def read_calls(client: MarketClient, market: list[e.Event], *, sketched: bool) -> Spoken:
    """Reads the calls behind a project's events. Raises CHAIN_UNREACHABLE."""
    spoken = Spoken()
    for event in market:
        match event:
            case e.ResultPosted():
                _read_result(client, spoken, event, sketched=sketched)
            case e.UpdatesComplained():
                find = sketched_path.find_chunk_complaint if sketched else find_complaint
                about = (event.project, event.round, event.cohort)
                spoken.complaints[place_of(event)] = _call(client, event, find, *about)
            case e.ChallengeAnswered(kind=ChallengeKind.PROOF):
                spoken.proofs[event.transaction_hash] = _call(client, event, find_proof, event.project)
            case _:
                _read_answer(client, spoken, event)
    return spoken


def _read_result(client: MarketClient, spoken: Spoken, event: e.ResultPosted, *, sketched: bool) -> None:
    place, about = place_of(event), (event.project, event.round, event.cohort)
    if not sketched:
        spoken.results[place] = _call(client, event, find_result, *about)
        return
    found = _call(client, event, sketched_path.find_sketch_result, *about)
    result, stated = (found, found) if isinstance(found, str) else found
    spoken.results[place], spoken.stated[place] = result, stated


def _read_answer(client: MarketClient, spoken: Spoken, event: e.Event) -> None:
    transaction = event.transaction_hash
    match event:
        case e.UpdateChunkAnswered():
            about = (event.round, event.cohort, event.slot)
            found = _call(client, event, sketched_path.find_update_chunk, event.project, *about)
            spoken.updates[(transaction, *about)] = found
        case e.ChunkShown():
            spoken.chunks[transaction] = _call(client, event, sketched_path.find_shown_chunk, event.project)
        case e.SketchAnswered():
            spoken.openings[transaction] = _call(client, event, sketched_path.find_opening, event.project)
        case e.SketchRefuted():
            spoken.evidence[transaction] = _call(client, event, sketched_path.find_evidence, event.project)


def _call(client: MarketClient, event: e.Event, find: Callable[..., T], *about: int) -> T | str:
    try:
        return find(client.transaction_input(event.transaction_hash), *about)
    except FairshareError as error:
        if error.reason is Reason.CHAIN_UNREACHABLE:
            raise
        return error.message
