"""Sends calls to a local chain and keeps what each used, and on what, from the chain's own trace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from eth_account.signers.local import LocalAccount
from web3.types import RPCEndpoint, TxReceipt

from marketplace.chain.client import MarketClient

_GAS_LIMIT = 16_000_000
_BASE = 21_000
_BYTE, _ZERO_BYTE = 16, 4
_PRECOMPILES = 10
_ADDED = ("gas", "calldata", "stores", "precompiles", "bytes")  # of a Cost
_NEW_WORD, _CHANGED_WORD, _CLEARED_WORD = 22_100, 5_000, 200
_STATE_DIFFERENCE = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}


@dataclass(frozen=True)
class Cost:
    """Gas of one call, and the parts that no contract with the same interface, state and curve work goes without.

    `stores`: of the words that it changed in storage, all cold, less what cleared ones give back; `precompiles`:
    pairings, curve additions, signatures.
    """

    gas: int
    calldata: int  # with the transaction's 21,000
    stores: int
    precompiles: int
    bytes: int  # of calldata
    parts: dict[str, int] = field(default_factory=dict)  # what each contract's own code spent

    @property
    def floor(self) -> int:
        """21,000, calldata, stores, pairings and curve additions."""
        return self.calldata + self.stores + self.precompiles

    def __add__(self, other: Cost) -> Cost:
        """Of both calls, `parts` left out."""
        return self._with(other, 1)

    def __sub__(self, other: Cost) -> Cost:
        """How much more than the other, `parts` left out."""
        return self._with(other, -1)

    def __mul__(self, times: int) -> Cost:
        """Of so many such calls, `parts` left out."""
        return self._with(self, times - 1)

    def _with(self, other: Cost, times: int) -> Cost:
        return Cost(**{name: getattr(self, name) + times * getattr(other, name) for name in _ADDED})


@dataclass
class Meter:
    """A market on a local chain. `costs`: by the name of the call, the first of each name."""

    client: MarketClient
    names: dict[str, str]  # of contracts, by address in lower case
    costs: dict[str, Cost] = field(default_factory=dict)

    def send(self, account: LocalAccount, call: Any, name: str | None = None, value: int = 0) -> TxReceipt:
        """Sends a call, kept under `name` where it has one; AssertionError where it reverts."""
        web3 = self.client.web3
        sent = call.transact({"from": account.address, "value": value, "gas": _GAS_LIMIT})
        receipt = web3.eth.wait_for_transaction_receipt(sent, poll_latency=0.01)
        assert receipt["status"] == 1, f"{call.fn_name} reverted"
        if name is not None and name not in self.costs:
            self.costs[name] = self._cost(receipt)
        return receipt

    def wait_until(self, timestamp: int) -> None:
        """Mines a block at `timestamp`, seconds, unless it is past."""
        if timestamp > self.client.latest_block().timestamp:
            self.ask("evm_setNextBlockTimestamp", timestamp)
            self.ask("evm_mine")

    def ask(self, method: str, *parameters: Any) -> Any:
        """A request of the chain's own methods."""
        return self.client.web3.manager.request_blocking(RPCEndpoint(method), list(parameters))

    def _cost(self, receipt: TxReceipt) -> Cost:
        hashed = "0x" + receipt["transactionHash"].hex().removeprefix("0x")
        tree = self.ask("debug_traceTransaction", hashed, {"tracer": "callTracer"})
        changed = self.ask("debug_traceTransaction", hashed, _STATE_DIFFERENCE)
        data = bytes.fromhex(tree["input"][2:])
        return Cost(
            gas=receipt["gasUsed"],
            calldata=_BASE + sum(_BYTE if byte else _ZERO_BYTE for byte in data),
            stores=_stores(changed["pre"], changed["post"]),
            precompiles=sum(int(call["gasUsed"], 16) for call in _calls(tree) if _is_precompile(call)),
            bytes=len(data),
            parts=self._parts(tree),
        )

    def _parts(self, tree: Any) -> dict[str, int]:
        """By contract; what the transaction itself costs, and its calldata, go to the market."""
        parts: dict[str, int] = {}
        for frame in (tree, *_calls(tree)):
            own = int(frame["gasUsed"], 16) - sum(int(call["gasUsed"], 16) for call in frame.get("calls", []))
            name = self._name(frame["to"])
            parts[name] = parts.get(name, 0) + own
        return parts

    def _name(self, place: str) -> str:
        number = int(place, 16)
        if 0 < number <= _PRECOMPILES:
            return f"precompile {number}"
        return self.names.get(place.lower(), "the circuit's verifier")


def _stores(before: Any, after: Any) -> int:
    """What it costs to bring each changed word from one to the other, once (EIP-2929, EIP-3529)."""
    total = 0
    for place in {*before, *after}:
        old, new = (state.get(place, {}).get("storage", {}) for state in (before, after))
        for word in {*old, *new}:
            was, is_now = (int(values.get(word, "0x0"), 16) for values in (old, new))
            if was != is_now:
                total += _NEW_WORD if was == 0 else _CLEARED_WORD if is_now == 0 else _CHANGED_WORD
    return total


def _calls(frame: Any) -> Iterator[Any]:
    for call in frame.get("calls", []):
        yield call
        yield from _calls(call)


def _is_precompile(call: Any) -> bool:
    return 0 < int(call["to"], 16) <= _PRECOMPILES
