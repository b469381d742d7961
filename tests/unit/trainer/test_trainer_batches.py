"""Submitting through the aggregator's batch, and what a trainer does where that does not work."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from marketplace.chain.events import UpdateSubmitted
from marketplace.node.seats import seat_in_round
from marketplace.storage.cid import digest_of
from marketplace.updates.batch import Batch, BatchEntry
from tests.support.stepped_market import CONTACT, FAULTS, SLOTS, Ground, Play, play, trainer_address

BATCH_WINDOW = 500


class Desk:
    """Takes signed submissions over HTTP, as an aggregator does."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.status = 200
        self.answer = json.dumps({"receipt": "0x01"}).encode()
        desk = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/submissions":
                    desk.taken.append(json.loads(body))
                self.send_response(desk.status)
                self.send_header("Location", "http://127.0.0.1:9/")
                self.end_headers()
                self.wfile.write(desk.answer)

            def log_message(self, *arguments: object) -> None:
                return

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def contact(self) -> bytes:
        return CONTACT + b"\nhttp://127.0.0.1:%d" % self.server.server_port

    def batch(self, *slots: int) -> Batch:
        """What was handed over for these slots; without a draw a trainer's number is its slot."""
        by_trainer = {taken["trainer"]: taken for taken in self.taken}
        entries = []
        for slot in slots:
            taken = by_trainer[trainer_address(slot)]
            digest, blob, signature = (
                bytes.fromhex(taken[name][2:]) for name in ("digest", "blob", "signature")
            )
            entries.append(BatchEntry(slot, digest, blob, signature))
        return Batch(tuple(entries))


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.server.shutdown()
    made.server.server_close()


def post_batch(game: Play, batch: Batch, *, publish: bool = True) -> str:
    cid = game.ground.store.add(batch.pack())
    if not publish:
        game.ground.store.hidden.add(cid)
    game.aggregators[0].send(
        "postBatch", game.project, game.state.round, 0, batch.slots, batch.root, digest_of(cid)
    )
    return cid


def submitted(game: Play) -> set[int]:
    return {event.slot for event in game.events(UpdateSubmitted)}  # type: ignore[attr-defined]


def test_a_round_by_batch_alone(ground: Ground, desk: Desk) -> None:
    with play(ground, rounds__batch_window=BATCH_WINDOW) as game:
        game.start(desk.contact)
        game.step()
        game.step()
        assert len(desk.taken) == SLOTS  # once each
        batch = desk.batch(*range(SLOTS))
        post_batch(game, batch)
        game.step()
        game.step(game.state.submit_deadline - 1)
        assert submitted(game) == set()
        game.step(game.state.submit_deadline)
        boss = game.aggregators[0]
        updates = boss.opened(batch)
        assert sorted(updates) == list(range(SLOTS))
        boss.post(boss.result(updates, batch=batch))
        assert game.state.round == 2


def test_who_is_left_out_submits_by_transaction(ground: Ground, desk: Desk) -> None:
    with play(ground, rounds__batch_window=BATCH_WINDOW) as game:
        game.start(desk.contact)
        game.step()
        batch = desk.batch(0, 1, 2, 4, 5)
        post_batch(game, batch)
        game.step()
        assert submitted(game) == {3}
        game.step(game.state.submit_deadline)
        boss = game.aggregators[0]
        boss.post(boss.result(boss.opened(batch), batch=batch))


def test_a_list_that_is_not_published_is_not_waited_for_too_long(ground: Ground, desk: Desk) -> None:
    with play(ground, rounds__batch_window=BATCH_WINDOW) as game:
        game.start(desk.contact)
        game.step()
        post_batch(game, desk.batch(0, 1), publish=False)
        game.step()
        assert submitted(game) == set()
        game.step(game.state.submit_deadline - 200)
        assert submitted(game) == set(range(SLOTS))


def test_without_a_batch_everybody_submits_by_transaction(ground: Ground, desk: Desk) -> None:
    desk.status = 503
    with play(ground, rounds__batch_window=BATCH_WINDOW) as game:
        game.start(desk.contact)
        game.step()
        game.step()
        assert len(desk.taken) == 2 * SLOTS  # asked again, as there was no receipt
        opened = game.state.submit_deadline - game.client.terms(game.project).submit_window
        game.step(opened + BATCH_WINDOW)
        assert submitted(game) == set(range(SLOTS))


def test_entries_that_are_not_signed_count_as_nothing(ground: Ground, desk: Desk) -> None:
    with play(ground, rounds__batch_window=BATCH_WINDOW) as game:
        game.start(desk.contact)
        game.step()
        good = desk.batch(*range(SLOTS))
        forged = BatchEntry(2, good.entries[2].digest, good.entries[2].blob, good.entries[3].signature)
        batch = Batch((*good.entries[:2], forged, *good.entries[3:]))
        game.stop_trainer(2)  # or it would submit by transaction
        post_batch(game, batch)
        game.step()
        assert submitted(game) == set()
        game.step(game.state.submit_deadline)
        boss = game.aggregators[0]
        updates = boss.opened(batch)
        updates.pop(2, None)
        assert len(updates) == SLOTS - FAULTS
        boss.post(boss.result(updates, batch=batch))
        assert seat_in_round(game.state, SLOTS, 1, 2) is not None
