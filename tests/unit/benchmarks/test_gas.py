"""Which changes of gas are reported, and how a round's sum is made of its calls."""

from __future__ import annotations

from gasmeter import figures, sizes
from gasmeter.meter import Cost
from gasmeter.sketch_scenes import FIRST, LAST, LATER

KNOWN = {"K = 8": {"withdraw": 1000, "drawSketch": 1000, "draw": 1000, "submit: drawn": 1000, "settle": 1000}}


def costs(**changes: int) -> figures.Figures:
    return {"K = 8": {name: Cost(changes.get(name, 1000), 0, 0, 0, 0) for name in KNOWN["K = 8"]}}


def test_growth_beyond_two_percent_fails() -> None:
    (change,) = figures.changes(KNOWN, costs(settle=1021))
    assert change.call == "settle"
    assert change.fails


def test_growth_within_two_percent_is_told() -> None:
    (change,) = figures.changes(KNOWN, costs(settle=1020))
    assert not change.fails


def test_calls_that_have_draw_in_their_names_are_compared() -> None:
    found = figures.changes(KNOWN, costs(withdraw=2000, drawSketch=2000))
    assert [change.call for change in found] == ["withdraw", "drawSketch"]


def test_calls_of_drawn_seats_are_not() -> None:
    assert figures.changes(KNOWN, costs(draw=2000)) == []
    assert figures.changes(KNOWN, costs(**{"submit: drawn": 2000})) == []


def test_a_call_that_the_snapshot_lacks_fails() -> None:
    found = costs()
    found["sketch"] = {"showChunk": Cost(1, 0, 0, 0, 0)}
    (change,) = figures.changes(KNOWN, found)
    assert change.fails


def test_a_round_is_all_its_calls() -> None:
    calls = {FIRST: 1, LATER: 10, LAST: 100, "drawSketch": 1000, "postSketchResult": 10_000}
    calls |= {"postSketchResult on demand": 20_000, "claim: trainer": 3, "claim: aggregator": 100}
    shape = {name: Cost(gas, gas - 1, 0, 0, 0) for name, gas in calls.items()}
    found = {sizes.shape_of(8, parameters): shape for parameters in sizes.PARAMETERS}
    lines = sizes.table(found, 8).splitlines()
    (proved,) = [line for line in lines if "a round, proved" in line]
    assert proved.split(" | ")[1:] == ["11,161", "11,161", "11,161", "11,151", "0", "0", "10", "0 |"]
    (demanded,) = [line for line in lines if "a round, on demand" in line]
    assert demanded.split(" | ")[1:4] == ["21,161"] * 3
    (claimed,) = [line for line in lines if "claim |" in line]
    assert claimed.split(" | ")[1:4] == ["124"] * 3


def test_sizes_have_their_chunks() -> None:
    assert [sizes.chunks(parameters) for parameters in sizes.PARAMETERS] == [25, 245, 2442]
