"""Costs as tables, as the checked-in snapshot, and compared with it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gasmeter.meter import Cost
from gasmeter.stage import Stage

Figures = dict[str, dict[str, Cost]]  # by shape, by call

GROWTH = 0.02
DIVIDED = ("postResult", "postResult on demand", "postResult by reference")
VARIES = re.compile(r"\bdrawn?\b")  # by the hash of a block
BEGIN, END = "<!-- gas: begin -->", "<!-- gas: end -->"


@dataclass(frozen=True)
class Aim:
    """What a call may cost at most. `less`: of a call whose cost is no part of it; `each`: shared by so many."""

    name: str
    shape: str
    call: str
    most: int
    plus: str | None = None
    less: str | None = None
    each: int = 1


AIMS = (
    Aim("submit by transaction", "K = 8", "submit", 60_000),
    Aim("submit, the last of a round", "K = 8", "submit: last of a round", 60_000),
    Aim("submit, the first of round 1", "K = 8", "submit: first of round 1", 60_000),
    Aim(
        "batched, for each trainer, all in",
        "K = 16",
        "postResult: all of a batch",
        12_000,
        "postBatch",
        "postResult",
        16,
    ),
    Aim("result, proved, K = 8", "K = 8", "postResult", 1_150_000),
    Aim("result, proved, K = 8, round 1", "K = 8", "postResult: round 1", 1_150_000),
    Aim("result, proved, K = 16", "K = 16", "postResult", 1_550_000),
    Aim("result, proved, K = 16, round 1", "K = 16", "postResult: round 1", 1_550_000),
    Aim("result, on demand, K = 8", "K = 8", "postResult on demand", 220_000),
    Aim("result, on demand, K = 8, round 1", "K = 8", "postResult on demand: round 1", 220_000),
    Aim("claim, a trainer's", "K = 8", "claim: trainer", 45_000),
    Aim("claim, an aggregator's", "K = 8", "claim: aggregator", 45_000),
    Aim("join", "K = 8", "join: later", 110_000),
    Aim("complaint answered, d = 650", "K = 8", "answer", 500_000),
)


@dataclass(frozen=True)
class Change:
    """A call that costs more or less than the snapshot says; `before` None: it is not in it."""

    shape: str
    call: str
    before: int | None
    now: int | None

    @property
    def fails(self) -> bool:
        """Whether it grew by more than 2 %, or the snapshot does not have the same calls."""
        if self.before is None or self.now is None:
            return True
        return self.now > self.before * (1 + GROWTH)

    def __str__(self) -> str:
        grown = f" ({self.now / self.before - 1:+.1%})" if self.now and self.before else ""
        fate = "FAILS" if self.fails else "ok"
        return f"{fate}: {self.shape}: {self.call}: {self.before} -> {self.now}{grown}"


def deployment(stage: Stage) -> dict[str, Cost]:
    """What the contracts, the libraries and the circuit's verifier cost once."""
    web3, names = stage.meter.client.web3, stage.meter.names
    costs = {}
    for number in range(1, web3.eth.block_number + 1):
        for hashed in web3.eth.get_block(number)["transactions"]:
            receipt = web3.eth.get_transaction_receipt(hashed)  # type: ignore[arg-type]
            place = receipt["contractAddress"]
            if place is not None:
                name = f"deploy {names.get(str(place).lower(), 'the verifier of a circuit, K = 8')}"
                costs[name] = _creation(receipt["gasUsed"], bytes(web3.eth.get_transaction(hashed)["input"]))  # type: ignore[arg-type]
    return costs


def changes(known: Mapping[str, Mapping[str, int]], found: Figures) -> list[Change]:
    """Calls that differ from the snapshot, those with a draw left out."""
    now = {shape: {name: cost.gas for name, cost in costs.items()} for shape, costs in found.items()}
    result = []
    for shape in dict.fromkeys([*known, *now]):
        before, after = known.get(shape, {}), now.get(shape, {})
        for call in dict.fromkeys([*before, *after]):
            change = Change(shape, call, before.get(call), after.get(call))
            if change.before != change.now and not VARIES.search(call) and (change.fails or _moved(change)):
                result.append(change)
    return result


def to_json(found: Figures) -> dict[str, dict[str, int]]:
    """The snapshot."""
    return {shape: {name: cost.gas for name, cost in costs.items()} for shape, costs in found.items()}


def from_json(document: Any) -> dict[str, dict[str, int]]:
    """The snapshot that `to_json` made."""
    return {shape: {call: int(gas) for call, gas in calls.items()} for shape, calls in document.items()}


def replaced(document: str, tables: str) -> str:
    """The document with new tables between its marks."""
    before, rest = document.split(BEGIN)
    return f"{before}{BEGIN}\n{tables}\n{END}{rest.split(END)[1]}"


def tables(found: Figures, elsewhere: Collection[str] = ()) -> str:
    """Markdown: the aims, then all calls by shape, but for the shapes that are shown `elsewhere`."""
    return "\n".join(_lines(found, elsewhere))


def _lines(found: Figures, elsewhere: Collection[str]) -> Iterator[str]:
    yield "| aim | at most | measured | floor | above the floor | |"
    yield "|---|---:|---:|---:|---:|---|"
    for aim in AIMS:
        cost = _of(aim, found)
        gas, floor = cost.gas // aim.each, cost.floor // aim.each
        met = "met" if gas <= aim.most else f"**missed by {gas - aim.most:,}**"
        yield f"| {aim.name} | {aim.most:,} | {gas:,} | {floor:,} | {gas - floor:,} ({gas / floor:.2f}x) | {met} |"
    for shape, costs in found.items():
        if shape in elsewhere:
            continue
        yield ""
        yield f"{shape}:"
        yield ""
        yield "| call | gas | 21,000 and calldata | stores | precompiles | above the floor | bytes |"
        yield "|---|---:|---:|---:|---:|---:|---:|"
        for name, cost in costs.items():
            parts = (
                cost.gas,
                cost.calldata,
                cost.stores,
                cost.precompiles,
                cost.gas - cost.floor,
            )
            yield f"| {name} | {' | '.join(f'{part:,}' for part in parts)} | {cost.bytes:,} |"
    yield ""
    yield "Where the gas of a result goes, by the contract whose code spends it:"
    yield ""
    columns = [(shape, call) for shape in found for call in DIVIDED if call in found[shape]]
    parts_of = [found[shape][call].parts for shape, call in columns]
    yield f"| | {' | '.join(f'{shape}: {call}' for shape, call in columns)} |"
    yield f"|---{'|---:' * len(columns)}|"
    for part in sorted({part for parts in parts_of for part in parts}):
        yield f"| {part} | {' | '.join(f'{parts.get(part, 0):,}' for parts in parts_of)} |"


def _of(aim: Aim, found: Figures) -> Cost:
    costs = found[aim.shape]
    total = costs[aim.call]
    if aim.plus is not None:
        total += costs[aim.plus]
    if aim.less is not None:
        total -= costs[aim.less]
    return total


def _creation(gas: int, code: bytes) -> Cost:
    return Cost(gas, 53_000 + sum(16 if byte else 4 for byte in code), 0, 0, len(code))


def _moved(change: Change) -> bool:
    return (
        change.before is not None and change.now is not None and abs(change.now / change.before - 1) > 0.001
    )
