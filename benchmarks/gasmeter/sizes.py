"""What the sketch path costs by the size of the model, side by side: a round costs the same at any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gasmeter.figures import Figures
from gasmeter.meter import Cost
from gasmeter.sketch_scenes import FIRST, LAST, LATER
from gasmeter.vectors import CHUNK_LENGTH, WIDTH
from marketplace.protocol.chunk_tree import chunks_of, depth_of

PARAMETERS = (10**5, 10**6, 10**7)


def chunks(parameters: int) -> int:
    """J."""
    return chunks_of(parameters, CHUNK_LENGTH)


def shape_of(slots: int, parameters: int) -> str:
    """The name of the figures."""
    return f"sketch, K = {slots}, J = {chunks(parameters)}"


def table(found: Figures, slots: int) -> str:
    """Markdown: rounds as a whole, then every call; gas by size, and the parts of the largest."""
    return "\n".join(_lines([found[shape_of(slots, size)] for size in PARAMETERS], slots))


def _lines(by_size: Sequence[Mapping[str, Cost]], slots: int) -> Iterator[str]:
    sizes = [
        f"{parameters:,} parameters: {chunks(parameters):,} chunks, depth {depth_of(chunks(parameters))}"
        for parameters in PARAMETERS
    ]
    yield f"The sketch path, K = {slots}, k = {WIDTH:,}, n = {CHUNK_LENGTH:,}, by size; the last five of the largest:"
    yield ""
    yield f"| | {' | '.join(sizes)} | 21,000 and calldata | stores | precompiles | above the floor | bytes |"
    yield f"|---|{'---:|' * (len(sizes) + 5)}"
    rounds = [_rounds(costs, slots) for costs in by_size]
    for group in (rounds, by_size):
        for name in group[0]:
            largest = group[-1][name]
            gas = (costs[name].gas for costs in group)
            parts = (
                largest.calldata,
                largest.stores,
                largest.precompiles,
                largest.gas - largest.floor,
                largest.bytes,
            )
            yield f"| {name} | {' | '.join(f'{number:,}' for number in (*gas, *parts))} |"


def _rounds(costs: Mapping[str, Cost], slots: int) -> dict[str, Cost]:
    """Of a round after the first: its calls, all trainers submitting by transaction."""
    before = costs[FIRST] + costs[LATER] * (slots - 2) + costs[LAST] + costs["drawSketch"]
    calls = f"{slots} x submit, drawSketch, postSketchResult"
    return {
        f"**a round, proved**: {calls}": before + costs["postSketchResult"],
        f"**a round, on demand**: {calls}": before + costs["postSketchResult on demand"],
        f"what it earned: {slots} + 1 x claim": costs["claim: trainer"] * slots + costs["claim: aggregator"],
    }
