"""Who takes part in a project, as its events tell it."""

from __future__ import annotations

from dataclasses import dataclass, field

from marketplace.chain.types import NATIVE_COIN, Account, Address, Member, Terms

MAX_AGGREGATORS = 8  # TermsCheck.sol
NOBODY = NATIVE_COIN  # the zero address


@dataclass
class Members:
    """Trainers by number, the aggregators' list, and what is locked for each account (token's unit).

    `numbers` keeps those who left while the project was active: their number and earnings stay theirs.
    """

    terms: Terms
    holders: list[Address] = field(default_factory=list)
    earned: list[int] = field(default_factory=list)
    aggregators: list[Address] = field(default_factory=list)
    fees: list[int] = field(default_factory=list)
    numbers: dict[Address, int] = field(default_factory=dict)
    left: set[Address] = field(default_factory=set)
    locked: dict[Address, int] = field(default_factory=dict)
    claimed: dict[Address, int] = field(default_factory=dict)

    @property
    def trainer_count(self) -> int:
        """Those who have not left."""
        return len(self.holders) - len(self.left)

    def holder(self, number: int | None) -> Address | None:
        """The trainer with a number; None where there is none any more."""
        if number is None or not 0 <= number < len(self.holders) or self.holders[number] == NOBODY:
            return None
        return self.holders[number]

    def is_member(self, account: Address) -> bool:
        """Whether the account has, or had while active, a part in the project."""
        return account in self.aggregators or account in self.numbers

    def join(self, number: int, trainer: Address) -> str:
        """Takes the next place; returns what is wrong with that, empty where nothing is."""
        wrong = ""
        if number != len(self.holders) or number >= self.terms.trainers:
            wrong = (
                f"took number {number}, but {len(self.holders)} of {self.terms.trainers} places were taken"
            )
        elif self.is_member(trainer):
            wrong = "had a part in the project already"
        self.numbers[trainer] = len(self.holders)
        self.holders.append(trainer)
        self.earned.append(0)
        self.locked[trainer] = self.terms.trainer_stake
        return wrong

    def leave(self, number: int, trainer: Address, *, active: bool) -> tuple[int, str]:
        """Leaves; returns the stake that became free, and what is wrong.

        Before the start the last trainer moves into the hole; afterwards the place stays empty.
        """
        freed = self.locked.pop(trainer, 0)
        if trainer in self.left or self.numbers.get(trainer) != number or self.holder(number) != trainer:
            return freed, f"left with number {number} that it did not have"
        if active:
            self.holders[number] = NOBODY
            self.left.add(trainer)
            self.locked[trainer] = 0
            return freed, ""
        last = self.holders.pop()
        self.earned.pop()
        del self.numbers[trainer]
        if last != trainer:
            self.holders[number] = last
            self.numbers[last] = number
        return freed, ""

    def join_aggregator(self, index: int, aggregator: Address) -> str:
        """Appends to the list; returns what is wrong."""
        wrong = ""
        if index != len(self.aggregators) or index >= MAX_AGGREGATORS:
            wrong = f"became aggregator {index}, but the list held {len(self.aggregators)}"
        elif self.is_member(aggregator):
            wrong = "had a part in the project already"
        self.aggregators.append(aggregator)
        self.fees.append(0)
        self.locked[aggregator] = self.terms.aggregator_bond
        return wrong

    def leave_aggregator(self, index: int, aggregator: Address) -> tuple[int, str]:
        """Leaves the list; returns the bond that became free, and what is wrong."""
        freed = self.locked.pop(aggregator, 0)
        if index >= len(self.aggregators) or self.aggregators[index] != aggregator:
            return freed, f"left place {index} of the list that it did not hold"
        del self.aggregators[index], self.fees[index]
        return freed, ""

    def take(self, account: Address, amount: int) -> None:
        """Takes from what is locked for an account; never below zero."""
        self.locked[account] = max(0, self.locked.get(account, 0) - amount)

    def earnings(self, account: Address) -> int:
        """What an account earned as trainer or aggregator."""
        if account in self.numbers:
            return self.earned[self.numbers[account]]
        return self.fees[self.aggregators.index(account)] if account in self.aggregators else 0

    def trainer_accounts(self) -> tuple[Account, ...]:
        """As the contract holds them, by number."""
        return tuple(Account(*pair) for pair in zip(self.holders, self.earned, strict=True))

    def aggregator_accounts(self) -> tuple[Account, ...]:
        """As the contract holds them, in the order of turns."""
        return tuple(Account(*pair) for pair in zip(self.aggregators, self.fees, strict=True))

    def membership(self, account: Address) -> Member:
        """An address's part as the contract holds it."""
        index = self.aggregators.index(account) + 1 if account in self.aggregators else 0
        return Member(
            number=self.numbers[account] + 1 if account in self.numbers else 0,
            index=index,
            left=account in self.left,
            locked=self.locked.get(account, 0),
            claimed=self.claimed.get(account, 0),
        )
