from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from marketplace.chain import heads
from marketplace.chain.chain_client import ChainClient
from marketplace.devnet.anvil import Anvil
from marketplace.errors import FairshareError, Reason
from marketplace.node.clock import ChainClock


@pytest.fixture(scope="module")
def ticking() -> Iterator[Anvil]:
    with Anvil(block_time_s=1, accounts=1) as chain:
        yield chain


@pytest.fixture
def still() -> Iterator[Anvil]:
    """A chain that mines when it is told to."""
    with Anvil(accounts=1) as chain:
        yield chain


def mine(chain: Anvil, method: str = "evm_mine", *parameters: object) -> None:
    ChainClient(chain.url).web3.provider.make_request(method, list(parameters))  # type: ignore[arg-type]


def test_waits_for_the_chains_time(ticking: Anvil) -> None:
    with ChainClock(ChainClient(ticking.url)) as clock:
        wanted = clock.now() + 2
        assert clock.wait_until(wanted)
        assert clock.now() >= wanted
        assert not clock.wait_until(wanted + 10_000, timeout_s=0.2)


def test_a_subscription_wakes_long_before_the_next_poll(still: Anvil) -> None:
    with ChainClock(ChainClient(still.url), poll_s=3600) as clock:
        first = clock.wait_for_block()
        assert first is not None
        waker = threading.Timer(0.2, mine, [still])
        waker.start()
        block = clock.wait_for_block(timeout_s=60)
        waker.join()
        assert block is not None
        assert block.number == first.number + 1


def test_an_endpoint_without_websockets_is_polled(still: Anvil, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError("no websocket here")

    monkeypatch.setattr(heads, "connect", refuse)
    with ChainClock(ChainClient(still.url), poll_s=0.05) as clock:
        first = clock.wait_for_block()
        assert first is not None
        mine(still)
        block = clock.wait_for_block(timeout_s=60)
        assert block is not None
        assert block.number == first.number + 1
        assert clock.wait_for_block(timeout_s=0.1) is None


def test_the_chains_time_may_run_ahead_of_ours(still: Anvil) -> None:
    with ChainClock(ChainClient(still.url)) as clock:
        deadline = clock.now() + 100_000
        mine(still, "evm_setNextBlockTimestamp", deadline)
        mine(still)
        assert clock.wait_until(deadline, timeout_s=30)


def test_stopping_ends_a_wait(still: Anvil) -> None:
    stop = threading.Event()
    with ChainClock(ChainClient(still.url), stop=stop, poll_s=0.1) as clock:
        threading.Timer(0.1, stop.set).start()
        assert not clock.wait_until(clock.now() + 10_000)
        assert clock.wait_for_block() is None


def test_a_chain_that_ends_is_unreachable() -> None:
    chain = Anvil(accounts=1).start()
    with ChainClock(ChainClient(chain.url, retry_for_s=0.1), poll_s=0.05) as clock:
        clock.wait_for_block()
        chain.stop()
        with pytest.raises(FairshareError) as caught:
            clock.wait_for_block(timeout_s=10)
        assert caught.value.reason is Reason.CHAIN_UNREACHABLE


def test_anvil_on_a_port_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(FairshareError, match="did not start"):
            Anvil(port=taken.getsockname()[1]).start()


def test_a_clock_that_is_wrong_is_told_once() -> None:
    said: list[str] = []
    with Anvil(accounts=1, chain_id=5) as chain:
        client = ChainClient(chain.url, say=said.append)
        with ChainClock(client, poll_s=0.02) as clock:
            clock.wait_for_block()
            for ahead in (10, 600, 600):
                mine(chain, "evm_increaseTime", ahead)
                mine(chain)
                clock.wait_for_block(timeout_s=10)
    assert len(said) == 1
    assert "ahead of this machine's clock" in said[0]


def test_a_local_chains_time_is_anybodys(still: Anvil) -> None:
    said: list[str] = []
    with ChainClock(ChainClient(still.url, say=said.append), poll_s=0.02) as clock:
        clock.wait_for_block()
        mine(still, "evm_increaseTime", 10_000)
        mine(still)
        clock.wait_for_block(timeout_s=10)
    assert not said
