"""Where a project stands while it is replayed: the contract's `Project`, to be filled in field by field."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Self

from marketplace.audit.members import Members
from marketplace.chain.types import NATIVE_COIN, Address, Challenge, ChallengeKind, Project, Status, Terms
from zk.curve import Point

_NOTHING = bytes(32)


@dataclass
class Standing:
    """As `Project`, without what members and outcomes give.

    `came`: reward and reveal bond; `credited`: to the owner, in all.
    """

    owner: Address
    model: Point
    last_round: int
    status: Status = Status.NONE
    round: int = 0
    aggregator_index: int = 0
    cohorts: int = 0
    open_cohorts: int = 0
    drawn: bool = False
    revealed: bool = False
    join_deadline: int = 0
    submit_deadline: int = 0
    turn_start: int = 0
    answer_deadline: int = 0
    result_deadline: int = 0
    challenge_deadline: int = 0
    reference_round: int = 0
    outcome_round: int = 0
    outcome_index: int = 0
    escrow: int = 0
    pot: int = 0
    drawn_from: int = 0
    sketched: bool = False
    seed_round: int = 0
    sketch_seed: bytes = _NOTHING
    seed: bytes = _NOTHING
    reference_digest: bytes = _NOTHING
    owner_credit: int = 0
    bonus: int = 0
    came: int = field(default=0)
    credited: int = field(default=0)

    @classmethod
    def before(cls, owner: Address, terms: Terms) -> Self:
        """Before the project is created."""
        sketched = terms.chunks != 0
        return cls(owner=owner, model=terms.initial_model, last_round=terms.rounds, sketched=sketched)

    def credit(self, amount: int) -> None:
        """The owner may claim this much more."""
        self.owner_credit += amount
        self.credited += amount

    def project(self, members: Members, outcome: bytes, *, challenged: bool) -> Project:
        """As the contract holds it."""
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        del values["came"], values["credited"]
        return Project(
            **values,
            aggregator_count=len(members.aggregators),
            trainer_count=members.trainer_count,
            outcome=outcome,
            challenged=challenged,
        )


def no_challenge() -> Challenge:
    """Before the first."""
    return Challenge(ChallengeKind.NONE, NATIVE_COIN, 0, 0, 0, 0, _NOTHING)
