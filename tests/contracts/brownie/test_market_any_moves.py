"""Any sequence of moves by all roles, honest and hostile, in two projects at once: what holds after each of them.

Each call is taken or refused as the rule book says (rulebook.py), each state is checked (watch.py), and however a
sequence went, both projects can be ended and everybody gets everything out. A few sequences by default; with
FAIRSHARE_DEEP=1 (`make test-deep`) 200 of 50 moves, in which every call must succeed several times. A sequence that
fails is printed as the shortest list of its moves that was found to fail; FAIRSHARE_SEQUENCE plays one by its number.
"""

from __future__ import annotations

import os
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from dealer import Dealer, Move
from ending import finish
from game import Game
from lens import Looker
from moves import Moves, Table
from rounds import AGGREGATORS, SLOTS, WINDOW_S, by_reference, terms
from wire import Refused, Wired, request
from world import World

from marketplace.chain.types import Settlement, Terms, address

DEEP = os.environ.get("FAIRSHARE_DEEP") == "1"
CHOSEN = os.environ.get("FAIRSHARE_SEQUENCE")
SEQUENCES, MOVES = (100, 50) if DEEP else (5, 30)  # of each pair of projects
TRAINERS = 2 * SLOTS + 1  # one more than two cohorts have seats
OFTEN = 3  # how often each call succeeds at least, in the deep run of a pair
FAULTS = (AssertionError, RuntimeError, Refused)
CALLS = (
    *("start", "draw", "submit", "submitSigned", "postBatch", "complain", "answer", "postResult", "skip"),
    *("timeout", "challenge model", "answerModel", "undo", "settle", "claim", "release", "deposit", "unbond"),
    *("withdraw", "leave", "join", "joinAsAggregator", "reseal", "cancel", "submitReference", "reveal"),
)
OF_PAIR = {
    "cohorts-on-demand": (
        "challenge proof",
        "answerProof of cohort 0",
        "answerProof of cohort 1",
    ),
    "cohorts-proved": ("challenge proof", "answerProof of cohort 0", "strike"),
}


@dataclass
class Played:
    """A pair of projects, ready to be played any number of times."""

    table: Table
    snapshot: str
    taken: Counter[str]
    refused: Counter[str]

    def moves(self) -> Moves:
        """From the start."""
        request("evm_revert", self.snapshot)
        self.snapshot = request("evm_snapshot")
        return Moves(self.table.again(), self.taken, self.refused)


def pair(world: World, name: str) -> tuple[Terms, Terms]:
    """Of one token each, one with two cohorts that are drawn, one with a single one."""
    token = address(world.erc20.address)
    # Waiting in one project passes the time in the other, too: not every wait is to end a turn.
    slow = {"result_window": 4 * WINDOW_S}
    wide = {"cohorts": 2, "trainers": TRAINERS, "aggregator_fee": 5_003} | slow
    on_demand = {"settlement": Settlement.ON_DEMAND}
    if name == "cohorts-on-demand":
        return (
            by_reference(world.circuit_with_reference, **on_demand, **wide),
            terms(world.circuit, token=token, **slow),
        )
    return (
        terms(world.circuit, **on_demand, **slow),
        by_reference(world.circuit_with_reference, token=token, **wide),
    )


def seated(world: World, accounts: Any, lens: Any, both: Sequence[Terms]) -> Table:
    """Two projects that everybody has joined."""
    people = [str(account) for account in accounts[: 2 + TRAINERS + AGGREGATORS]]
    wired = world.wired()
    games = [Game(wired, given, people[1]) for given in both]
    for game in games:
        for trainer in people[2 : 2 + game.terms.trainers]:
            game.join(trainer)
        for aggregator in people[2 + TRAINERS :]:
            game.join_as_aggregator(aggregator)
    lookers = [Looker(Wired(lens), wired, game.project, game.terms, people) for game in games]
    return Table(wired, people, games, lookers)


def play(moves: Moves, script: Sequence[tuple[int, Move]]) -> None:
    """A given sequence, to its end."""
    for g, (name, arguments) in script:
        getattr(moves, name)(g, **arguments)
        for game in range(len(moves.games)):
            moves.view(game)
    finish(moves)


def dealt(moves: Moves, number: int, script: list[tuple[int, Move]]) -> None:
    """The sequence with this number; `script` gets its moves."""
    dealer = Dealer(moves, Random(number), TRAINERS, AGGREGATORS)
    for _ in range(MOVES):
        g, (name, arguments) = dealer.deal()
        script.append((g, (name, arguments)))
        getattr(moves, name)(g, **arguments)
    finish(moves)


def fault(failure: BaseException) -> str:
    """Where it happened, and what."""
    last = traceback.extract_tb(failure.__traceback__)[-1]
    return f"{last.name}, {last.line}: {failure}"


def shortest(played: Played, script: Sequence[tuple[int, Move]], failed: str) -> list[tuple[int, Move]]:
    """`script` without moves that make no difference to its failing so: many at once are left out, then fewer."""
    kept, many = list(script), 16
    while many:
        for start in reversed(range(0, len(kept), many)):
            fewer = kept[:start] + kept[start + many :]
            try:
                play(played.moves(), fewer)
            except FAULTS as failure:
                if fault(failure) == failed:
                    kept = fewer
        many //= 2
    return kept


@pytest.mark.timeout(3 * 3600 if DEEP else 300)
@pytest.mark.parametrize("name", OF_PAIR)
def test_any_moves(
    world: World, accounts: Any, lens: Any, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = seated(world, accounts, lens, pair(world, name))
    played = Played(table, request("evm_snapshot"), Counter(), Counter())
    for number in range(SEQUENCES) if CHOSEN is None else (int(CHOSEN),):
        if number % 20 == 0:
            print(f"sequence {number}: {played.taken.total()} calls taken, {played.refused.total()} refused")
        script: list[tuple[int, Move]] = []
        try:
            dealt(played.moves(), number, script)
        except FAULTS as failure:
            moves = "\n".join(map(str, shortest(played, script, fault(failure))))
            raise AssertionError(f"{fault(failure)} in sequence {number}, cut short:\n{moves}") from failure
    shown = [f"{name}, {SEQUENCES} sequences of {MOVES}"]
    for title, counted in (("taken", played.taken), ("refused", played.refused)):
        shown += [f"  {title} {times:6} {call}" for call, times in counted.most_common()]
    with capsys.disabled():
        print("\n".join(shown))
    if not DEEP:
        assert played.taken["postResult"]
    elif CHOSEN is None:
        rare = {call: played.taken[call] for call in (*CALLS, *OF_PAIR[name])}
        assert not {call: times for call, times in rare.items() if times < OFTEN}
