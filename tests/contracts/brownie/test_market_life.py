"""Random lives of a project: every coin is accounted for at each step, and all of it comes back in the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from brownie import ZERO_ADDRESS, chain
from brownie.test import given
from hypothesis import strategies as st
from rounds import (
    AGGREGATORS,
    LENGTH,
    ROUNDS,
    SLOTS,
    UNBONDING_DELAY_S,
    WINDOW_S,
    Update,
    commitment,
    judged,
    result,
    terms,
)

from marketplace.chain.types import Project, ScoreRule, Status, Terms, address
from marketplace.protocol.krum import Judgement, quorum
from marketplace.protocol.shares import amounts, round_budget, shares, strike_loss
from zk.curve import moved


@dataclass(frozen=True)
class Round:
    updates: Mapping[int, Update]
    order: Sequence[int]
    timeouts: int
    omit: bool


entries = st.lists(st.integers(-300, 300), min_size=LENGTH, max_size=LENGTH)
oversized = entries.map(lambda values: [10 * value for value in values])
updates = st.lists(st.one_of(entries, entries, entries, oversized), min_size=SLOTS, max_size=SLOTS)


@st.composite
def rounds(draw: Any) -> Round:
    order = draw(st.permutations(range(SLOTS)))[: draw(st.sampled_from([4, 5, 5, 6, 6, 6]))]
    drawn = draw(updates)
    if draw(st.booleans()):
        drawn[1] = drawn[0]  # a copy
    timeouts = draw(st.sampled_from([0, 0, 0, 1, 2]))
    return Round({slot: drawn[slot] for slot in order}, order, timeouts, draw(st.booleans()))


@dataclass
class Books:
    """What everybody is owed, by Python's arithmetic."""

    terms: Terms
    escrow: int
    stakes: dict[str, int]
    credits: dict[str, int] = field(default_factory=dict)
    pot: int = 0

    def credit(self, account: str, amount: int) -> None:
        self.credits[account] = self.credits.get(account, 0) + amount

    def settle(self, judgement: Judgement, trainers: Sequence[str], aggregator: str) -> None:
        """Books a round with a result."""
        t = self.terms
        slashed = 0
        for slot in judgement.struck:
            loss = strike_loss(self.stakes[trainers[slot]], t.trainer_stake, t.strike_slash)
            self.stakes[trainers[slot]] -= loss
            slashed += loss
        pot = round_budget(t.reward, t.rounds, t.aggregator_fee) + self.pot + slashed
        paid = amounts(judgement.contributions, pot)
        for trainer, amount in zip(trainers, paid, strict=True):
            self.credit(trainer, amount)
        self.credit(aggregator, t.aggregator_fee)
        self.escrow += self.pot + slashed - sum(paid) - t.aggregator_fee
        self.pot = 0

    def skip(self) -> None:
        self.escrow += self.pot
        self.pot = 0

    def time_out(self, aggregator: str) -> None:
        self.pot += self.stakes[aggregator]
        self.stakes[aggregator] = 0

    def end(self, owner: str) -> None:
        self.credit(owner, self.escrow + self.pot)
        self.escrow = self.pot = 0


class Life:
    """One project, driven on the chain and booked in Python side by side."""

    def __init__(self, market: Any, vault: Any, token: Any, accounts: Any, given_terms: Terms) -> None:
        self.market, self.vault, self.token, self.terms = market, vault, token, given_terms
        self.owner, self.anyone = accounts[1], accounts[0]
        self.trainers = list(accounts[2 : 2 + SLOTS])
        self.aggregators = list(accounts[2 + SLOTS : 2 + SLOTS + AGGREGATORS])
        self.people = [self.owner, *self.trainers, *self.aggregators]
        self.start_balances = {str(person): self.balance(person) for person in self.people}
        self.books = Books(
            given_terms,
            given_terms.reward,
            {str(trainer): given_terms.trainer_stake for trainer in self.trainers}
            | {str(aggregator): given_terms.aggregator_bond for aggregator in self.aggregators},
        )
        self.turn = 0
        self.model = given_terms.initial_model
        self.counts = {str(trainer): [0, 0, 0, 0] for trainer in self.trainers}

    def balance(self, account: Any) -> int:
        return int(account.balance() if self.token is None else self.token.balanceOf(account))

    def pay(self, person: Any, amount: int) -> dict[str, Any]:
        """Transaction fields that let the contracts take `amount`."""
        if self.token is None:
            return {"from": person, "value": amount}
        for taker in (self.market, self.vault):
            self.token.approve(taker, amount, {"from": person})
        return {"from": person}

    def open(self) -> None:
        t = self.terms
        created = self.market.create(t.to_abi(), self.pay(self.owner, t.reward))
        self.project = int(created.events["ProjectCreated"]["project"])
        for trainer in self.trainers:
            self.vault.deposit(t.token, t.trainer_stake, self.pay(trainer, t.trainer_stake))
            self.market.join(self.project, b"k" * 32, {"from": trainer})
        for aggregator in self.aggregators:
            self.vault.deposit(t.token, t.aggregator_bond, self.pay(aggregator, t.aggregator_bond))
            self.market.joinAsAggregator(self.project, b"k" * 32, b"contact", {"from": aggregator})
        self.market.start(self.project, {"from": self.anyone})
        self.check()

    def state(self) -> Project:
        return Project.from_abi(tuple(self.market.projectOf(self.project)))

    def play(self, number: int, played: Round) -> None:
        for slot in played.order:
            x, y = commitment(played.updates[slot])
            self.market.submit(self.project, number, x, y, b"b" * 32, {"from": self.trainers[slot]})
        if len(played.order) < SLOTS:
            chain.sleep(WINDOW_S)
        if len(played.order) < quorum(SLOTS, self.terms.faults):
            self.market.skip(self.project, number, 0, {"from": self.anyone})
            self.books.skip()
        else:
            self._time_out(number, played.timeouts)
            if self.turn < AGGREGATORS:
                self._post(number, played)
        self.check()

    def _time_out(self, number: int, times: int) -> None:
        for _ in range(times):
            if self.turn == AGGREGATORS:
                return
            chain.sleep(WINDOW_S + 1)
            self.market.timeout(self.project, number, {"from": self.anyone})
            self.books.time_out(str(self.aggregators[self.turn]))
            self.turn += 1
            self.check(ending=self.turn == AGGREGATORS)

    def _post(self, number: int, played: Round) -> None:
        omitted = played.order[:1] if played.omit and len(played.order) == SLOTS else []
        verdict = judged(self.terms, played.updates, played.order, omitted)
        posted = result(number, played.updates, verdict, omitted)
        aggregator = self.aggregators[self.turn]
        self.market.postResult(self.project, posted.to_abi(), {"from": aggregator})
        names = [str(trainer) for trainer in self.trainers]
        self.books.settle(verdict, names, str(aggregator))
        self.model = moved(
            self.model,
            [commitment(played.updates[slot]) for slot in verdict.merged],
            commitment([0] * LENGTH),
        )
        for slot in played.order:
            counts = self.counts[names[slot]]
            counts[0] += 1
            counts[1] += slot in verdict.merged
            counts[2] += slot in verdict.struck or slot in omitted
            counts[3] += shares(verdict.contributions)[slot]

    def check(self, ending: bool = False) -> None:
        """Contracts hold exactly what they owe, and owe exactly what Python says."""
        state = self.state()
        if ending or state.status is not Status.ACTIVE:
            self.books.end(str(self.owner))
        token = self.terms.token
        credits = {str(person): int(self.market.creditOf(token, person)) for person in self.people}
        assert credits == {str(person): self.books.credits.get(str(person), 0) for person in self.people}
        assert (state.escrow, state.pot) == (self.books.escrow, self.books.pot)
        assert self.balance(self.market) == sum(credits.values()) + state.escrow + state.pot
        locked = {account: int(self.vault.lockedOf(token, account)) for account in self.books.stakes}
        assert locked == self.books.stakes
        assert self.balance(self.vault) == sum(locked.values())
        assert state.model == self.model

    def take_all(self) -> None:
        """Everybody takes what is theirs; nothing is left behind."""
        token = self.terms.token
        for account in self._owed(self.books.stakes):
            self.market.release(self.project, {"from": account})
            self.vault.unbond(token, self.books.stakes[account], {"from": account})
        chain.sleep(UNBONDING_DELAY_S)
        for account in self._owed(self.books.stakes):
            self.vault.withdraw(token, {"from": account})
        for account in self._owed(self.books.credits):
            self.market.claim(token, account, {"from": self.anyone})
        assert self.balance(self.market) == self.balance(self.vault) == 0
        gains = {
            str(person): self.balance(person) - self.start_balances[str(person)] for person in self.people
        }
        assert sum(gains.values()) == 0
        for person in map(str, self.people):
            put_in = self.terms.reward if person == str(self.owner) else self._stake(person)
            assert (
                gains[person] == self.books.credits.get(person, 0) + self.books.stakes.get(person, 0) - put_in
            )

    def _stake(self, person: str) -> int:
        trainers = map(str, self.trainers)
        return self.terms.trainer_stake if person in trainers else self.terms.aggregator_bond

    @staticmethod
    def _owed(amounts_by_account: Mapping[str, int]) -> Iterable[str]:
        return [account for account, amount in amounts_by_account.items() if amount]


@given(
    script=st.lists(rounds(), min_size=ROUNDS, max_size=ROUNDS),
    rule=st.sampled_from(list(ScoreRule)),
    native=st.booleans(),
)
def test_money_is_conserved_through_any_life(
    market: Any,
    vault: Any,
    reputation: Any,
    circuit: bytes,
    erc20: Any,
    accounts: Any,
    script: list[Round],
    rule: ScoreRule,
    native: bool,
) -> None:
    token = None if native else erc20
    where = address(ZERO_ADDRESS if native else erc20.address)
    life = Life(market, vault, token, accounts, terms(circuit, where, rule))
    life.open()
    for number, played in enumerate(script, start=1):
        life.play(number, played)
        if life.state().status is not Status.ACTIVE:
            break
    expected = Status.HALTED if life.turn == AGGREGATORS else Status.SETTLED
    assert life.state().status is expected
    for trainer, counts in life.counts.items():
        assert list(reputation.trainerRecord(trainer)) == counts
    life.take_all()
