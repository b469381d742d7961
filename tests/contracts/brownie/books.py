"""What everybody is owed in a project of one cohort, by Python's arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from marketplace.chain.types import Settlement, Terms
from marketplace.protocol.krum import Judgement
from marketplace.protocol.shares import amounts, round_budget, strike_loss


@dataclass
class Books:
    """Amounts by account, in the token's smallest unit."""

    terms: Terms
    escrow: int
    locked: Counter[str]
    free: Counter[str] = field(default_factory=Counter)
    earned: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    pot: int = 0
    _escrow_before: int = 0
    _paid: Counter[str] = field(default_factory=Counter)  # by the last result

    def settle(self, judgement: Judgement, trainers: Sequence[str], aggregator: str) -> None:
        """A result of the round."""
        t = self.terms
        slashed = 0
        proved = t.settlement is Settlement.PROVED  # else nobody's stake is taken
        for slot in judgement.struck if proved else ():
            loss = strike_loss(self.locked[trainers[slot]], t.trainer_stake, t.strike_slash)
            self.locked[trainers[slot]] -= loss
            self.faults[trainers[slot]] += 1
            slashed += loss
        pot = round_budget(t.reward, t.rounds, 1, t.aggregator_fee) + self.pot + slashed
        paid = Counter(dict(zip(trainers, amounts(judgement, pot, t.reference_share), strict=True)))
        if judgement.merged:
            paid[aggregator] += t.aggregator_fee
        self._escrow_before, self._paid = self.escrow, paid
        self.earned += paid
        self.escrow += self.pot + slashed - paid.total()
        self.pot = 0

    def undo(self, accused: str, challenger: str) -> None:
        """Of the last result; its aggregator pays."""
        held = self.escrow + self.pot + self._paid.total()
        self.earned -= self._paid
        self.escrow, self.pot = self._escrow_before, held - self._escrow_before
        self.move(accused, challenger)
        self.time_out(accused)

    def move(self, source: str, target: str) -> None:
        """A deposit changes hands."""
        paid = min(self.terms.complaint_deposit, self.locked[source])
        self.locked[source] -= paid
        self.free[target] += paid

    def lacking(self, aggregator: str, complaints: int) -> int:
        """What an aggregator locks anew so that it can complain so often."""
        needed = self.terms.complaint_deposit * complaints + self.terms.aggregator_bond // 2
        return max(0, needed - self.locked[aggregator])

    def secure(self, aggregator: str, complaints: int) -> None:
        """Free stake is locked for complaints."""
        lacking = self.lacking(aggregator, complaints)
        self.locked[aggregator] += lacking
        self.free[aggregator] -= lacking

    def skip(self) -> None:
        self.escrow += self.pot
        self.pot = 0

    def time_out(self, aggregator: str) -> None:
        """It loses what it has locked."""
        self.pot += self.locked[aggregator]
        self.locked[aggregator] = 0
        self.faults[aggregator] += 1

    def end(self, owner: str) -> None:
        self.earned[owner] += self.escrow + self.pot
        self.escrow = self.pot = 0

    def forfeit(self, trainers: Sequence[str], owner: str) -> None:
        """The reveal bond, which the owner did not call back."""
        bonus = self.terms.reveal_bond // len(trainers)
        for trainer in trainers:
            self.earned[trainer] += bonus
        self.earned[owner] += self.terms.reveal_bond - bonus * len(trainers)
