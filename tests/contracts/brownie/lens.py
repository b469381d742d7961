"""A whole project, and everybody's money, read in one call: the rule book and the watch look at it at each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from world import World

from marketplace.chain.types import Account, Challenge, Cohort, Member, Project, Terms

LENS = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;
contract Lens {
    function look(address[] calldata at, bytes[] calldata calls, address[] calldata holders)
        external view returns (bytes[] memory answers, uint256[] memory coins, uint256 time, uint256 height)
    {
        answers = new bytes[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            bool done;
            (done, answers[i]) = at[i].staticcall(calls[i]);
            require(done);
        }
        coins = new uint256[](holders.length);
        for (uint256 i = 0; i < holders.length; ++i) coins[i] = holders[i].balance;
        (time, height) = (block.timestamp, block.number);
    }
}"""


@dataclass(frozen=True)
class Stake:
    """An account's in the vault."""

    free: int
    locked: int
    unbonding: int
    ready_at: int


@dataclass(frozen=True)
class View:
    """What the chain says of a project, as of its last block."""

    time: int  # of that block
    height: int
    state: Project
    challenge: Challenge
    aggregators: Sequence[Account]
    cohorts: Sequence[Cohort]
    trainers: Sequence[str]  # by number; the zero address: has left
    members: dict[str, Member]
    claimable: dict[str, int]
    stakes: dict[str, Stake]
    balances: dict[str, int]  # of the project's token: everybody's, the market's, the vault's

    @property
    def turn(self) -> str | None:
        """The current aggregator."""
        index = self.state.aggregator_index
        return self.aggregators[index].holder if index < len(self.aggregators) else None


class Looker:
    """Reads one project; `people` are all who may have money in it."""

    def __init__(self, lens: Any, world: World, project: int, terms: Terms, people: Sequence[str]) -> None:
        self._lens, self._people = lens, people
        market, vault, self._token = world.market, world.vault, terms.token
        self._holders = [*people, str(market), str(vault)]
        self._native = int(self._token, 16) == 0
        self._calls: list[tuple[Any, str, tuple[Any, ...]]] = [
            *((market, name, (project,)) for name in ("projectOf", "challengeOf", "aggregatorsOf")),
            *((market, "cohortOf", (project, cohort)) for cohort in range(terms.cohorts)),
            *((market, "trainerOf", (project, number)) for number in range(terms.trainers)),
            *((market, "membershipOf", (project, person)) for person in people),
            *((market, "claimable", (project, person)) for person in people),
            *((vault, "freeOf", (self._token, person)) for person in people),
            *((vault, "lockedOf", (self._token, person)) for person in people),
            *((vault, "unbondingOf", (self._token, person)) for person in people),
        ]
        if not self._native:
            self._calls += [(world.erc20, "balanceOf", (holder,)) for holder in self._holders]
        at = [contract.address for contract, _, _ in self._calls]
        data = [contract.encoded(name, *arguments) for contract, name, arguments in self._calls]
        self._data = lens.encoded("look", at, data, self._holders if self._native else [])

    def look(self) -> View:
        answers, coins, time, height = self._lens.ask("look", self._data)
        values = iter(
            [
                contract.decoded(name, answer)
                for (contract, name, _), answer in zip(self._calls, answers, strict=True)
            ]
        )
        people = self._people
        state, challenge = Project.from_abi(next(values)), Challenge.from_abi(next(values))
        aggregators = [Account(*entry) for entry in next(values)]
        cohorts, trainers = [], []
        for _, name, _ in self._calls:
            if name == "cohortOf":
                cohorts.append(Cohort(*next(values)))
            elif name == "trainerOf":
                trainers.append(str(next(values)[0]))
        members = {person: Member(*next(values)) for person in people}
        claimable = {person: int(next(values)) for person in people}
        free, locked = ([int(next(values)) for _ in people] for _ in range(2))
        unbonding = [next(values) for _ in people]
        held = coins if self._native else list(values)
        return View(
            time,
            height,
            state,
            challenge,
            aggregators,
            cohorts,
            trainers,
            members,
            claimable,
            {
                person: Stake(free[i], locked[i], int(unbonding[i][0]), int(unbonding[i][1]))
                for i, person in enumerate(people)
            },
            dict(zip(self._holders, held, strict=True)),
        )
