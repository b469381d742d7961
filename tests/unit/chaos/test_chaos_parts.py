"""What the chaos test is made of: its plan, its proxy, its time, its excuses."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from marketplace.chain.types import Cohort, Project, Status
from tests.support.chaos.pace import awaited_deadline
from tests.support.chaos.plan import Amount, Kind, plan
from tests.support.chaos.proxy import EndpointProxy
from tests.support.chaos.record import Record
from tests.support.structs import blank

AMOUNT = Amount(kills=50, reorganisations=5, drops=3, stalls=4, storage_restarts=2)


def test_a_seed_is_one_plan() -> None:
    roles = [f"role-{index}" for index in range(5)]
    first, again, other = (plan(seed, 4, roles, ("A", "B"), AMOUNT) for seed in (1, 1, 2))
    assert first == again != other
    counts = Counter(act.kind for act in first)
    assert counts == {
        Kind.KILL: 50,
        Kind.REORGANISE: 5,
        Kind.DROP: 3,
        Kind.STALL: 4,
        Kind.RESTART_STORAGE: 2,
    }
    places = [(act.round, act.closed) for act in first]
    assert places == sorted(places)
    assert set(places) == {
        (0, False),
        *((round_, closed) for round_ in range(1, 5) for closed in (False, True)),
    }
    assert set(roles) <= {act.target for act in first if act.kind is Kind.KILL}


@pytest.fixture
def echo() -> Iterator[int]:
    """A port that says back what it is told, line by line."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(connection: socket.socket) -> None:
            with connection, connection.makefile("rwb", buffering=0) as lines:
                for line in lines:
                    lines.write(line)

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:  # the test is over
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_a_proxy_drops_stalls_and_heals(echo: int) -> None:
    with EndpointProxy(echo) as proxy:
        port = int(proxy.url.rpartition(":")[2])

        def connected() -> socket.socket:
            return socket.create_connection(("127.0.0.1", port), 5)

        with connected() as line:
            line.sendall(b"one\n")
            assert line.recv(9) == b"one\n"
            proxy.stall()
            line.settimeout(0.2)
            line.sendall(b"two\n")
            with pytest.raises(TimeoutError):
                line.recv(9)
            proxy.heal()
            line.settimeout(5)
            assert line.recv(9) == b"two\n"
            proxy.drop()
            assert line.recv(9) == b""  # its end
        with pytest.raises(ConnectionRefusedError):
            connected()
        proxy.heal()
        with connected() as line:
            line.sendall(b"three\n")
            assert line.recv(9) == b"three\n"


def test_time_leaps_only_where_it_alone_is_waited_for() -> None:
    project = blank(Project, status=Status.ACTIVE, round=2, submit_deadline=500, challenge_deadline=500)
    cohort = blank(Cohort, round=2, submitted=0b111)
    assert awaited_deadline(project, [cohort], 100, 0b111, reveals=True) == 500
    assert awaited_deadline(project, [cohort], 100, 0b1111, reveals=True) is None
    assert awaited_deadline(project, [replace(cohort, round=1)], 100, 0b111, reveals=True) is None
    assert awaited_deadline(replace(project, submit_deadline=900), [cohort], 100, 0b111, reveals=True) is None
    assert awaited_deadline(project, [cohort], 500, 0b111, reveals=True) is None
    late = replace(project, submit_deadline=900)
    batched = replace(cohort, submitted=0b001, batched=0b110)
    assert awaited_deadline(late, [batched], 100, 0b111, reveals=False) == 900
    assert awaited_deadline(late, [batched], 100, 0b111, reveals=True) is None  # nor is the reference there
    assert awaited_deadline(replace(late, reference_round=2), [batched], 100, 0b111, reveals=True) == 900
    assert awaited_deadline(late, [batched, replace(batched, batched=0)], 100, 0b111, reveals=False) is None
    assert awaited_deadline(replace(project, challenged=True), [cohort], 100, 0b111, reveals=True) is None
    closing = replace(project, status=Status.CLOSING)
    assert awaited_deadline(replace(closing, challenged=True), [cohort], 100, 0b111, reveals=False) is None
    assert awaited_deadline(closing, [cohort], 100, 0b111, reveals=True) is None
    assert awaited_deadline(closing, [cohort], 100, 0b111, reveals=False) == 500
    assert awaited_deadline(replace(closing, revealed=True), [cohort], 100, 0b111, reveals=True) == 500


def test_time_leaps_past_who_is_kept_away() -> None:
    project = blank(
        Project,
        status=Status.ACTIVE,
        round=2,
        submit_deadline=900,
        challenge_deadline=500,
        result_deadline=1800,
    )
    cohort = blank(Cohort, round=2, submitted=0b011)
    ask = partial(awaited_deadline, reveals=True)
    assert ask(project, [cohort], 100, 0b011, refers=True, full=True) is None  # the reference is to come
    assert ask(project, [cohort], 100, 0b011, refers=False, full=True) == 900
    referenced = replace(project, reference_round=2)
    assert ask(referenced, [cohort], 100, 0b011, full=True) == 900
    assert ask(referenced, [cohort], 100, 0b111, full=True) is None
    assert ask(referenced, [cohort], 100, 0b011) is None  # the window closes by itself
    assert ask(project, [cohort], 900, 0b111) is None
    assert ask(project, [cohort], 900, 0b111, posts=False) == 1800
    assert ask(project, [cohort], 1800, 0b111, posts=False) is None


def test_who_was_down_is_excused_for_a_while() -> None:
    record = Record()
    record.went_down("a", 100)
    assert record.was_down("a", 150)
    record.came_up("a", 160)
    assert not record.was_down("a", 99)
    assert record.was_down("a", 160)
    assert not record.was_down("a", 161)
    assert record.was_down("a", 200, for_s=60)
    assert not record.was_down("b", 150)
