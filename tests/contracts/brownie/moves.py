"""Every role's moves, honest and hostile, in the projects of one sequence; each is judged by the rule book.

A move is a method's name and plain arguments, so that a sequence can be printed, cut short and played again. What a
move does where it is out of place is refused, with an error that the rules name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from game import Game
from lens import Looker, View
from rounds import REFERENCE, SALT, SLOTS, VALIDATION
from rulebook import Broken, RuleBook
from toy import Vector, commitment
from watch import Watch
from wire import Refused, wait_until
from world import World

from marketplace.chain.types import NATIVE_COIN, ChallengeKind, RoundResult, Settlement
from marketplace.node.seats import number_in_seat
from marketplace.protocol.krum import Judgement
from marketplace.protocol.shares import amounts, round_budget

UNOPENABLE = b"n" * 32
SEALED_KEY = 80  # bytes
DEADLINES = (
    "join_deadline",
    "submit_deadline",
    "answer_deadline",
    "result_deadline",
    "challenge_deadline",
    "challenge",  # the answer to the open one
    "batch",  # the end of the batch window
    "complaints",  # the end of the time for complaints
    "unbonded",  # the first stake that can be withdrawn
)


def vector(seed: int) -> Vector:
    """One of a few updates, some of them out of bounds."""
    scale = 20 if seed % 11 == 0 else 1
    return tuple(scale * ((seed * 31 + j * 17) % 201 - 100) for j in range(4))


@dataclass
class Table:
    """The projects of a sequence and those who play in them."""

    world: World  # whose contracts are wired
    people: Sequence[Any]
    games: Sequence[Game]
    lookers: Sequence[Looker]

    def again(self) -> Table:
        """The same when the chain has gone back."""
        return Table(self.world, self.people, [game.again() for game in self.games], self.lookers)


class Moves:
    """`taken` and `refused`: calls by name (a refusal with its error), over all sequences."""

    def __init__(self, table: Table, taken: Counter[str], refused: Counter[str]) -> None:
        self.world, self.people, self.games = table.world, table.people, table.games
        self.taken, self.refused = taken, refused
        self._lookers = table.lookers
        self._views: list[View | None] = [None] * len(self.games)
        self.watches = [Watch(game) for game in self.games]

    # What can be seen

    def view(self, g: int) -> View:
        """A project as of the last block; what must hold of it is checked."""
        found = self._views[g]
        if found is None:
            found = self._views[g] = self._lookers[g].look()
            self.watches[g].saw(found)
        return found

    def book(self, g: int, who: int) -> RuleBook:
        return RuleBook(self.games[g].terms, self.view(g), str(self.people[who]))

    def current(self, g: int) -> int:
        """Who the current aggregator is; 0, who is none, where there is none."""
        turn = self.view(g).turn
        return 0 if turn is None else [str(person) for person in self.people].index(turn)

    def holder(self, g: int, seat: int) -> int | None:
        """Who has a seat."""
        view = self.view(g)
        number = number_in_seat(view.state, view.state.round, seat)
        if number is None or view.trainers[number] == NATIVE_COIN:
            return None
        return [str(person) for person in self.people].index(view.trainers[number])

    # Time

    def wait(self, g: int, deadline: str, offset: int) -> None:
        """Until the next block has the time of a deadline, or nearly; nowhere where it has passed."""
        view, terms = self.view(g), self.games[g].terms
        state = view.state
        times = {
            "challenge": view.challenge.deadline,
            "batch": state.submit_deadline - terms.submit_window + terms.batch_window,
            "complaints": state.turn_start + terms.answer_window,
            "unbonded": min((s.ready_at for s in view.stakes.values() if s.unbonding), default=0),
        }
        until = times[deadline] if deadline in times else int(getattr(state, deadline))
        self.wait_until(until + offset)

    def wait_until(self, time: int) -> None:
        if time - 1 > self.view(0).time:
            wait_until(time)
            self.forget()

    # Before the start

    def join(self, g: int, who: int, funded: bool) -> None:
        game = self.games[g]
        if funded:
            self.stake(g, who, game.terms.trainer_stake)
        fields = {"from": self.people[who]}
        self._try("join", self.book(g, who).join(), self.world.market.join, game.project, b"k" * 32, fields)

    def join_as_aggregator(self, g: int, who: int, funded: bool) -> None:
        game, broken = self.games[g], self.book(g, who)
        if funded:
            self.stake(g, who, game.terms.aggregator_bond)
            broken = self.book(g, who)
        call = (game.project, b"k" * 32, b"", [], {"from": self.people[who]})
        self._try("joinAsAggregator", broken.join_as_aggregator(), self.world.market.joinAsAggregator, *call)

    def start(self, g: int, who: int) -> None:
        self._plain("start", g, who, self.book(g, who).start())

    def draw(self, g: int, who: int) -> None:
        self._plain("draw", g, who, self.book(g, who).draw())

    def cancel(self, g: int, who: int) -> None:
        self._plain("cancel", g, who, self.book(g, who).cancel())

    def leave(self, g: int, who: int) -> None:
        self._plain("leave", g, who, self.book(g, who).leave())

    # A round

    def submit(self, g: int, seats: int, seed: int, hidden: int) -> None:
        """Trainers in `seats` (a mask) submit, in some order; the one in seat `hidden` a digest of nothing."""
        cohorts = self.view(g).state.cohorts
        for seat in sorted(range(cohorts * SLOTS), key=lambda seat: seat * (seed + 1) % 13):
            who = self.holder(g, seat)
            if who is not None and seats >> seat & 1:
                self.submit_as(g, seat, who, seed + seat, seat == hidden)

    def submit_as(self, g: int, seat: int, who: int, seed: int, hidden: bool) -> bool:
        """`who`, whether the seat is theirs or not."""
        game, person, round = self.games[g], self.people[who], self.view(g).state.round
        broken = self.book(g, who).submit(round, seat, str(person), UNOPENABLE)
        digest = UNOPENABLE if hidden else None
        return self._try("submit", broken, game.submit, round, seat, person, vector(seed), digest)

    def submit_signed(self, g: int, seat: int, who: int, seed: int, signer: int | None) -> None:
        """`who` relays for whoever has the seat; `signer` signs instead of them."""
        game, round, holder = self.games[g], self.view(g).state.round, self.holder(g, seat)
        trainer = self.people[0 if holder is None else holder]
        by = trainer if signer is None else self.people[signer]
        signature = self.world.signed(by, game.relayed(round, trainer, vector(seed)))
        broken = self.book(g, who).submit(round, seat, str(trainer), UNOPENABLE, str(by) == str(trainer))
        call = (round, seat, trainer, vector(seed), signature, self.people[who])
        self._try("submitSigned", broken, game.submit_signed, *call)

    def refer(self, g: int, who: int, seed: int) -> None:
        round = self.view(g).state.round
        broken = self.book(g, who).refer(round)
        self._try("submitReference", broken, self.games[g].refer, round, vector(seed), self.people[who])

    def batch(self, g: int, who: int, cohort: int, slots: int, seed: int, unsigned: Sequence[int]) -> None:
        state = self.view(g).state
        updates = {slot: vector(seed + slot) for slot in range(SLOTS) if slots >> slot & 1}
        broken = self.book(g, who).post_batch(state.round, cohort, slots)
        call = (state, cohort, updates, unsigned, self.people[who])
        self._try("postBatch", broken, self.games[g].post_batch, *call)

    def reseal(self, g: int, who: int, length: int) -> None:
        round = self.view(g).state.round
        broken = self.book(g, who).reseal(round, length)
        call = (self.games[g].project, round, bytes(length), {"from": self.people[who]})
        self._try("reseal", broken, self.world.market.reseal, *call)

    def complain(self, g: int, who: int, cohort: int, slots: int, funded: bool) -> None:
        game, round = self.games[g], self.view(g).state.round
        counting = game.of(round, cohort).counting
        if funded and self.view(g).turn == str(self.people[who]):
            self.stake(g, who, max(1, self.book(g, who).lacking(slots)))
        broken = self.book(g, who).complain(round, cohort, slots, counting)
        named = [slot for slot in range(REFERENCE + 1) if slots >> slot & 1]
        self._try("complain", broken, game.complain, round, cohort, named, self.people[who])

    def complain_about_others(self, g: int, who: int, cohort: int) -> None:
        """With arrivals that are not this cohort's."""
        game, round = self.games[g], self.view(g).state.round
        received = game.of(round, cohort)
        if not received.digests:
            return
        arrivals = replace(received.arrivals(), digests=(b"x" * 32, *received.digests[1:]))
        broken = self.book(g, who).complain(round, cohort, 1, 1) | {"WrongArrivals"}
        call = (game.project, round, cohort, 1, arrivals.to_abi(), {"from": self.people[who]})
        self._try("complain", broken, self.world.market.complain, *call)

    def answer(self, g: int, who: int, cohort: int, slot: int, seed: int | None) -> None:
        """With the update, or with another one (`seed`)."""
        game, round = self.games[g], self.view(g).state.round
        known = game.updates_of(self.view(g).state, cohort, 0).get(slot) if round else None
        shown = known if seed is None and known is not None else vector(seed or 0)
        right = known is not None and commitment(tuple(known)) == commitment(tuple(shown))
        fits = sum(value * value for value in shown) <= game.terms.max_norm_squared
        broken = self.book(g, who).answer(round, cohort, slot, right, opens=True, fits=fits)
        self._try("answer", broken, game.answer, round, cohort, slot, self.people[who], shown)

    def answer_all(self, g: int, who: int, cohort: int) -> None:
        if cohort < len(self.view(g).cohorts):
            complained = self.view(g).cohorts[cohort].complained
            for slot in range(SLOTS + 1):
                if complained >> slot & 1:
                    self.answer(g, who, cohort, slot, None)

    def post(self, g: int, who: int, cohort: int) -> None:
        """The honest result; what it pays and what model follows is what Python says."""
        prepared = self._result(g, cohort)
        if prepared is None:
            return
        game, (posted, judgement, updates), view = self.games[g], prepared, self.view(g)
        broken = self._broken_by_result(g, who, cohort)
        call = (view.state, posted, updates, self.people[who])
        if not self._try("postResult", broken, game.post, *call):
            return
        outcome, terms = game.outcomes[view.state.round][-1], game.terms
        budget = round_budget(terms.reward, terms.rounds, view.state.cohorts, terms.aggregator_fee)
        paid = amounts(judgement, budget + view.state.pot + outcome.slashed, terms.reference_share)
        assert outcome.amounts == tuple(amount for amount in paid if amount)
        assert outcome.fee == (terms.aggregator_fee if judgement.merged else 0)
        model = self.view(g).state.model
        assert model == commitment(tuple(game.vectors[model]))
        if judgement.struck and terms.settlement is Settlement.PROVED:
            self.taken["strike"] += 1

    def tamper(self, g: int, who: int, cohort: int, where: int) -> None:
        """A result that is false in one place."""
        prepared = self._result(g, cohort)
        if prepared is None:
            return
        honest, _, updates = prepared
        arrivals, near = honest.arrivals, honest.neighbours
        false: list[tuple[str, RoundResult]] = [
            ("WrongMerged", replace(honest, merged=honest.merged ^ 1 << where % SLOTS)),
            ("WrongRound", replace(honest, round=honest.round + 1)),
            ("WrongInputLength", replace(honest, proof=honest.proof + b"\0")),
            ("WrongLength", replace(honest, gram=(*honest.gram, 0))),
            ("WrongNeighbours", replace(honest, neighbours=(near[0] ^ 1, *near[1:]))),
            ("WrongModel", replace(honest, before=b"b" * 32)),
        ]
        if arrivals.digests:
            digests = (*arrivals.digests[:-1], b"x" * 32)
            false.append(("WrongArrivals", replace(honest, arrivals=replace(arrivals, digests=digests))))
        error, result = false[where % len(false)]
        broken = self._broken_by_result(g, who, cohort) | {error}
        call = (self.view(g).state, result, updates, self.people[who])
        self._try("postResult", broken, self.games[g].post, *call)

    def skip(self, g: int, who: int, cohort: int) -> None:
        round = self.view(g).state.round
        self._plain("skip", g, who, self.book(g, who).skip(round, cohort), round, cohort)

    def timeout(self, g: int, who: int) -> None:
        round = self.view(g).state.round
        self._plain("timeout", g, who, self.book(g, who).timeout(round), round)

    # After a round

    def challenge(self, g: int, who: int, kind: int, cohort: int, funded: bool, right: bool) -> None:
        game, kind_ = self.games[g], ChallengeKind(kind)
        if funded:
            self.stake(g, who, game.terms.complaint_deposit)
        outcomes = game.outcomes.get(self.view(g).state.outcome_round, [])
        shown = outcomes if right else outcomes[1:]
        right = shown == outcomes and bool(outcomes)
        broken = self.book(g, who).challenge(kind_, cohort, [o.cohort for o in outcomes], right)
        call = (game.project, kind, cohort, [o.to_abi() for o in shown], {"from": self.people[who]})
        self._try(f"challenge {kind_.name.lower()}", broken, self.world.market.challenge, *call)

    def answer_challenge(self, g: int, who: int, right: bool) -> None:
        """Of whatever is challenged, in whichever cohort."""
        challenge = self.view(g).challenge
        if challenge.kind is ChallengeKind.PROOF:
            self.answer_proof(g, who, right)
        else:
            self.answer_model(g, who, right)

    def answer_model(self, g: int, who: int, right: bool) -> None:
        game, sender = self.games[g], self.people[who]
        shown = game.vectors[self.view(g).state.model]
        call = (sender, shown if right else tuple(value + 1 for value in shown))
        self._try("answerModel", self.book(g, who).answer_model(right), game.answer_model, *call)

    def answer_proof(self, g: int, who: int, right: bool) -> None:
        game, view = self.games[g], self.view(g)
        outcomes = game.outcomes.get(view.state.outcome_round, [])
        asked = [o.cohort for o in outcomes if o.statement == view.challenge.statement]
        cohorts = asked or [o.cohort for o in outcomes]
        if not cohorts:
            return
        gram, proof = game.proofs[view.state.outcome_round, cohorts[0]]
        shown = gram if right else (gram[0] + 1, *gram[1:])
        broken = self.book(g, who).answer_proof(right and bool(asked))
        call = (game.project, shown, proof, {"from": self.people[who]})
        taken = self._try("answerProof", broken, self.world.market.answerProof, *call)
        self.taken[f"answerProof of cohort {cohorts[0]}"] += taken

    def undo(self, g: int, who: int, right: bool) -> None:
        outcomes = self.games[g].outcomes.get(self.view(g).state.outcome_round, [])
        shown = [o.to_abi() for o in (outcomes if right else outcomes[1:])]
        broken = self.book(g, who).undo(right and bool(outcomes))
        self._plain("undo", g, who, broken, shown)

    # Money

    def reveal(self, g: int, who: int) -> None:
        self._plain("reveal", g, who, self.book(g, who).reveal(), VALIDATION, SALT)

    def settle(self, g: int, who: int) -> None:
        self._plain("settle", g, who, self.book(g, who).settle())

    def release(self, g: int, who: int) -> None:
        self._plain("release", g, who, self.book(g, who).release())

    def claim(self, g: int, who: int) -> None:
        """For `who`, by somebody else: to the unit, and not twice."""
        person, before = str(self.people[who]), self.view(g)
        if self._plain("claim", g, 0, self.book(g, 0).claim(person), person) and who:
            after, due = self.view(g), before.claimable[person]
            assert after.balances[person] - before.balances[person] == due
            assert not self._plain("claim", g, 0, {"NothingToClaim"}, person)

    def stake(self, g: int, who: int, amount: int) -> None:
        game = self.games[g]
        self._try("deposit", set(), self.world.deposit, game.terms.token, self.people[who], amount)

    def unbond(self, g: int, who: int, amount: int | None) -> None:
        """`amount`, or all."""
        free = self.view(g).stakes[str(self.people[who])].free
        amount = free if amount is None else amount
        call = (self.games[g].terms.token, amount, {"from": self.people[who]})
        self._try("unbond", self.book(g, who).unbond(amount), self.world.vault.unbond, *call)

    def withdraw(self, g: int, who: int) -> None:
        call = (self.games[g].terms.token, {"from": self.people[who]})
        self._try("withdraw", self.book(g, who).withdraw(), self.world.vault.withdraw, *call)

    # What all moves do

    def _try(self, name: str, broken: Broken, call: Callable[..., Any], *arguments: Any) -> bool:
        """Calls; the contract must take exactly what breaks no rule."""
        self.forget()
        try:
            call(*arguments)
        except Refused as refusal:
            if refusal.name not in broken:
                raise AssertionError(f"{name}: {refusal.name}, the rules say {broken}") from refusal
            self.refused[f"{name}: {refusal.name}"] += 1
            return False
        assert not broken, f"{name} was taken, though the rules say {broken}"
        self.taken[name] += 1
        return True

    def _plain(self, name: str, g: int, who: int, broken: Broken, *arguments: Any) -> bool:
        call = getattr(self.world.market, name)
        return self._try(name, broken, call, self.games[g].project, *arguments, {"from": self.people[who]})

    def forget(self) -> None:
        self._views = [None] * len(self.games)

    def _result(self, g: int, cohort: int) -> tuple[RoundResult, Judgement, dict[int, Vector]] | None:
        state = self.view(g).state
        return self.games[g].honest(state, cohort) if state.round and cohort < state.cohorts else None

    def _broken_by_result(self, g: int, who: int, cohort: int) -> Broken:
        received = self.games[g].of(self.view(g).state.round, cohort)
        opened = sum(1 << slot for slot in received.updates)
        return self.book(g, who).post(self.view(g).state.round, cohort, received.counting, opened)
