"""What an account may spend on gas: a cap for a unit of it, and a budget for each project. Pure, in wei."""

from __future__ import annotations

import dataclasses
import re

from marketplace.errors import FairshareError, Reason

_PROJECT = re.compile(r"[a-z-]+:([0-9]{1,19})(?::|$)")
_WARN_AT = (4, 5)  # of a budget
_COIN, _GWEI = 10**18, 10**9


@dataclasses.dataclass(frozen=True)
class Limits:
    """What the user allows; None: as much as it takes."""

    max_fee: int | None = None  # for a unit of gas
    gas_budget: int | None = None  # of a project, over all its transactions


NO_LIMITS = Limits()


@dataclasses.dataclass(frozen=True)
class Spending:
    """A project's gas so far: `spent` in blocks, `reserved` by what is under way, each at the most it may cost."""

    project: int
    budget: int
    spent: int
    reserved: int

    @property
    def left(self) -> int:
        """What the next transaction may cost at most."""
        return max(0, self.budget - self.spent - self.reserved)

    def is_nearly_used(self, needed: int) -> bool:
        """Whether with another `needed` the budget is used up but for a fifth."""
        return (self.spent + self.reserved + needed) * _WARN_AT[1] >= self.budget * _WARN_AT[0]

    def in_words(self) -> str:
        """One line."""
        under_way = f", {coins(self.reserved)} more may go to what is under way" if self.reserved else ""
        spent = f"{coins(self.spent)} of its gas budget of {coins(self.budget)}"
        return f"project {self.project} has spent {spent}{under_way}"

    def refusal(self, needed: int) -> FairshareError:
        """OVER_BUDGET in words."""
        return FairshareError(
            Reason.OVER_BUDGET,
            f"{self.in_words()}, and this takes up to {coins(needed)}",
            "raise --gas-budget, or leave the project",
        )


def project_of(intent: str) -> int | None:
    """The project that an intent is for: `name:project` or `name:project:..`; None where it names none."""
    found = _PROJECT.match(intent)
    return None if found is None else int(found[1])


def lowest(*caps: int | None) -> int | None:
    """The lowest of several caps; None: there is none."""
    given = [cap for cap in caps if cap is not None]
    return min(given) if given else None


def coins(wei: int) -> str:
    """An amount in coins, for messages."""
    return f"{wei / _COIN:.6g} coins"


def gwei(wei: int) -> str:
    """A price for a unit of gas, for messages."""
    return f"{wei / _GWEI:.6g} gwei"
