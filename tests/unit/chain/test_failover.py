"""Several endpoints of one real chain, some of which fail, fall behind or lie."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from web3.types import RPCEndpoint

from marketplace.chain import failover
from marketplace.chain.chain_client import ChainClient
from marketplace.chain.endpoint import EndpointAway
from marketplace.chain.failover import FailoverProvider
from marketplace.chain.json_rpc import answers, block_in, block_request, header_in, request
from marketplace.chain.types import address
from marketplace.devnet.anvil import Anvil
from marketplace.errors import FairshareError, Reason

Proxies = Callable[..., str]
DOWN = {"status": 503, "raw": b"down"}
NOBODY = address("0x" + "12" * 20)


class Endpoint:
    """An endpoint in front of a chain that a test alters; `asked` counts what it was asked for, probes included."""

    def __init__(self, proxies: Proxies, chain: Anvil) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self.down = False
        self.head: int | None = None  # answer as if this block were the newest
        self.deep: int | None = None  # another block of this number
        self.asked: list[str] = []
        self._chain = chain
        self.url = proxies(chain.url, self._answer)

    def _answer(self, method: str, parameters: list[Any]) -> dict[str, Any] | None:
        self.asked.append(method)
        if self.down:
            return dict(DOWN)
        if self.head is not None and method == "eth_getBlockByNumber" and parameters[0] == "latest":
            return {"result": ask(self._chain, method, hex(self.head), False)}
        if self.deep is not None and method == "eth_getBlockByNumber" and parameters[0] == hex(self.deep):
            return {"result": {**ask(self._chain, method, *parameters), "hash": "0x" + "13" * 32}}
        answer = self.answers.get(method)
        return None if answer is None else dict(answer)


def ask(chain: Anvil, method: str, *parameters: Any) -> Any:
    answer = ChainClient(chain.url).web3.provider.make_request(RPCEndpoint(method), list(parameters))
    assert "error" not in answer, answer
    return answer["result"]


def mine(chain: Anvil, blocks: int = 1) -> None:
    ask(chain, "anvil_mine", hex(blocks))


@pytest.fixture
def two(fresh_anvil: Anvil, proxies: Proxies) -> tuple[Endpoint, Endpoint]:
    mine(fresh_anvil, 5)
    return Endpoint(proxies, fresh_anvil), Endpoint(proxies, fresh_anvil)


def client_of(*endpoints: Endpoint, said: list[str] | None = None, **options: Any) -> ChainClient:
    options.setdefault("retry_for_s", 1.0)
    note = (said if said is not None else []).append
    return ChainClient([each.url for each in endpoints], say=note, **options)


def test_the_first_is_used_until_it_fails_and_the_second_from_then_on(two: tuple[Endpoint, Endpoint]) -> None:
    first, second = two
    said: list[str] = []
    client = client_of(first, second, said=said).connect()
    assert client.latest_block().number == 5
    assert client.rpc_url == first.url
    first.down = True
    assert client.latest_block().number == 5
    assert client.rpc_url == second.url
    assert said
    assert "503" in said[0] or "HTTPError" in said[0]
    first.down = False
    for _ in range(5):
        client.latest_block()
    assert client.rpc_url == second.url


def test_no_state_is_read_at_a_block_that_the_other_has_not_got(
    two: tuple[Endpoint, Endpoint], fresh_anvil: Anvil
) -> None:
    first, second = two
    client = client_of(first, second, retry_for_s=0.5).connect()
    mine(fresh_anvil, 3)
    assert client.latest_block().number == 8
    second.head, first.down = 7, True
    with pytest.raises(FairshareError, match="block 7, and block 8 has been read") as caught:
        client.latest_block()
    assert caught.value.reason is Reason.CHAIN_UNREACHABLE
    second.head = 8
    assert client.latest_block().number == 8
    assert client.rpc_url == second.url


def test_a_head_that_was_read_in_a_batch_counts(two: tuple[Endpoint, Endpoint]) -> None:
    first, second = two
    client = client_of(first, second, retry_for_s=0.5).connect()
    found = answers(client.web3, [block_request("latest"), request("eth_chainId")])
    assert header_in(block_in(found[0]))[0] == 5
    second.head, first.down = 4, True
    with pytest.raises(FairshareError, match="block 4, and block 5 has been read"):
        client.latest_block()


def test_a_block_that_nobody_has_is_given_up_after_a_while(
    two: tuple[Endpoint, Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two
    said: list[str] = []
    client = client_of(first, second, said=said, retry_for_s=0.3).connect()
    client.latest_block()
    second.head, first.down = 3, True
    with pytest.raises(FairshareError):
        client.latest_block()
    monkeypatch.setattr(failover, "MARK_FOR_S", 0.0)
    assert client.latest_block().number == 3
    assert any("no endpoint has block 5" in line for line in said)


def test_who_falls_behind_is_left(fresh_anvil: Anvil, proxies: Proxies) -> None:
    first, second = Endpoint(proxies, fresh_anvil), Endpoint(proxies, fresh_anvil)
    client = client_of(first, second, said=(said := []))
    client.web3.provider._check_every_s = 0.0  # type: ignore[union-attr]
    client.connect()
    assert client.latest_block().number == 0
    first.head = 0
    ask(fresh_anvil, "evm_increaseTime", 600)
    mine(fresh_anvil)
    assert client.latest_block().number == 1
    assert client.rpc_url == second.url
    assert "older than another" in said[-1]


@pytest.mark.parametrize("expected", [31337, None])
def test_another_chains_endpoint_is_never_used(two: tuple[Endpoint, Endpoint], expected: int | None) -> None:
    first, second = two
    second.answers["eth_chainId"] = {"result": "0x1"}
    if expected is None:
        with pytest.raises(FairshareError, match="different chains") as caught:
            client_of(first, second).connect()
        assert caught.value.reason is Reason.WRONG_CHAIN
        return
    said: list[str] = []
    client = client_of(second, first, said=said, expected_chain_id=expected, retry_for_s=0.3).connect()
    assert client.rpc_url == first.url
    assert "serves chain 1" in said[0]
    second.answers.clear()  # it may say what it likes now
    first.down = True
    with pytest.raises(FairshareError):
        client.latest_block()
    assert set(second.asked) <= {
        "eth_chainId",
        "eth_getBlockByNumber",
    }  # it was probed once, and nothing else
    assert second.asked.count("eth_chainId") == 1


def test_one_that_turns_into_another_chain_while_it_is_used(fresh_anvil: Anvil, proxies: Proxies) -> None:
    mine(fresh_anvil)
    with Anvil() as other:  # the same id; the first block differs by its time
        mine(other, 2)
        first, second = Endpoint(proxies, fresh_anvil), Endpoint(proxies, fresh_anvil)
        client = client_of(first, second, said=(said := []), expected_chain_id=31337)
        client.web3.provider._check_every_s = 0.0  # type: ignore[union-attr]
        assert client.connect().latest_block().number == 1
        block = ask(other, "eth_getBlockByNumber", "0x0", False)
        block["hash"] = "0x" + "12" * 32
        first.answers["eth_getBlockByNumber"] = {"result": block}
        assert client.latest_block().number == 1
        assert client.rpc_url == second.url
        assert any("block 0 is another one" in line for line in said)


def test_a_fork_is_told_by_a_deep_block(fresh_anvil: Anvil, proxies: Proxies) -> None:
    """It has the same id and the same first block, as a chain that somebody went on with for himself has."""
    first, second = Endpoint(proxies, fresh_anvil), Endpoint(proxies, fresh_anvil)
    mine(fresh_anvil, 2 * failover.DEEP)
    client = client_of(first, second, said=(said := []))
    client.web3.provider._check_every_s = 0.0  # type: ignore[union-attr]
    client.connect().latest_block()
    second.deep = failover.DEEP
    client.latest_block()
    assert any(f"block {failover.DEEP} is another one" in line for line in said)
    first.down = True
    with pytest.raises(FairshareError, match="another one"):
        client.latest_block()


def test_none_serves_the_chain(two: tuple[Endpoint, Endpoint]) -> None:
    started = time.monotonic()
    with pytest.raises(FairshareError, match="serves chain 31337, not 1") as caught:
        client_of(*two, expected_chain_id=1, retry_for_s=30).connect()
    assert caught.value.reason is Reason.WRONG_CHAIN
    assert time.monotonic() - started < 10  # nothing to wait for


@pytest.mark.parametrize(
    "answer",
    [
        {"raw": b"<html>hello</html>"},
        {"status": 404, "raw": b"{}"},
        {"status": 429, "raw": b"slow"},
        {"error": {"code": -32005, "message": "daily request count exceeded"}},
        {"error": {"code": -32000, "message": "missing trie node"}},
    ],
    ids=str,
)
def test_what_is_the_endpoints_fault_is_asked_of_the_other(
    two: tuple[Endpoint, Endpoint], answer: dict[str, Any]
) -> None:
    first, second = two
    client = client_of(first, second).connect()
    first.answers["eth_getCode"] = answer
    assert client.code(NOBODY) == b""
    assert client.rpc_url == second.url


@pytest.mark.parametrize("said", ["daily request count exceeded", "project ID request rate exceeded"])
def test_who_limits_requests_for_logs_is_left_as_well(two: tuple[Endpoint, Endpoint], said: str) -> None:
    first, second = two
    client = client_of(first, second).connect()
    first.answers["eth_getLogs"] = {"error": {"code": -32005, "message": said}}
    wanted = {"fromBlock": "0x0", "toBlock": "0x1"}
    assert client.web3.provider.make_request(RPCEndpoint("eth_getLogs"), [wanted])["result"] == []
    assert client.rpc_url == second.url


def test_what_the_chain_refuses_is_no_endpoints_fault(two: tuple[Endpoint, Endpoint]) -> None:
    first, _ = two
    client = client_of(*two).connect()
    first.answers["eth_call"] = {"error": {"code": 3, "message": "execution reverted"}}
    with pytest.raises(Exception, match="revert"):
        client.web3.eth.call({"to": NOBODY})
    assert client.rpc_url == first.url


def test_the_dead_are_asked_more_and_more_seldom(two: tuple[Endpoint, Endpoint]) -> None:
    first, second = two
    first.down = True
    client = client_of(first, second).connect()
    client.web3.provider._check_every_s = 0.0  # type: ignore[union-attr]
    for _ in range(20):
        client.latest_block()
    assert len(first.asked) <= 2  # it rests for a second after the first refusal, for two after the next


def test_all_are_down_and_come_back(two: tuple[Endpoint, Endpoint]) -> None:
    first, second = two
    client = client_of(first, second, retry_for_s=0.3).connect()
    first.down = second.down = True
    with pytest.raises(FairshareError, match="no endpoint can be used") as caught:
        client.latest_block()
    assert caught.value.reason is Reason.CHAIN_UNREACHABLE
    first.down = False
    provider = client.web3.provider
    assert isinstance(provider, FailoverProvider)
    provider._retry_for_s = 10.0
    assert client.latest_block().number == 5


@pytest.mark.parametrize("first_is_down", [True, False])
@pytest.mark.parametrize("second_is_down", [True, False])
def test_whether_time_may_mend_it(
    two: tuple[Endpoint, Endpoint], first_is_down: bool, second_is_down: bool
) -> None:
    """One that is away may come back; what answers, and is no chain's endpoint, stays so."""
    for endpoint, down in zip(two, (first_is_down, second_is_down), strict=True):
        endpoint.down = down
        endpoint.answers["eth_chainId"] = {"raw": b"<html>"}
    for several in (two, two[:1]):
        with pytest.raises(FairshareError) as caught:
            client_of(*several, retry_for_s=0.0).connect()
        assert caught.value.reason is Reason.CHAIN_UNREACHABLE
        assert isinstance(caught.value, EndpointAway) is any(endpoint.down for endpoint in several)


def test_keys_in_urls_are_not_told() -> None:
    urls = ["http://user:secret@127.0.0.1:9/key?token=x", "http://127.0.0.1:9/another-key"]
    with pytest.raises(FairshareError) as caught:
        ChainClient(urls, retry_for_s=0.1).connect()
    said = str(caught.value)
    assert "127.0.0.1:9" in said
    assert not any(word in said for word in ("secret", "key", "token"))


def test_a_url_that_is_none_is_told_at_once() -> None:
    with pytest.raises(FairshareError) as caught:
        ChainClient(["http://127.0.0.1:9", "nonsense"], retry_for_s=5).connect()
    assert caught.value.reason is Reason.BAD_INPUT
