"""How often one peer may ask: buckets by the clock, and a real server that says 429."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from marketplace.node.listening import serving
from marketplace.node.places import LOOPBACK
from marketplace.node.request_rate import Buckets, Rate

RATE = Rate(per_s=2.0, burst=3)


def granted(buckets: Buckets, peer: str, times: list[float]) -> list[bool]:
    return [buckets.wait_s(peer, now) == 0 for now in times]


def test_a_burst_then_the_rate() -> None:
    buckets = Buckets(RATE)
    assert granted(buckets, "a", [0.0] * 4) == [True, True, True, False]
    assert granted(buckets, "a", [0.4, 0.5, 0.6, 1.0]) == [False, True, False, True]
    assert granted(buckets, "a", [100.0] * 4) == [True, True, True, False]  # never more than a burst


def test_who_must_wait_is_told_how_long() -> None:
    buckets = Buckets(RATE)
    granted(buckets, "a", [0.0] * 3)
    wait = buckets.wait_s("a", 0.1)
    assert wait == pytest.approx(0.4)
    assert buckets.wait_s("a", 0.1 + wait) == 0


def test_peers_do_not_share() -> None:
    buckets = Buckets(RATE)
    assert granted(buckets, "a", [0.0] * 4)[-1] is False
    assert granted(buckets, "b", [0.0])[-1] is True


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 2)), max_size=60))
def test_no_peer_gets_more_than_burst_and_rate_in_any_time(asks: list[tuple[str, float]]) -> None:
    buckets, now = Buckets(RATE), 0.0
    let: dict[str, list[float]] = {"a": [], "b": []}
    for peer, pause in asks:
        now += pause
        if buckets.wait_s(peer, now) == 0:
            let[peer].append(now)
    for times in let.values():
        for i, first in enumerate(times):
            for j, last in enumerate(times[i:], start=1):
                assert j <= RATE.burst + RATE.per_s * (last - first) + 1e-6


def test_a_million_strangers_take_no_more_room_than_the_most_that_are_known() -> None:
    buckets = Buckets(RATE, most_peers=10)
    granted(buckets, "kept", [0.0] * 3)
    for number in range(1000):
        buckets.wait_s(f"stranger {number}", 0.0)
        assert buckets.wait_s("kept", 0.0) > 0  # who keeps asking is not forgotten
    assert len(buckets) == 10


@pytest.mark.parametrize("per_s", [0.0, -1.0, float("inf"), float("nan")])
def test_what_is_no_rate_is_refused(per_s: float) -> None:
    with pytest.raises(FairshareError) as refusal:
        Rate.of(per_s)
    assert refusal.value.reason is Reason.BAD_INPUT


def test_a_slow_rate_still_lets_one_in() -> None:
    assert Rate.of(0.1) == Rate(0.1, 1)
    assert Rate.of(50) == Rate()


def test_a_server_refuses_one_peer_and_answers_another() -> None:
    app = FastAPI(openapi_url=None)
    reached: list[int] = []

    @app.post("/")
    def ask() -> str:
        reached.append(1)
        return "yes"

    with (
        serving(app, LOOPBACK, 0, rate=Rate(per_s=0.01, burst=2)) as port,
        httpx.Client(base_url=f"http://{LOOPBACK}:{port}", trust_env=False) as client,
    ):
        answers = [client.post("/", content=b"x" * 5000) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
        assert 0 < int(answers[2].headers["retry-after"]) <= 100
        assert answers[2].headers["content-type"] == "application/problem+json"
        assert answers[2].json()["code"] == Reason.REFUSED
        assert len(reached) == 2
        other = client.post("/", headers={"X-Forwarded-For": "203.0.113.9"})  # as a proxy beside it says
        assert other.status_code == 200
