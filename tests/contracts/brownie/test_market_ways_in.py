"""Whole lives of projects that people enter otherwise: relayed, by a wallet, from a list, by reputation, by permit.

In each of them a round is paid, and in the end everybody has everything and the contracts have nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from brownie import Contract, web3
from brownie.exceptions import VirtualMachineError
from game import KEY, Game
from rounds import CHALLENGE_S, SLOTS, UNBONDING_DELAY_S, WINDOW_S, terms
from wire import wait
from world import World, refusal

from marketplace.chain.compile import compile_source
from marketplace.chain.permit import sign_permit
from marketplace.chain.types import NATIVE_COIN, Address, Permit, Status, address
from marketplace.spec import allowed_list

# No two scores or norms are equal, so each median is one slot's.
UPDATES = {slot: (100 + slot**3, 50 - 7 * slot, slot**2, 3) for slot in range(SLOTS)}
OWNER, FIRST, AGGREGATOR = 1, 2, 2 + SLOTS  # accounts
FOREVER = 2**40
WALLET = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
contract Wallet {
    address private immutable _owner = msg.sender;
    receive() external payable {}
    function run(address to, uint256 value, bytes calldata data) external {
        require(msg.sender == _owner);
        (bool done, ) = to.call{value: value}(data);
        require(done);
    }
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        return ECDSA.recover(hash, signature) == _owner ? this.isValidSignature.selector : bytes4(0);
    }
}"""


class Wallet:
    """A contract that takes part; its owner signs for it, and sends what it sends."""

    def __init__(self, world: World, owner: Any) -> None:
        self.world, self.owner = world, owner
        artifact = compile_source("Wallet", WALLET)
        created = owner.transfer(data="0x" + artifact.bytecode)
        abi = [dict(entry) for entry in artifact.abi]
        self._contract = Contract.from_abi("Wallet", created.contract_address, abi)
        self.address = str(self._contract.address)

    def __str__(self) -> str:
        return self.address

    def send(self, contract: Any, name: str, *arguments: Any, value: int = 0) -> None:
        data = getattr(contract, name).encode_input(*arguments)
        self._contract.run(contract.address, value, data, {"from": self.owner})


def refused(call: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(VirtualMachineError) as caught:
        call(*arguments)
    return refusal(caught.value)


def paid_round(game: Game, accounts: Any, *, submitted: Sequence[int] = ()) -> None:
    """The rest of a project of one round: trainers in seats that have not `submitted` do, and the result is paid."""
    world, project = game.world, game.project
    for slot in set(range(SLOTS)) - set(submitted):
        game.submit(1, slot, accounts[FIRST + slot], UPDATES[slot])
    state = game.state()
    result, judgement, updates = game.honest(state, 0)
    game.post(state, result, updates)
    assert game.state().model == game.expected_model(state.model, updates, judgement)
    wait(CHALLENGE_S)
    world.market.settle(project, {"from": accounts[0]})
    assert game.state().status is Status.SETTLED


def paid_out(game: Game, people: Sequence[str], wallet: Wallet | None = None) -> dict[str, int]:
    """Everybody takes everything; what each one earned."""
    market, vault, token = game.world.market, game.world.vault, game.terms.token
    earned = {person: int(market.claimable(game.project, person)) for person in people}
    for person in people:
        before = game.world.balance(token, person)
        if earned[person]:
            market.claim(game.project, person, {"from": people[0]})
        assert game.world.balance(token, person) - before == earned[person]
        if market.membershipOf(game.project, person)[3]:
            _sent(wallet, person, market, "release", game.project)
        if free := int(vault.freeOf(token, person)):
            _sent(wallet, person, vault, "unbond", token, free)
    wait(UNBONDING_DELAY_S)
    for person in people:
        if vault.unbondingOf(token, person)[0]:
            _sent(wallet, person, vault, "withdraw", token)
    assert game.world.balance(token, market) == game.world.balance(token, vault) == 0
    return earned


def _sent(wallet: Wallet | None, person: str, contract: Any, name: str, *arguments: Any) -> None:
    if wallet is not None and person == wallet.address:
        wallet.send(contract, name, *arguments)
    else:
        getattr(contract, name)(*arguments, {"from": person})


def test_relayed_submissions_of_an_account_and_of_a_wallet(world: World, accounts: Any) -> None:
    game = Game(world, terms(world.circuit, rounds=1), accounts[OWNER])
    project, stake, seat = game.project, game.terms.trainer_stake, 2
    for slot in range(seat):
        game.join(accounts[FIRST + slot])
    wallet = Wallet(world, accounts[FIRST + seat])
    accounts[0].transfer(wallet.address, stake)
    wallet.send(world.vault, "deposit", NATIVE_COIN, stake, value=stake)
    wallet.send(world.market, "join", project, KEY)
    for slot in range(seat + 1, SLOTS):
        game.join(accounts[FIRST + slot])
    game.join_as_aggregator(accounts[AGGREGATOR])
    world.market.start(project, {"from": accounts[0]})
    relayer, trainer = accounts[0], accounts[FIRST]
    by_key = world.signed(trainer, game.relayed(1, trainer, UPDATES[0]))
    by_owner = world.signed(wallet.owner, game.relayed(1, wallet, UPDATES[seat]))
    by_another = world.signed(accounts[FIRST], game.relayed(1, wallet, UPDATES[seat]))
    assert refused(game.submit_signed, 1, seat, wallet, UPDATES[seat], by_another, relayer) == "NotSigned"
    assert refused(game.submit_signed, 1, 0, trainer, UPDATES[1], by_key, relayer) == "NotSigned"
    assert refused(game.submit_signed, 1, 1, trainer, UPDATES[0], by_key, relayer) == "NotYourSeat"
    game.submit_signed(1, 0, trainer, UPDATES[0], by_key, relayer)
    game.submit_signed(1, seat, wallet, UPDATES[seat], by_owner, relayer)
    assert refused(game.submit_signed, 1, 0, trainer, UPDATES[0], by_key, relayer) == "AlreadySubmitted"
    paid_round(game, accounts, submitted=(0, seat))
    earned = paid_out(game, [*map(str, accounts[: AGGREGATOR + 1]), wallet.address], wallet)
    assert earned[str(trainer)] > 0
    outcome = game.outcomes[1][0]
    assert earned[wallet.address] == dict(zip(outcome.numbers, outcome.amounts, strict=True))[seat]


def test_a_listed_aggregator(world: World, accounts: Any) -> None:
    listed = [address(str(account)) for account in accounts[AGGREGATOR : AGGREGATOR + 3]]
    game = Game(world, terms(world.circuit, rounds=1, aggregators=allowed_list.root(listed)), accounts[OWNER])
    for slot in range(SLOTS):
        game.join(accounts[FIRST + slot])
    stranger, second = accounts[AGGREGATOR + 3], accounts[AGGREGATOR + 1]
    proof = allowed_list.proof(listed, listed[1])
    assert refused(game.join_as_aggregator, stranger) == "NotListed"
    assert refused(game.join_as_aggregator, stranger, proof) == "NotListed"  # another's
    game.join_as_aggregator(second, proof)
    world.market.start(game.project, {"from": accounts[0]})
    paid_round(game, accounts)
    earned = paid_out(game, [str(account) for account in accounts[: AGGREGATOR + 4]])
    assert earned[str(second)] == game.terms.aggregator_fee
    assert earned[str(stranger)] == 0


def test_a_project_for_those_with_a_reputation(world: World, accounts: Any) -> None:
    people = [str(account) for account in accounts[: AGGREGATOR + 1]]
    first = _joined(Game(world, terms(world.circuit, rounds=1), accounts[OWNER]), accounts)
    paid_round(first, accounts)
    paid_out(first, people)
    scores = [int(world.reputation.scoreOf(accounts[FIRST + slot])) for slot in range(SLOTS)]
    needed = min(score for score in scores if score) // 2
    floor = terms(world.circuit, rounds=1, min_reputation=needed, trainers=SLOTS, join_window=WINDOW_S)
    second = Game(world, floor, accounts[OWNER])
    assert refused(second.join, accounts[-1]) == "ReputationTooLow"
    able = [slot for slot in range(SLOTS) if scores[slot]]
    for slot in sorted(set(range(SLOTS)) - set(able)):
        assert refused(second.join, accounts[FIRST + slot]) == "ReputationTooLow"
    for slot in able:
        second.join(accounts[FIRST + slot])
    second.join_as_aggregator(accounts[AGGREGATOR])
    wait(WINDOW_S)
    world.market.start(second.project, {"from": accounts[0]})
    for seat, slot in enumerate(able):
        second.submit(1, seat, accounts[FIRST + slot], UPDATES[slot])
    paid_round(second, accounts, submitted=range(SLOTS))
    paid_out(second, [*people, str(accounts[-1])])


def test_everything_by_permit(world: World, accounts: Any) -> None:
    """Nobody has approved anything beforehand."""
    source = Path(__file__).parents[1] / "forge" / "support" / "Tokens.sol"
    artifact = compile_source("PermitToken", source.read_text("utf8"))
    created = accounts[0].transfer(data="0x" + artifact.bytecode)
    abi = [dict(entry) for entry in artifact.abi]
    token = Contract.from_abi("PermitToken", created.contract_address, abi)
    there = replace(world, erc20=token)
    given = terms(world.circuit, rounds=1, token=address(token.address))
    people = [str(account) for account in accounts[: AGGREGATOR + 1]]
    for person in people[OWNER:]:
        token.mint(person, 10**9, {"from": person})
        assert token.allowance(person, world.market) == token.allowance(person, world.vault) == 0
    wrong = _permit(there, people[FIRST], world.market, given.reward)
    assert refused(Game, there, given, accounts[OWNER], wrong) == "PermitRejected"
    game = Game(there, given, accounts[OWNER], _permit(there, people[OWNER], world.market, given.reward))
    for person in people[FIRST:]:
        amount = given.trainer_stake if person != people[AGGREGATOR] else given.aggregator_bond
        permit = _permit(there, person, world.vault, amount).to_abi()
        world.vault.depositWithPermit(token, amount, permit, {"from": person})
    for trainer in people[FIRST:AGGREGATOR]:
        world.market.join(game.project, KEY, {"from": trainer})
    world.market.joinAsAggregator(game.project, KEY, b"", [], {"from": people[AGGREGATOR]})
    world.market.start(game.project, {"from": accounts[0]})
    paid_round(game, accounts)
    earned = paid_out(game, people)
    assert sum(earned.values()) == given.reward + game.outcomes[1][0].slashed


def _joined(game: Game, accounts: Any) -> Game:
    """Started, with a trainer in each seat."""
    for slot in range(SLOTS):
        game.join(accounts[FIRST + slot])
    game.join_as_aggregator(accounts[AGGREGATOR])
    game.world.market.start(game.project, {"from": accounts[0]})
    return game


def _permit(world: World, person: str, spender: Any, amount: int) -> Permit:
    token: Address = address(str(world.erc20.address))
    given = sign_permit(web3, token, world.keys[person], address(spender.address), amount, FOREVER)
    assert given is not None
    return given
