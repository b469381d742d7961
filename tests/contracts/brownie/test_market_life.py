"""Random lives of a project: every coin is accounted for at each step, and all of it comes back in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain as one_after_the_other
from itertools import repeat
from typing import Any

from books import Books
from brownie.test import given
from game import Game
from hypothesis import strategies as st
from rounds import (
    AGGREGATORS,
    REFERENCE,
    ROUNDS,
    SALT,
    SLOTS,
    UNBONDING_DELAY_S,
    VALIDATION,
    by_reference,
    terms,
)
from toy import LENGTH, Vector
from wire import wait, wait_until
from world import World

from marketplace.chain.types import (
    EXACT_KINDS,
    NATIVE_COIN,
    ChallengeKind,
    Project,
    ScoreRule,
    Settlement,
    Status,
    Terms,
    address,
)
from marketplace.protocol.krum import quorum
from marketplace.protocol.shares import contribution_units


@dataclass(frozen=True)
class Round:
    """What happens in a round. Slots; `REFERENCE` stands for the owner's update."""

    updates: Mapping[int, Vector]
    order: Sequence[int]  # of the transactions
    batched: Sequence[int] = ()
    timeouts: int = 0
    answered: Sequence[int] = ()  # complained about, and then shown
    silent: Sequence[int] = ()  # complained about, and not shown
    challenge: ChallengeKind = ChallengeKind.NONE
    shown: bool = False  # what the challenge asks for


PLAIN = Round({slot: [100 + slot**3, 50 - 7 * slot, slot**2, 9] for slot in range(SLOTS)}, range(SLOTS))

entries = st.lists(st.integers(-300, 300), min_size=LENGTH, max_size=LENGTH)
oversized = entries.map(lambda values: [10 * value for value in values])
vectors = st.lists(st.one_of(entries, entries, entries, oversized), min_size=SLOTS, max_size=SLOTS)


@st.composite
def rounds(draw: Any) -> Round:
    arrived = draw(st.permutations(range(SLOTS)))[: draw(st.sampled_from([4, 5, 5, 6, 6, 6, 6]))]
    drawn = draw(vectors)
    if draw(st.booleans()):
        drawn[1] = drawn[0]  # a copy
    updates = {slot: drawn[slot] for slot in arrived}
    if draw(st.sampled_from([True, True, False])):
        updates[REFERENCE] = draw(entries)
    many, complaints = len(arrived) == SLOTS, draw(st.sets(st.sampled_from([0, 1, REFERENCE])))
    silent = [arrived[0]] if many and 0 in complaints else []
    answered = [arrived[1]] if 1 in complaints else []
    if REFERENCE in complaints:
        (silent if draw(st.booleans()) else answered).append(REFERENCE)
    batched = arrived[draw(st.integers(1, SLOTS)) :] if draw(st.booleans()) else []
    return Round(
        updates=updates,
        order=[slot for slot in arrived if slot not in batched],
        batched=batched,
        timeouts=draw(st.sampled_from([0, 0, 0, 1, 3])),
        answered=answered,
        silent=silent,
        challenge=draw(st.sampled_from([ChallengeKind.NONE, *EXACT_KINDS])),
        shown=draw(st.booleans()),
    )


class Life:
    """One project, driven on the chain and booked in Python side by side."""

    def __init__(self, world: World, accounts: Any) -> None:
        self.world, self.market, self.vault = world, world.market, world.vault
        self.anyone, self.owner = accounts[0], accounts[1]
        self.trainers = list(accounts[2 : 2 + SLOTS])
        self.aggregators = list(accounts[2 + SLOTS : 2 + SLOTS + AGGREGATORS])
        self.people = [self.anyone, self.owner, *self.trainers, *self.aggregators]

    def open(self, given_terms: Terms) -> None:
        """Post the project; everybody joins, and it starts."""
        self.terms, token = given_terms, given_terms.token
        self.start_balances = {str(person): self.world.balance(token, person) for person in self.people}
        self.put_in = Counter({str(self.owner): given_terms.reward + given_terms.reveal_bond})
        self.game = Game(self.world, given_terms, self.owner)
        for trainer in self.trainers:
            self.game.join(trainer)
        for aggregator in self.aggregators:
            self.game.join_as_aggregator(aggregator)
        self.market.start(self.game.project, {"from": self.anyone})
        locked = Counter({str(trainer): given_terms.trainer_stake for trainer in self.trainers})
        locked.update({str(aggregator): given_terms.aggregator_bond for aggregator in self.aggregators})
        self.put_in += locked
        self.books = Books(given_terms, given_terms.reward, locked)
        self.turn = 0
        self.model = given_terms.initial_model
        self.check()

    def state(self) -> Project:
        return self.game.state()

    def play(self, played: Round) -> None:
        """One round, up to the end of what its result may be challenged with."""
        state = self.state()
        self._submit(state, played)
        wait_until(self.state().submit_deadline)
        if len(played.order) + len(played.batched) < quorum(SLOTS, self.terms.faults):
            self.market.skip(self.game.project, state.round, 0, {"from": self.anyone})
            self.books.skip()
            self.check()
            return
        for _ in range(played.timeouts):
            if self.turn < AGGREGATORS:
                self._time_out(state.round)
        if self.turn == AGGREGATORS:
            return
        self._complain(played)
        self._post()
        if played.challenge is not ChallengeKind.NONE:
            self._challenge(played)

    def _submit(self, state: Project, played: Round) -> None:
        game, updates = self.game, played.updates
        if played.batched:
            game.post_batch(state, 0, {slot: updates[slot] for slot in played.batched})
        if REFERENCE in updates and self.terms.score_rule is ScoreRule.REFERENCE:
            game.refer(state.round, updates[REFERENCE])
        for slot in played.order:
            game.submit(state.round, slot, self.trainers[slot], updates[slot])

    def _time_out(self, round: int) -> None:
        wait_until(self.state().result_deadline)
        self.market.timeout(self.game.project, round, {"from": self.anyone})
        self.books.time_out(str(self.aggregators[self.turn]))
        self.turn += 1
        self.check()

    def _complain(self, played: Round) -> None:
        """About updates that can be shown, and about some that nobody shows."""
        state, aggregator = self.state(), self.aggregators[self.turn]
        there = self.game.updates_of(state, 0, 0)
        fit = [s for s in played.answered if s in there and _norm(there[s]) <= self.terms.max_norm_squared]
        silent = [slot for slot in played.silent if slot in there]
        if not fit and not silent:
            return
        who, complaints = str(aggregator), len(fit) + len(silent)
        self._add_stake(aggregator, max(0, self.books.lacking(who, complaints) - self.books.free[who]))
        self.game.complain(state.round, 0, [*fit, *silent], aggregator)
        self.books.secure(who, complaints)
        for slot in fit:
            self.game.answer(state.round, 0, slot, self.anyone)
            self.books.move(str(aggregator), str(self._holder(slot)))
            self.check()
        if silent:
            wait_until(self.state().answer_deadline)
        for slot in silent:
            if slot == REFERENCE:
                continue
            self.books.move(str(self._holder(slot)), str(aggregator))
            self.books.faults[str(self._holder(slot))] += 1

    def _holder(self, slot: int) -> Any:
        return self.owner if slot == REFERENCE else self.trainers[slot]

    def _post(self) -> None:
        state, aggregator = self.state(), self.aggregators[self.turn]
        posted, judgement, updates = self.game.honest(state, 0)
        self.game.post(state, posted, updates)
        self.books.settle(judgement, [str(trainer) for trainer in self.trainers], str(aggregator))
        self.before, self.model = self.model, self.game.expected_model(self.model, updates, judgement)
        self.check()

    def _challenge(self, played: Round) -> None:
        """Of the result that was just posted; it is shown to be right, or undone."""
        if played.challenge is ChallengeKind.PROOF and self.terms.settlement is Settlement.PROVED:
            return
        anyone, accused, deposit = (
            str(self.anyone),
            str(self.aggregators[self.turn]),
            self.terms.complaint_deposit,
        )
        self._add_stake(self.anyone, deposit)
        self.game.challenge(played.challenge, 0, self.anyone)
        self.books.locked[anyone] += deposit
        self.books.free[anyone] -= deposit
        self.check()
        if not played.shown:
            wait_until(int(self.market.challengeOf(self.game.project)[2]))
            self.game.undo(self.aggregators[-1])
            self.books.locked[anyone] -= deposit
            self.books.free[anyone] += deposit
            self.books.undo(accused, anyone)
            self.turn, self.model = self.turn + 1, self.before
        elif played.challenge is ChallengeKind.MODEL:
            self.game.answer_model(self.trainers[0])
            self.books.move(anyone, accused)
        else:
            self.game.answer_proof(0, self.trainers[0])
            self.books.move(anyone, accused)
        self.check()

    def _add_stake(self, account: Any, amount: int) -> None:
        if amount:
            self.world.deposit(self.terms.token, account, amount)
            self.put_in[str(account)] += amount
            self.books.free[str(account)] += amount

    def close(self, reveals: bool) -> None:
        """Of a project whose last round is over."""
        if reveals and self.terms.score_rule is ScoreRule.REFERENCE:
            self.market.reveal(self.game.project, VALIDATION, SALT, {"from": self.owner})
        wait_until(self.state().challenge_deadline)
        self.market.settle(self.game.project, {"from": self.anyone})

    def check(self) -> None:
        """Contracts hold exactly what they owe, and owe exactly what Python says."""
        state, token, project = self.state(), self.terms.token, self.game.project
        people = [str(person) for person in self.people]
        ended = state.status in (Status.SETTLED, Status.HALTED)
        if ended:
            self.books.end(str(self.owner))
            owed = state.status is Status.SETTLED or state.reference_round != 0
            if owed and not state.revealed:
                self.books.forfeit([str(trainer) for trainer in self.trainers], str(self.owner))
            else:
                self.books.earned[str(self.owner)] += self.terms.reveal_bond
        books = self.books
        claimable = {person: int(self.market.claimable(project, person)) for person in people}
        withheld = self.terms.reveal_bond if not ended and not state.revealed else 0
        early = self.terms.reveal_bond if not ended and state.revealed else 0
        claimable[str(self.owner)] -= early
        assert claimable == {person: books.earned[person] for person in people}
        assert (state.escrow, state.pot) == (books.escrow, books.pot)
        owed = sum(claimable.values()) + state.escrow + state.pot + withheld + early
        assert self.world.balance(token, self.market) == owed
        locked = {person: int(self.vault.lockedOf(token, person)) for person in people}
        assert locked == {person: books.locked[person] for person in people}
        free = {person: int(self.vault.freeOf(token, person)) for person in people}
        assert free == {person: books.free[person] for person in people}
        assert self.world.balance(token, self.vault) == sum(locked.values()) + sum(free.values())
        assert state.model == self.model
        assert state.aggregator_index == self.turn

    def take_all(self) -> None:
        """Everybody takes what is theirs; nothing is left behind."""
        token, books = self.terms.token, self.books
        for account in +books.locked:
            self.market.release(self.game.project, {"from": account})
        stakes = books.locked + books.free
        for account in stakes:
            self.vault.unbond(token, stakes[account], {"from": account})
        wait(UNBONDING_DELAY_S)
        for account in stakes:
            self.vault.withdraw(token, {"from": account})
        for account in +books.earned:
            self.market.claim(self.game.project, account, {"from": self.anyone})
        assert self.world.balance(token, self.market) == self.world.balance(token, self.vault) == 0
        for person in map(str, self.people):
            gain = self.world.balance(token, person) - self.start_balances[person]
            assert gain == books.earned[person] + stakes[person] - self.put_in[person]

    def check_records(self) -> None:
        """Faults of all; contributions of those trainers who had stake to release."""
        t = self.terms
        for trainer in map(str, self.trainers):
            units = contribution_units(self._earned_by_work(trainer), t.rounds, t.reward)
            _, faults, contribution, *_ = self.world.reputation.trainerRecord(trainer)
            assert (faults, contribution) == (
                self.books.faults[trainer],
                units if self.books.locked[trainer] else 0,
            )
        for aggregator in map(str, self.aggregators):
            assert self.world.reputation.aggregatorRecord(aggregator)[1] == self.books.faults[aggregator]

    def _earned_by_work(self, trainer: str) -> int:
        number = [str(account) for account in self.trainers].index(trainer)
        return int(self.market.trainerOf(self.game.project, number)[1])


def _norm(update: Vector) -> int:
    return sum(value * value for value in update)


@given(
    script=st.lists(rounds(), min_size=ROUNDS, max_size=2 * ROUNDS),
    rule=st.sampled_from(list(ScoreRule)),
    settlement=st.sampled_from(list(Settlement)),
    native=st.booleans(),
    reveals=st.booleans(),
)
def test_money_is_conserved_through_any_life(
    world: World,
    accounts: Any,
    script: list[Round],
    rule: ScoreRule,
    settlement: Settlement,
    native: bool,
    reveals: bool,
) -> None:
    changes = {"token": NATIVE_COIN if native else address(world.erc20.address), "settlement": settlement}
    if rule is ScoreRule.REFERENCE:
        posted = by_reference(world.circuit_with_reference, **changes)
    else:
        posted = terms(world.circuit, score_rule=rule, **changes)
    life = Life(world.wired(), accounts)
    life.open(posted)
    for played in one_after_the_other(script, repeat(PLAIN)):
        if life.state().status is not Status.ACTIVE:
            break
        life.play(played)
    if life.state().status is Status.CLOSING:
        life.close(reveals)
        life.check()
    assert life.state().status is (Status.HALTED if life.turn == AGGREGATORS else Status.SETTLED)
    life.take_all()
    life.check_records()
