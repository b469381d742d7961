"""A project in which much happens, played to its end on a market that is stepped by hand (`stepped_market`)."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.chain.client import MarketClient
from marketplace.chain.events import KeyResealed, UpdateSubmitted, fetch
from marketplace.chain.types import Status
from marketplace.storage.cid import from_digest
from marketplace.updates.envelope import OpenedUpdate, open_update
from tests.support.stepped_market import Aggregator, Ground, Play

SILENT, STRUCK = 4, 5  # trainers: one never hands its updates over, one flips their sign


@dataclass(frozen=True)
class Told:
    """Two projects on one market."""

    ground: Ground
    client: MarketClient
    settled: int
    begun: int


def play_eventfully(game: Play) -> None:
    """Round 1: a result; 2: a take-over, then a result; 3: skipped. In 1 and 2 the silent one is complained about."""
    game.start()
    for round_ in (1, 2):
        game.submit()
        if round_ == 2:
            game.at(game.state.result_deadline)
            game.step(game.state.result_deadline + 60)
            game.step()
        boss = game.aggregators[game.state.aggregator_index]
        boss.complain(1 << SILENT)
        game.step()
        game.at(game.state.answer_deadline)
        boss.post(boss.result(_opened(game, boss)))
    for index in range(3):
        game.stop_trainer(index)
    game.submit()
    game.step(game.state.submit_deadline + 60)
    while game.state.status is not Status.SETTLED:
        game.step(game.state.challenge_deadline + 60)
    game.step()


def _opened(game: Play, boss: Aggregator) -> dict[int, OpenedUpdate]:
    """What the current aggregator can open, by slot: with the keys that were sealed to it anew, if any."""
    round_, context = game.state.round, boss.context
    keys = {
        event.sender: event.sealed_key
        for event in fetch(game.client, [KeyResealed], game.project, round_)
        if event.aggregator_index == game.state.aggregator_index
    }
    found = {}
    for event in fetch(game.client, [UpdateSubmitted], game.project, round_):
        if event.slot == SILENT:
            continue
        bound_to = context.update_context(round_, event.trainer)
        blob = context.store.fetch(from_digest(event.blob), max_bytes=10**6, timeout_s=1)
        found[event.slot] = open_update(
            blob, boss.key, bound_to, event.digest, context.length, keys.get(event.trainer)
        )
    return found
