"""Who may do what, and when: docs/protocol.md as Python reads it, for a project as a `View` shows it.

Each function answers with the errors of all rules that a call breaks; a call that breaks none must succeed, and one
that is refused must be refused with one of them. `view` is what the chain says before the call, whose block comes one
second later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lens import View

from marketplace.chain.types import EXACT_KINDS, ChallengeKind, Cohort, ScoreRule, Settlement, Status, Terms
from marketplace.node.seats import number_in_seat
from marketplace.protocol.krum import quorum

MAX_AGGREGATORS = 8
ENDED = (Status.SETTLED, Status.CANCELLED, Status.HALTED)

Broken = set[str]


def _broken(rules: Mapping[str, bool]) -> Broken:
    return {error for error, breaks in rules.items() if breaks}


@dataclass(frozen=True)
class RuleBook:
    """The rules of one project, for a call by `sender`."""

    terms: Terms
    view: View
    sender: str

    @property
    def now(self) -> int:
        """The time of the call's block."""
        return self.view.time + 1

    @property
    def quorum(self) -> int:
        return quorum(self.terms.slots, self.terms.faults)

    # Before the start

    def join(self) -> Broken:
        view, t = self.view, self.terms
        if view.state.status is not Status.OPEN:
            return {"WrongStatus"}
        return _broken(
            {
                "DeadlinePassed": self.now >= view.state.join_deadline,
                "Full": view.state.trainer_count == t.trainers,
                "AlreadyMember": self._is_known(),
                "InsufficientFree": view.stakes[self.sender].free < t.trainer_stake,
            }
        )

    def join_as_aggregator(self) -> Broken:
        view, t = self.view, self.terms
        if view.state.status not in (Status.OPEN, Status.ACTIVE):
            return {"WrongStatus"}
        late = view.state.status is Status.OPEN and self.now >= view.state.join_deadline
        return _broken(
            {
                "DeadlinePassed": late,
                "Full": view.state.aggregator_count == MAX_AGGREGATORS,
                "AlreadyMember": self._is_known(),
                "InsufficientFree": view.stakes[self.sender].free < t.aggregator_bond,
            }
        )

    def leave(self) -> Broken:
        state, member = self.view.state, self.view.members[self.sender]
        if state.status not in (Status.OPEN, Status.ACTIVE):
            return {"WrongStatus"}
        if member.left or not self._is_known():
            return {"NotMember"}
        if state.status is Status.OPEN:
            return set()
        if member.aggregator_index is not None:
            return _broken({"WrongStatus": member.aggregator_index <= state.aggregator_index})
        for seat in range(state.cohorts * self.terms.slots):
            if number_in_seat(state, state.round, seat) == member.trainer_number:
                index, slot = divmod(seat, self.terms.slots)
                cohort = self.view.cohorts[index]
                return _broken({"AlreadySubmitted": bool((cohort.submitted | cohort.batched) >> slot & 1)})
        return set()

    def cancel(self) -> Broken:
        state = self.view.state
        if state.status is not Status.OPEN:
            return {"WrongStatus"}
        startable = state.aggregator_count > 0 and state.trainer_count >= self.quorum
        others_may = self.now >= state.join_deadline and not startable
        return _broken({"CannotCancel": self.sender != state.owner and not others_may})

    def start(self) -> Broken:
        state = self.view.state
        if state.status is not Status.OPEN:
            return {"WrongStatus"}
        needed = self.terms.trainers if self.now < state.join_deadline else self.quorum
        return _broken({"CannotStart": state.aggregator_count == 0 or state.trainer_count < needed})

    def draw(self) -> Broken:
        state = self.view.state
        if state.status is not Status.DRAWING:
            return {"WrongStatus"}
        return _broken({"TooEarly": self.view.height + 1 <= int.from_bytes(state.seed, "big")})

    # A round

    def submit(self, round: int, seat: int, trainer: str, digest: bytes, signed: bool = True) -> Broken:
        if broken := self._not_in(round):
            return broken | _broken({"NotSigned": not signed})
        state, view = self.view.state, self.view
        cohort, slot = divmod(seat, self.terms.slots)
        number, member = number_in_seat(state, round, seat), view.members.get(trainer)
        theirs = number is not None and member is not None and not member.left
        return self._no_cohort(cohort) | _broken(
            {
                "DeadlinePassed": self.now >= state.submit_deadline,
                "InvalidDigest": not any(digest),
                "NotYourSeat": not (theirs and member is not None and member.trainer_number == number),
                "AlreadySubmitted": cohort < state.cohorts
                and bool(view.cohorts[cohort].submitted >> slot & 1),
                "NotSigned": not signed,
            }
        )

    def refer(self, round: int) -> Broken:
        if broken := self._not_in(round):
            return broken
        state = self.view.state
        return _broken(
            {
                "DeadlinePassed": self.now >= state.submit_deadline,
                "NotOwner": self.sender != state.owner or self.terms.score_rule is not ScoreRule.REFERENCE,
                "WrongStatus": state.revealed,
                "AlreadySubmitted": state.reference_round == round,
            }
        )

    def post_batch(self, round: int, cohort: int, slots: int) -> Broken:
        if broken := self._not_in(round):
            return broken
        state, t = self.view.state, self.terms
        posted = cohort < state.cohorts and self.view.cohorts[cohort].batched != 0
        broken = self._not_my_turn() | self._no_cohort(cohort)
        if self.now >= state.submit_deadline - t.submit_window + t.batch_window:
            broken |= {"DeadlinePassed"}
        out_of_range = slots == 0 or slots >> t.slots != 0
        return broken | _broken({"InvalidBatch": t.batch_window == 0 or out_of_range or posted})

    def reseal(self, round: int, length: int) -> Broken:
        if broken := self._not_in(round):
            return broken
        member, state = self.view.members[self.sender], self.view.state
        return _broken(
            {
                "TooEarly": self.now < state.submit_deadline,
                "NotMember": member.trainer_number is None and self.sender != state.owner,
                "InvalidLength": length != 80,
            }
        )

    def complain(self, round: int, cohort: int, slots: int, received: int) -> Broken:
        """`received`: mask of the slots whose submission counts."""
        if broken := self._not_in(round):
            return broken
        state, t, view = self.view.state, self.terms, self.view
        broken = self._challenged() | self._not_my_turn() | self._no_cohort(cohort)
        if self.now < state.submit_deadline:
            broken |= {"TooEarly"}
        if self.now >= state.turn_start + t.answer_window:
            broken |= {"DeadlinePassed"}
        if broken:
            return broken
        known = view.cohorts[cohort].complained | view.cohorts[cohort].answered
        there = received | (1 << t.slots if state.reference_round == round else 0)
        if slots == 0 or slots & ~there or slots & known:
            return {"InvalidComplaint"}
        return _broken({"InsufficientFree": self.lacking(slots) > view.stakes[self.sender].free})

    def lacking(self, slots: int) -> int:
        """What the current aggregator locks anew for a complaint."""
        open_ = slots.bit_count() + sum(cohort.complained.bit_count() for cohort in self._open_cohorts())
        needed = self.terms.complaint_deposit * open_ + self.terms.aggregator_bond // 2
        return max(0, needed - self.view.members[self.sender].locked)

    def answer(self, round: int, cohort: int, slot: int, right: bool, opens: bool, fits: bool) -> Broken:
        """`right`: the commitment is the one that was submitted; `opens`: to this update; `fits`: within the bound."""
        if broken := self._not_in(round):
            return broken
        known = cohort < self.view.state.cohorts and self.view.cohorts[cohort].complained >> slot & 1
        return self._no_cohort(cohort) | _broken(
            {
                "DeadlinePassed": self.now >= self.view.state.answer_deadline,
                "NothingToAnswer": not known,
                "DigestMismatch": not right,
                "OpeningRejected": not opens or not fits,
            }
        )

    def post(self, round: int, cohort: int, received: int, opened: int) -> Broken:
        """An honest result. `received`: mask of the submissions that count; `opened`: of those it has updates for."""
        if broken := self._not_in(round):
            return broken
        broken = self._challenged() | self._not_my_turn() | self._no_cohort(cohort)
        broken |= self._too_early_to_conclude(cohort)
        if cohort >= self.view.state.cohorts:
            return broken
        present = received & ~self.view.cohorts[cohort].complained
        return broken | _broken(
            {
                "QuorumMissed": present.bit_count() < self.quorum,
                "DigestMismatch": present & ~opened != 0,
            }
        )

    def skip(self, round: int, cohort: int) -> Broken:
        if broken := self._not_in(round):
            return broken
        broken = self._challenged() | self._no_cohort(cohort) | self._too_early_to_conclude(cohort)
        if cohort >= self.view.state.cohorts:
            return broken
        arrived = self.view.cohorts[cohort]
        if ((arrived.submitted | arrived.batched) & ~arrived.complained).bit_count() < self.quorum:
            return broken
        sure = (arrived.submitted & ~arrived.complained).bit_count()
        if sure >= self.quorum or self.view.state.aggregator_index == arrived.batch_index:
            return broken | {"QuorumReached"}
        return (
            broken | self._not_my_turn()
        )  # a batch that another posted, which only a stand-in may leave out

    def timeout(self, round: int) -> Broken:
        if broken := self._not_in(round):
            return broken
        due = [
            cohort
            for cohort in self._open_cohorts()
            if ((cohort.submitted | cohort.batched) & ~cohort.complained).bit_count() >= self.quorum
        ]
        return self._challenged() | _broken(
            {"TooEarly": self.now < self.view.state.result_deadline, "QuorumMissed": not due}
        )

    # After a round

    def challenge(self, kind: ChallengeKind, cohort: int, with_result: Sequence[int], right: bool) -> Broken:
        """`with_result`: cohorts that have one in the challenged round; `right`: its outcomes are given."""
        state, t, view = self.view.state, self.terms, self.view
        over = any(state.outcome) and (state.outcome_round != state.round or state.status is Status.CLOSING)
        open_ = state.status in (Status.ACTIVE, Status.CLOSING) and self.now < state.challenge_deadline
        raised = view.challenge.answered if view.challenge.round == state.outcome_round else 0
        mark = 1 if kind is ChallengeKind.MODEL else 2 << cohort
        proof = kind is ChallengeKind.PROOF
        impossible = kind not in EXACT_KINDS or (proof and t.settlement is not Settlement.ON_DEMAND)
        return self._challenged() | _broken(
            {
                "CannotChallenge": not (over and open_)
                or impossible
                or cohort >= state.cohorts
                or raised & mark != 0
                or (proof and cohort not in with_result),
                "WrongOutcomes": proof and not right,
                "InsufficientFree": view.stakes[self.sender].free < t.complaint_deposit,
            }
        )

    def answer_model(self, right: bool) -> Broken:
        return self._answer(ChallengeKind.MODEL) | _broken({"OpeningRejected": not right})

    def answer_proof(self, right: bool) -> Broken:
        return self._answer(ChallengeKind.PROOF) | _broken({"WrongOutcomes": not right})

    def undo(self, right: bool) -> Broken:
        challenge = self.view.challenge
        if challenge.kind is ChallengeKind.NONE:
            return {"NothingToAnswer"}
        return _broken({"TooEarly": self.now < challenge.deadline, "WrongOutcomes": not right})

    # Money

    def reveal(self) -> Broken:
        state = self.view.state
        if state.status is not Status.CLOSING:
            return {"WrongStatus"}
        return _broken(
            {
                "WrongStatus": state.revealed,
                "NotOwner": self.sender != state.owner,
                "NotTheValidationSet": not any(self.terms.validation),
            }
        )

    def settle(self) -> Broken:
        if self.view.state.status is not Status.CLOSING:
            return {"WrongStatus"}
        return self._challenged() | _broken({"TooEarly": self.now < self.view.state.challenge_deadline})

    def claim(self, account: str) -> Broken:
        state = self.view.state
        broken = _broken({"NothingToClaim": self.view.claimable[account] == 0})
        if state.status not in (Status.ACTIVE, Status.CLOSING):
            return broken
        in_part = state.round == state.outcome_round and state.status is Status.ACTIVE
        return (
            broken
            | self._challenged()
            | _broken({"TooEarly": self.now < state.challenge_deadline or in_part})
        )

    def release(self) -> Broken:
        if self.view.state.status not in ENDED:
            return {"WrongStatus"}
        return _broken({"NothingToRelease": self.view.members[self.sender].locked == 0})

    def unbond(self, amount: int) -> Broken:
        free = self.view.stakes[self.sender].free
        return _broken({"ZeroAmount": amount == 0, "InsufficientFree": amount > free})

    def withdraw(self) -> Broken:
        stake = self.view.stakes[self.sender]
        if stake.unbonding == 0:
            return {"NothingUnbonding"}
        return _broken({"StillUnbonding": self.now < stake.ready_at})

    # What several ask

    def _is_known(self) -> bool:
        member = self.view.members[self.sender]
        return member.trainer_number is not None or member.aggregator_index is not None

    def _not_in(self, round: int) -> Broken:
        state = self.view.state
        if state.status is not Status.ACTIVE:
            return {"WrongStatus"}
        return _broken({"WrongRound": round != state.round})

    def _challenged(self) -> Broken:
        return _broken({"ChallengeOpen": self.view.challenge.kind is not ChallengeKind.NONE})

    def _not_my_turn(self) -> Broken:
        return _broken(
            {
                "DeadlinePassed": self.now >= self.view.state.result_deadline,
                "NotCurrentAggregator": self.sender != self.view.turn,
            }
        )

    def _no_cohort(self, cohort: int) -> Broken:
        there = cohort < self.view.state.cohorts and not self.view.cohorts[cohort].concluded
        return _broken({"WrongCohort": not there})

    def _open_cohorts(self) -> list[Cohort]:
        state = self.view.state
        return [cohort for cohort in self.view.cohorts[: state.cohorts] if not cohort.concluded]

    def _too_early_to_conclude(self, cohort: int) -> Broken:
        state = self.view.state
        open_ = cohort < state.cohorts and self.view.cohorts[cohort].complained != 0
        waiting = open_ and self.now < state.answer_deadline
        return _broken({"TooEarly": self.now < state.submit_deadline or waiting})

    def _answer(self, kind: ChallengeKind) -> Broken:
        open_ = self.view.challenge
        if open_.kind is not kind:
            return {"NothingToAnswer"}
        return _broken({"DeadlinePassed": self.now >= open_.deadline})
