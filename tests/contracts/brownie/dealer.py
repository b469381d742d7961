"""Which move comes next: mostly one that makes sense where a project stands, now and then any move by anybody."""

from __future__ import annotations

from random import Random
from typing import Any

from lens import View
from moves import DEADLINES, SEALED_KEY, Moves
from rounds import SLOTS

from marketplace.chain.types import ChallengeKind, ScoreRule, Settlement, Status

Move = tuple[str, dict[str, Any]]  # a method of `Moves`, and its arguments but the project's number

OWNER, STRANGER = 1, 0
EVERY_SEAT = 2 ** (2 * SLOTS) - 1
ANY_MOVE = 0.2  # of the moves
ENDED = (Status.SETTLED, Status.CANCELLED, Status.HALTED)


class Dealer:
    """Draws moves with one random source; what it draws depends on the source and on what the chain says."""

    def __init__(self, moves: Moves, random: Random, trainers: int, aggregators: int) -> None:
        self._moves, self._random = moves, random
        self._everybody = range(2 + trainers + aggregators)
        self._aggregators = self._everybody[2 + trainers :]

    def deal(self) -> tuple[int, Move]:
        """A project and a move in it."""
        random, games = self._random, range(len(self._moves.games))
        running = [g for g in games if self._moves.view(g).state.status not in ENDED]
        g = random.choice(running if running and random.random() < 0.7 else games)
        if random.random() < ANY_MOVE:
            return g, self._any(g)
        return g, self._fit(g)

    def _fit(self, g: int) -> Move:
        view = self._moves.view(g)
        status = view.state.status
        if status is Status.OPEN:
            members = list(view.members.values())
            outside = [i for i in self._everybody if not members[i].number and not members[i].index]
            free = view.state.trainer_count < self._moves.games[g].terms.trainers
            return self._one_of(
                (16, ("start", {"who": self._who()})),
                (3, ("leave", {"who": self._who()})),
                (12 if free else 0, ("join", {"who": self._random.choice(outside), "funded": True})),
                (1, ("join_as_aggregator", {"who": STRANGER, "funded": True})),
                (1, ("cancel", {"who": OWNER})),
                (1, self._wait("join_deadline")),
            )
        if status is Status.DRAWING:
            return self._one_of((4, ("draw", {"who": self._who()})), (1, self._money(view)))
        if view.challenge.kind is not ChallengeKind.NONE and self._random.random() < 0.6:
            return self._challenged()
        if status is Status.ACTIVE:
            return self._submitting(g, view) if self._is_open(view) else self._concluding(g, view)
        if status is Status.CLOSING:
            return self._one_of(
                (5 if self._may_challenge(view) else 1, self._challenge(g)),
                (3, ("reveal", {"who": OWNER})),
                (2, self._wait("challenge_deadline")),
                (3, ("settle", {"who": self._who()})),
                (1, self._money(view)),
            )
        return self._one_of(
            (3, self._release(view)),
            (3, self._claim(view)),
            (3, self._money(view)),
            (7, self._taking_out(view)),
        )

    def _submitting(self, g: int, view: View) -> Move:
        random, terms = self._random, self._moves.games[g].terms
        closing = view.time + 1 >= view.state.submit_deadline - terms.submit_window + terms.batch_window
        hidden = random.choice([-1, -1, -1, 0, 1, SLOTS])
        missing = self._missing(g, view)
        some_seats = random.randint(1, EVERY_SEAT)
        all_ = ("submit", {"seats": missing, "seed": self._seed(), "hidden": hidden})
        some = ("submit", {"seats": some_seats, "seed": self._seed(), "hidden": hidden})
        refer = ("refer", {"who": OWNER, "seed": self._seed()})
        left = [seat for seat in range(2 * SLOTS) if missing >> seat & 1] or [0]
        signed = {"seat": random.choice(left), "who": self._who(), "seed": self._seed(), "signer": None}
        paid = any(view.claimable.values())
        final = view.time + 1 >= view.state.challenge_deadline
        return self._one_of(
            (10 if missing else 0, all_),
            (2 if missing else 0, some),
            (5 if terms.score_rule is ScoreRule.REFERENCE else 0, refer),
            (2, ("submit_signed", signed)),
            (0 if closing else 5, self._batch(g)),
            (1 if missing else 6, self._wait("submit_deadline")),
            (12 if self._may_challenge(view) else 0, self._challenge(g)),
            (3 if self._may_challenge(view) else 0, self._wait("challenge_deadline")),
            (4 if paid and final else 1, self._claim(view)),
            (2, ("leave", {"who": self._who()})),
            (1, ("join_as_aggregator", {"who": STRANGER, "funded": True})),
            (1, self._money(view)),
        )

    def _concluding(self, g: int, view: View) -> Move:
        random, who = self._random, self._moves.current(g)
        open_ = [i for i, c in enumerate(view.cohorts[: view.state.cohorts]) if not c.concluded]
        cohort = random.choice(open_ or [0])
        complained = view.cohorts[cohort].complained
        game = self._moves.games[g]
        received = game.of(view.state.round, cohort)
        silent = received.counting & ~sum(1 << slot for slot in received.updates) & ~complained
        if silent and random.random() < 0.6:  # what it cannot open keeps it from a result
            return "complain", {"who": who, "cohort": cohort, "slots": silent, "funded": True}
        slots = 1 << random.randrange(SLOTS + 1) | (random.random() < 0.3)
        late = view.time + 1 >= view.state.result_deadline
        answerable = complained and view.time + 1 < view.state.answer_deadline
        few = received.counting.bit_count() < self._moves.book(g, who).quorum
        return self._one_of(
            (0 if late else 3, ("complain", {"who": who, "cohort": cohort, "slots": slots, "funded": True})),
            (8 if answerable else 0, ("answer_all", {"who": self._who(), "cohort": cohort})),
            (4 if answerable else 0, self._wait("answer_deadline")),
            (1 if late or few else 14, ("post", {"who": who, "cohort": cohort})),
            (3, ("tamper", {"who": who, "cohort": cohort, "where": self._seed()})),
            (8 if few else 1, ("skip", {"who": self._who(), "cohort": cohort})),
            (1, ("skip", {"who": who, "cohort": cohort})),
            (1, ("reseal", {"who": self._who(), "length": SEALED_KEY})),
            (1, self._wait("result_deadline")),
            (8 if late else 0, ("timeout", {"who": self._who()})),
        )

    def _challenged(self) -> Move:
        return self._one_of(
            (6, ("answer_challenge", {"who": self._who(), "right": True})),
            (2, ("answer_challenge", {"who": self._who(), "right": False})),
            (3, self._wait("challenge")),
            (4, ("undo", {"who": self._who(), "right": self._random.random() < 0.9})),
        )

    def _any(self, g: int) -> Move:
        """Anybody, anything."""
        random, who, cohort = self._random, self._who(), self._random.choice([0, 0, 1, 2])
        seed, slots = self._seed(), self._random.randrange(2 ** (SLOTS + 1))
        moves: list[Move] = [
            *((name, {"who": who}) for name in ("start", "draw", "leave", "settle", "release", "reveal")),
            *((name, {"who": who}) for name in ("claim", "withdraw", "timeout")),
            *(
                (name, {"who": who, "funded": random.random() < 0.5})
                for name in ("join", "join_as_aggregator")
            ),
            ("submit_as", {"seat": self._seat(), "who": who, "seed": seed, "hidden": False}),
            (
                "submit_signed",
                {"seat": self._seat(), "who": who, "seed": seed, "signer": random.choice([None, who])},
            ),
            ("refer", {"who": who, "seed": seed}),
            (
                "batch",
                {"who": who, "cohort": cohort, "slots": slots % 2**SLOTS, "seed": seed, "unsigned": []},
            ),
            ("reseal", {"who": who, "length": random.choice([79, 80])}),
            ("complain", {"who": who, "cohort": cohort, "slots": slots, "funded": random.random() < 0.5}),
            ("complain_about_others", {"who": self._moves.current(g), "cohort": cohort}),
            ("answer", {"who": who, "cohort": cohort, "slot": seed % (SLOTS + 1), "seed": seed}),
            ("answer_all", {"who": who, "cohort": cohort}),
            ("post", {"who": random.choice([who, self._moves.current(g)]), "cohort": cohort}),
            ("tamper", {"who": self._moves.current(g), "cohort": cohort, "where": seed}),
            ("skip", {"who": who, "cohort": cohort}),
            self._challenge(g, random.choice([0, 1, 2])),
            ("answer_model", {"who": who, "right": random.random() < 0.5}),
            ("answer_proof", {"who": who, "right": random.random() < 0.5}),
            ("undo", {"who": who, "right": random.random() < 0.5}),
            ("stake", {"who": who, "amount": random.randint(1, 100_000)}),
            ("unbond", {"who": who, "amount": random.choice([None, 0, 1, 10**9])}),
            self._wait(random.choice(DEADLINES)),
        ]
        if who != OWNER:  # its cancelling would end too many sequences
            moves.append(("cancel", {"who": who}))
        return random.choice(moves)

    def _batch(self, g: int) -> Move:
        slots = self._random.choice([2**SLOTS - 1, self._random.randint(1, 2**SLOTS - 1)])
        unsigned = [self._random.randrange(SLOTS)] if self._random.random() < 0.2 else []
        cohort = self._random.randrange(max(1, self._moves.view(g).state.cohorts))
        who = self._moves.current(g)
        return "batch", {
            "who": who,
            "cohort": cohort,
            "slots": slots,
            "seed": self._seed(),
            "unsigned": unsigned,
        }

    def _challenge(self, g: int, kind: int | None = None) -> Move:
        random, on_demand = self._random, self._moves.games[g].terms.settlement is Settlement.ON_DEMAND
        if kind is None:
            kind = random.choice([1, 2, 2]) if on_demand else 1
        outcomes = self._moves.games[g].outcomes.get(self._moves.view(g).state.outcome_round, [])
        cohort = random.choice([outcome.cohort for outcome in outcomes] or [0])
        funded, right = random.random() < 0.9, random.random() < 0.9
        return "challenge", {
            "who": self._who(),
            "kind": kind,
            "cohort": cohort,
            "funded": funded,
            "right": right,
        }

    def _may_challenge(self, view: View) -> bool:
        state = view.state
        over = state.outcome_round != state.round or state.status is Status.CLOSING
        return any(state.outcome) and over and view.time + 1 < state.challenge_deadline

    def _missing(self, g: int, view: View) -> int:
        """Mask of the seats whose trainers have not submitted."""
        seats = range(view.state.cohorts * SLOTS)
        there = [view.cohorts[seat // SLOTS].submitted >> seat % SLOTS & 1 for seat in seats]
        return sum(1 << seat for seat in seats if not there[seat] and self._moves.holder(g, seat) is not None)

    def _claim(self, view: View) -> Move:
        due = [i for i, amount in enumerate(view.claimable.values()) if amount] or [STRANGER]
        return "claim", {"who": self._random.choice([*due, self._who()])}

    def _release(self, view: View) -> Move:
        locked = [i for i, member in enumerate(view.members.values()) if member.locked] or [STRANGER]
        return "release", {"who": self._random.choice([*locked, self._who()])}

    def _money(self, view: View) -> Move:
        random = self._random
        free = [i for i, stake in enumerate(view.stakes.values()) if stake.free] or [STRANGER]
        return self._one_of(
            (1, ("stake", {"who": self._who(), "amount": random.randint(1, 100_000)})),
            (2, ("unbond", {"who": random.choice(free), "amount": None})),
            (1, ("withdraw", {"who": self._who()})),
        )

    def _taking_out(self, view: View) -> Move:
        """The way out of the vault, from wherever somebody's stake is on it."""
        stakes = list(view.stakes.values())
        ready = [i for i, stake in enumerate(stakes) if stake.unbonding and stake.ready_at <= view.time]
        free = [i for i, stake in enumerate(stakes) if stake.free]
        if ready:
            return "withdraw", {"who": self._random.choice(ready)}
        if any(stake.unbonding for stake in stakes) or not free:
            return self._wait("unbonded")
        return "unbond", {"who": self._random.choice(free), "amount": None}

    def _wait(self, deadline: str) -> Move:
        """To the second before a deadline, to the deadline, or beyond it."""
        return "wait", {"deadline": deadline, "offset": self._random.choice([-1, 0, 0, 0, 1, 20])}

    def _one_of(self, *weighted: tuple[int, Move]) -> Move:
        moves, weights = [move for _, move in weighted], [weight for weight, _ in weighted]
        return self._random.choices(moves, weights)[0]

    def _is_open(self, view: View) -> bool:
        return view.time + 1 < view.state.submit_deadline

    def _who(self) -> int:
        return self._random.choice(self._everybody)

    def _seat(self) -> int:
        return self._random.randrange(2 * SLOTS)

    def _seed(self) -> int:
        return self._random.randrange(31)
