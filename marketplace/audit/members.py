"""Who takes part in a project, as its events tell it."""

from __future__ import annotations

from dataclasses import dataclass, field

from marketplace.chain.types import NATIVE_COIN, Address, Terms

MAX_AGGREGATORS = 8  # TermsCheck.sol
NOBODY = NATIVE_COIN  # the zero address


@dataclass
class Members:
    """Slots, the aggregators' list, and what the vault holds locked for each account (token's unit)."""

    terms: Terms
    trainers: dict[int, Address] = field(default_factory=dict)
    aggregators: list[Address] = field(default_factory=list)
    locked: dict[Address, int] = field(default_factory=dict)

    @property
    def occupied(self) -> int:
        """Bit mask of the slots taken."""
        return sum(1 << slot for slot in self.trainers)

    def by_slot(self) -> tuple[Address, ...]:
        """K addresses; the zero address where a slot is empty."""
        return tuple(self.trainers.get(slot, NOBODY) for slot in range(self.terms.slots))

    def is_member(self, account: Address) -> bool:
        """Whether the account holds a slot or a place in the list."""
        return account in self.aggregators or account in self.trainers.values()

    def stakes(self) -> dict[int, int]:
        """What is left of each trainer's stake, by slot."""
        return {slot: self.locked.get(trainer, 0) for slot, trainer in self.trainers.items()}

    def join(self, slot: int, trainer: Address) -> str:
        """Takes a slot; returns what is wrong with that, empty where nothing is."""
        lowest = next((free for free in range(self.terms.slots) if free not in self.trainers), None)
        wrong = ""
        if slot != lowest:
            wrong = f"took slot {slot}, but the lowest free slot is {'none' if lowest is None else lowest}"
        elif self.is_member(trainer):
            wrong = "had a part in the project already"
        if slot < self.terms.slots:
            self.trainers[slot] = trainer
        self.locked[trainer] = self.terms.trainer_stake
        return wrong

    def leave(self, slot: int, trainer: Address) -> tuple[int, str]:
        """Gives a slot back; returns the stake that became free, and what is wrong."""
        wrong = "" if self.trainers.get(slot) == trainer else f"left slot {slot} that it did not hold"
        self.trainers.pop(slot, None)
        return self.locked.pop(trainer, 0), wrong

    def join_aggregator(self, index: int, aggregator: Address) -> str:
        """Appends to the list; returns what is wrong."""
        wrong = ""
        if index != len(self.aggregators) or index >= MAX_AGGREGATORS:
            wrong = f"became aggregator {index}, but the list held {len(self.aggregators)}"
        elif self.is_member(aggregator):
            wrong = "had a part in the project already"
        self.aggregators.append(aggregator)
        self.locked[aggregator] = self.terms.aggregator_bond
        return wrong

    def leave_aggregator(self, index: int, aggregator: Address) -> tuple[int, str]:
        """Leaves the list; returns the bond that became free, and what is wrong."""
        if index >= len(self.aggregators) or self.aggregators[index] != aggregator:
            return self.locked.pop(aggregator, 0), f"left place {index} of the list that it did not hold"
        del self.aggregators[index]
        return self.locked.pop(aggregator, 0), ""

    def take(self, account: Address, amount: int) -> None:
        """Takes from what is locked for an account; never below zero."""
        self.locked[account] = max(0, self.locked.get(account, 0) - amount)
