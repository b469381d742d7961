"""Any sequence of moves by all roles, honest and hostile, in two projects at once: what holds after each of them.

A few short sequences by default; with FAIRSHARE_DEEP=1 (`make test-deep`) 200 of 50 moves.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
from brownie import chain
from brownie.exceptions import VirtualMachineError
from game import Game
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from rounds import AGGREGATORS, REFERENCE, SALT, SLOTS, UNBONDING_DELAY_S, VALIDATION, by_reference, terms
from toy import Vector
from world import World, refusal

from marketplace.chain.types import ChallengeKind, Project, Settlement, Status, address

DEEP = os.environ.get("FAIRSHARE_DEEP") == "1"
NO_SHRINKING = (Phase.explicit, Phase.generate)  # it would replay whole projects hundreds of times
SEQUENCES, MOVES = (200, 50) if DEEP else (14, 20)
TRAINERS = 2 * SLOTS + 1  # one more than two cohorts have seats
LONGEST_END = 80  # moves until a project has ended, whatever happened before
UNOPENABLE = b"n" * 32
WANTED = (
    *("submit", "refer", "post_batch", "complain", "answer", "post", "skip", "timeout", "leave", "reveal"),
    *("challenge", "answer_model", "answer_proof", "undo", "draw", "settle", "cancel", "release", "claim"),
)
ENDED = (Status.SETTLED, Status.CANCELLED, Status.HALTED)
FORWARD = {
    Status.OPEN: {Status.DRAWING, Status.ACTIVE, Status.CANCELLED},
    Status.DRAWING: {Status.ACTIVE},
    Status.ACTIVE: {Status.CLOSING, Status.HALTED},
    Status.CLOSING: {Status.ACTIVE, Status.SETTLED, Status.HALTED},  # Active: the last round was undone
} | {status: set() for status in ENDED}


@dataclass(frozen=True)
class Table:
    """Two projects that everybody has joined, on demand and by reference the one, with two cohorts the other."""

    world: World
    lens: Any
    people: list[Any]
    games: list[Game]


def seated(world: World, accounts: Any, lens: Any) -> Table:
    people = list(accounts[: TRAINERS + AGGREGATORS + 2])
    token = address(world.erc20.address)
    on_demand = by_reference(world.circuit_with_reference, settlement=Settlement.ON_DEMAND)
    wide = terms(world.circuit, token=token, cohorts=2, trainers=TRAINERS, aggregator_fee=5_003)
    games = [Game(world, given, people[1]) for given in (on_demand, wide)]
    for game in games:
        for trainer in people[2 : 2 + game.terms.trainers]:
            game.join(trainer)
        for aggregator in people[2 + TRAINERS :]:
            game.join_as_aggregator(aggregator)
    return Table(world, lens, people, games)


def vector(seed: int) -> Vector:
    """One of a few updates, some of them out of bounds."""
    scale = 20 if seed % 11 == 0 else 1
    return tuple(scale * ((seed * 31 + j * 17) % 201 - 100) for j in range(4))


GAME = st.integers(0, 1)
WHO = st.integers(0, TRAINERS + AGGREGATORS + 1)
SEED = st.integers(0, 30)
MASK = st.integers(1, 2 ** (SLOTS + 1) - 1)
COHORT = st.sampled_from([0, 0, 1])
RARELY = st.integers(0, 7).map(lambda n: n == 0)
OFTEN = st.integers(0, 7).map(lambda n: n != 0)
AMOUNT = st.integers(1, 100_000)
KIND = st.sampled_from([ChallengeKind.MODEL, ChallengeKind.PROOF])


class Machine(RuleBasedStateMachine):
    """Moves are tried: what the market may refuse is no failure, what it must refuse is asserted to be refused."""

    table: ClassVar[Table]
    reached: ClassVar[Counter[str]]  # moves that the market took, over all sequences

    def __init__(self) -> None:
        super().__init__()
        chain.revert()
        self.world, self.lens, self.people = self.table.world, self.table.lens, self.table.people
        self.strings = [str(person) for person in self.people]
        self.games = [game.again() for game in self.table.games]
        self.tokens = [game.terms.token for game in self.games]
        self.seen = [(Status.OPEN, 0)] * len(self.games)

    @initialize(first=OFTEN, second=OFTEN)
    def start(self, first: bool, second: bool) -> None:
        for game, starts in zip(self.games, (first, second), strict=True):
            if starts:
                self._go_on(game)
                self._go_on(game)

    # A round

    @rule(game=GAME, seed=SEED, slots=MASK)
    def submit(self, game: int, seed: int, slots: int) -> None:
        """Some seats, in some order; one of them with a digest of nothing, now and then."""
        played = self.games[game]
        state = played.state()
        for seat in sorted(range(state.cohorts * SLOTS), key=lambda seat: (seat * seed) % 13):
            if slots >> seat % SLOTS & 1:
                nothing = UNOPENABLE if (seed, seat) in {(3, 0), (5, 2)} else None
                self._submit(played, state, seat, vector(seed + seat), nothing)

    @rule(game=GAME, seat=SEED, who=WHO)
    def out_of_seat(self, game: int, seat: int, who: int) -> None:
        """Who has another seat, or none, submits."""
        played = self.games[game]
        state = played.state()
        if state.status is Status.ACTIVE and played.trainer_in(state, state.round, seat) != self.people[who]:
            assert not self._tried(played.submit, state.round, seat, self.people[who], vector(seat))

    @rule(game=GAME, seed=SEED)
    def reference(self, game: int, seed: int) -> None:
        self._tried(self.games[game].refer, self.games[game].state().round, vector(seed))

    @rule(game=GAME, cohort=COHORT, slots=MASK, seed=SEED, partly=RARELY)
    def batch(self, game: int, cohort: int, slots: int, seed: int, partly: bool) -> None:
        played = self.games[game]
        state = played.state()
        if state.status is Status.ACTIVE and played.turn(state) is not None:
            updates = {slot: vector(seed + slot) for slot in range(SLOTS) if slots >> slot & 1}
            self._tried(played.post_batch, state, cohort, updates, [slots % SLOTS] if partly else [])

    @rule(game=GAME, cohort=COHORT, slots=MASK)
    def complain(self, game: int, cohort: int, slots: int) -> None:
        self._complain(self.games[game], cohort, slots & slots >> 1 | 1 << slots % (SLOTS + 1))

    @rule(game=GAME, cohort=COHORT, who=WHO)
    def answer(self, game: int, cohort: int, who: int) -> None:
        played = self.games[game]
        state = played.state()
        for slot, update in played.updates_of(state, cohort, 0).items():
            if self._complained(played, cohort) >> slot & 1 and sum(v * v for v in update) <= 1_000_000:
                self._tried(played.answer, state.round, cohort, slot, self.people[who])

    @rule(game=GAME, seed=SEED, reference=OFTEN, all_=OFTEN)
    def finish_round(self, game: int, seed: int, reference: bool, all_: bool) -> None:
        """Those who have not submitted do; the current aggregator posts what follows for one cohort, or for all."""
        played = self.games[game]
        state = played.state()
        if state.status is not Status.ACTIVE:
            return
        if reference:
            self._tried(played.refer, state.round, vector(seed + 7))
        for seat in range(state.cohorts * SLOTS):
            self._submit(played, state, seat, vector(seed + seat * seat), None)
        self._wait_until(played.state().submit_deadline)
        for cohort in range(state.cohorts if all_ else 1):
            rubbish = [s for s, d in self._transactions(played, cohort) if d == UNOPENABLE]
            if rubbish:
                self._complain(played, cohort, sum(1 << slot for slot in rubbish))
                self._wait_until(played.state().answer_deadline)
            self._post(played, cohort)

    @rule(game=GAME, cohort=COHORT)
    def post(self, game: int, cohort: int) -> None:
        self._post(self.games[game], cohort)

    @rule(game=GAME, cohort=COHORT, seed=SEED)
    def tamper(self, game: int, cohort: int, seed: int) -> None:
        """A result that is false in one place is refused."""
        played = self.games[game]
        state = played.state()
        if state.status is not Status.ACTIVE or played.turn(state) is None or cohort >= state.cohorts:
            return
        honest, _, updates = played.honest(state, cohort)
        false = [
            replace(honest, merged=honest.merged ^ 1 << seed % SLOTS),
            replace(honest, round=honest.round + 1),
            replace(honest, proof=honest.proof[:-1]),
            replace(honest, gram=(*honest.gram[1:], honest.gram[0])[: len(honest.gram) - 1]),
            replace(honest, arrivals=replace(honest.arrivals, order=honest.arrivals.order + b"\x00")),
        ]
        assert not self._tried(played.post, state, false[seed % len(false)], updates)

    @rule(game=GAME, cohort=COHORT, who=WHO)
    def skip(self, game: int, cohort: int, who: int) -> None:
        played = self.games[game]
        self._market("skip", played, played.state().round, cohort, who=who)

    @rule(game=GAME, who=WHO, wait=RARELY)
    def time_out(self, game: int, who: int, wait: bool) -> None:
        played = self.games[game]
        state = played.state()
        if wait:
            self._wait_until(state.result_deadline)
        self._market("timeout", played, state.round, who=who)

    # After a round

    @rule(game=GAME, kind=KIND, cohort=COHORT, who=WHO)
    def challenge(self, game: int, kind: ChallengeKind, cohort: int, who: int) -> None:
        played, person = self.games[game], self.people[who]
        if any(played.state().outcome):
            self._tried(self.world.deposit, played.terms.token, person, played.terms.complaint_deposit)
            self._tried(played.challenge, kind, cohort, person)

    @rule(game=GAME, who=WHO)
    def answer_challenge(self, game: int, who: int) -> None:
        played = self.games[game]
        kind = int(self.world.market.challengeOf(played.project)[0])
        if kind == ChallengeKind.MODEL:
            self._tried(played.answer_model, self.people[who])
        elif kind == ChallengeKind.PROOF:
            self._tried(played.answer_proof, 0, self.people[who])

    @rule(game=GAME, who=WHO, wait=RARELY)
    def undo(self, game: int, who: int, wait: bool) -> None:
        played = self.games[game]
        kind, _, deadline, *_ = self.world.market.challengeOf(played.project)
        if kind:
            if wait:
                self._wait_until(int(deadline))
            self._tried(played.undo, self.people[who])

    @rule(game=GAME)
    def go_on(self, game: int) -> None:
        """Whatever anybody can do to bring the project nearer to its end."""
        self._go_on(self.games[game])

    # Membership and money

    @rule(game=GAME, who=WHO, which=SEED)
    def misplaced(self, game: int, who: int, which: int) -> None:
        """Calls that are mostly out of place."""
        names = ["start", "draw", "settle", "release", "leave", "cancel"]
        name = names[which % 6]
        if name == "cancel" and which > 6:
            return
        self._market(name, self.games[game], who=who)

    @rule(game=GAME, who=WHO, aggregator=OFTEN)
    def join(self, game: int, who: int, aggregator: bool) -> None:
        played = self.games[game]
        self._tried(played.join_as_aggregator if aggregator else played.join, self.people[who])

    @rule(game=GAME)
    def reveal(self, game: int) -> None:
        self._market("reveal", self.games[game], VALIDATION, SALT, who=1)

    @rule(game=GAME, who=WHO)
    def claim(self, game: int, who: int) -> None:
        """Once, and not twice."""
        if self._market("claim", self.games[game], self.people[who], who=0):
            assert not self._market("claim", self.games[game], self.people[who], who=0)

    @rule(game=GAME, who=WHO, amount=AMOUNT)
    def stake(self, game: int, who: int, amount: int) -> None:
        self.world.deposit(self.tokens[game], self.people[who], amount)

    @rule(game=GAME, who=WHO, amount=AMOUNT)
    def unbond(self, game: int, who: int, amount: int) -> None:
        free = int(self.world.vault.freeOf(self.tokens[game], self.people[who]))
        sent = self._tried(self.world.vault.unbond, self.tokens[game], amount, {"from": self.people[who]})
        assert sent == (amount <= free)

    @rule(game=GAME, who=WHO)
    def withdraw(self, game: int, who: int) -> None:
        self._tried(self.world.vault.withdraw, self.tokens[game], {"from": self.people[who]})

    @rule(seconds=SEED)
    def wait(self, seconds: int) -> None:
        chain.sleep(20 * seconds)

    # What holds

    @invariant()
    def money(self) -> None:
        """The market holds what it owes; what is locked in the vault is locked for projects and open challenges."""
        held: Counter[str] = Counter()
        known: dict[str, Counter[str]] = {token: Counter() for token in self.tokens}
        for game in self.games:
            state, token = game.state(), game.terms.token
            claimable, locked = self.lens.members(self.world.market, game.project, self.strings)
            bond = 0 if state.revealed or state.status in ENDED else game.terms.reveal_bond
            held[token] += sum(claimable) + state.escrow + state.pot + bond
            known[token].update(dict(zip(self.strings, map(int, locked), strict=True)))
            kind, challenger, *_ = self.world.market.challengeOf(game.project)
            if kind:
                known[token][str(challenger)] += game.terms.complaint_deposit
        for token in self.tokens:
            assert self.world.balance(token, self.world.market) == held[token]
            free, locked, unbonding = self.lens.stakes(self.world.vault, token, self.strings)
            assert self.world.balance(token, self.world.vault) == sum(free) + sum(locked) + sum(unbonding)
            assert list(map(int, locked)) == [known[token][person] for person in self.strings]

    @invariant()
    def forward(self) -> None:
        """A project goes forward, and what it knows of its model is what Python makes of it."""
        for i, game in enumerate(self.games):
            state = game.state()
            status, round = self.seen[i]
            reached, edge = {status}, {status}
            while edge:  # a move may be several transactions
                edge = {after for before in edge for after in FORWARD[before]} - reached
                reached |= edge
            assert state.status in reached
            assert state.round >= round
            assert state.model in game.vectors
            self.seen[i] = state.status, state.round

    def teardown(self) -> None:
        """However it went, every project can be ended, and everything taken out."""
        for game in self.games:
            for _ in range(LONGEST_END):
                if game.state().status in ENDED:
                    break
                self._go_on(game)
            assert game.state().status in ENDED
            for person in self.people:
                self._market("release", game, who=self.people.index(person), needed="NothingToRelease")
                self._market("claim", game, person, who=0, needed="NothingToClaim")
        for token in self.tokens:
            free = self.lens.stakes(self.world.vault, token, self.strings)[0]
            for person, amount in zip(self.people, free, strict=True):
                if amount:
                    self.world.vault.unbond(token, amount, {"from": person})
        chain.sleep(UNBONDING_DELAY_S)
        for token in self.tokens:
            unbonding = self.lens.stakes(self.world.vault, token, self.strings)[2]
            for person, amount in zip(self.people, unbonding, strict=True):
                if amount:
                    self.world.vault.withdraw(token, {"from": person})
            assert (
                self.world.balance(token, self.world.market)
                == self.world.balance(token, self.world.vault)
                == 0
            )

    # Moves

    def _tried(self, call: Callable[..., Any], *arguments: Any) -> bool:
        try:
            call(*arguments)
        except VirtualMachineError:
            return False
        self.reached[getattr(call, "__name__", "stake")] += 1
        return True

    def _market(self, name: str, game: Game, *arguments: Any, who: int, needed: str | None = None) -> bool:
        """`needed`: the only error with which the call may be refused."""
        call = getattr(self.world.market, name)
        try:
            call(game.project, *arguments, {"from": self.people[who]})
        except VirtualMachineError as error:
            if needed not in (None, refusal(error)):
                raise
            return False
        self.reached[name] += 1
        return True

    def _wait_until(self, deadline: int) -> None:
        chain.sleep(max(0, deadline - chain.time()) + 1)

    def _complained(self, game: Game, cohort: int) -> int:
        return int(self.world.market.cohortOf(game.project, cohort)[3])

    def _transactions(self, game: Game, cohort: int) -> list[tuple[int, bytes]]:
        received = game.of(game.state().round, cohort)
        return list(zip((slot for slot in received.order if slot < SLOTS), received.digests, strict=True))

    def _submit(self, game: Game, state: Project, seat: int, update: Vector, digest: bytes | None) -> None:
        if state.status is not Status.ACTIVE or seat % SLOTS in game.of(state.round, seat // SLOTS).order:
            return
        trainer = game.trainer_in(state, state.round, seat)
        if trainer is not None:
            self._tried(game.submit, state.round, seat, trainer, update, digest)

    def _complain(self, game: Game, cohort: int, slots: int) -> None:
        state = game.state()
        aggregator = game.turn(state) if state.status is Status.ACTIVE else None
        if aggregator is not None:
            named = [slot for slot in range(REFERENCE + 1) if slots >> slot & 1]
            self._tried(game.complain, state.round, cohort, named, aggregator)

    def _post(self, game: Game, cohort: int) -> None:
        state = game.state()
        if state.status is Status.ACTIVE and game.turn(state) is not None:
            posted, _, updates = game.honest(state, cohort)
            self._tried(game.post, state, posted, updates)

    def _go_on(self, game: Game) -> None:
        state = game.state()
        kind, _, deadline, *_ = self.world.market.challengeOf(game.project)
        if kind:
            self._wait_until(int(deadline))
            assert self._tried(game.undo, self.people[0])
        elif state.status is Status.OPEN:
            self._market("start", game, who=0) or self._market("cancel", game, who=1)
        elif state.status is Status.DRAWING:
            chain.mine(2)
            self._market("draw", game, who=0)
        elif state.status is Status.ACTIVE:
            self._wait_until(max(state.submit_deadline, state.answer_deadline))
            skipped = [
                self._market("skip", game, state.round, cohort, who=0) for cohort in range(state.cohorts)
            ]
            if not any(skipped):
                self._wait_until(state.result_deadline)
                assert self._market("timeout", game, state.round, who=0)
        elif state.status is Status.CLOSING:
            self._wait_until(state.challenge_deadline)
            assert self._market("settle", game, who=0)


@pytest.mark.timeout(6 * 3600 if DEEP else 300)
def test_any_moves(world: World, accounts: Any, lens: Any) -> None:
    # Not brownie's `state_machine`: its compiled release takes no class but its own.
    class AtThisTable(Machine):
        table = seated(world, accounts, lens)
        reached: ClassVar[Counter[str]] = Counter()

    chosen = settings(
        max_examples=SEQUENCES,
        stateful_step_count=MOVES,
        phases=NO_SHRINKING,
        suppress_health_check=list(HealthCheck),
        deadline=None,
        database=None,
    )
    chain.snapshot()
    run_state_machine_as_test(AtThisTable, settings=chosen)
    print(f"moves that the market took: {dict(AtThisTable.reached)}")
    if DEEP:
        assert {*WANTED} <= {*AtThisTable.reached}
