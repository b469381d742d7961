"""Typed reads of a TrainingMarket and of the contracts it works with."""

from __future__ import annotations

import functools
from typing import Any, Self

from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.types import BlockIdentifier

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.contracts import GRAM_VERIFIER, MARKET, REPUTATION, contract_at
from marketplace.chain.endpoint import RETRY_FOR_S, translated_errors
from marketplace.chain.types import (
    Address,
    Circuit,
    Project,
    Record,
    Status,
    Submission,
    Terms,
    address,
)
from marketplace.chain.vault import VaultClient
from marketplace.errors import FairshareError, Reason


class MarketClient(ChainClient):
    """A TrainingMarket at `market_address`, reached through `rpc_url`.

    Every view takes `block` (number, hash or tag) and raises: CHAIN_UNREACHABLE when the endpoint stays
    silent for `retry_for_s` seconds, NO_CONTRACT when the contract does not answer as one, NOT_FOUND for an
    unknown project.
    """

    def __init__(
        self,
        rpc_url: str,
        market_address: str,
        *,
        expected_chain_id: int | None = None,
        retry_for_s: float = RETRY_FOR_S,
    ) -> None:
        try:
            self.address = address(market_address)
        except ValueError as error:
            raise FairshareError(
                Reason.BAD_INPUT,
                f"{market_address!r} is no address",
                "give the market's address, 0x and 40 hex digits",
            ) from error
        super().__init__(rpc_url, expected_chain_id=expected_chain_id, retry_for_s=retry_for_s)
        self.market: Contract = contract_at(self.web3, MARKET, self.address)

    def connect(self) -> Self:
        """Checks the chain's id and that a TrainingMarket lives at the address; returns self.

        Raises CHAIN_UNREACHABLE, WRONG_CHAIN, NO_CONTRACT.
        """
        super().connect()
        if not self.code(self.address):
            raise FairshareError(
                Reason.NO_CONTRACT,
                f"there is no contract at {self.address} on chain {self.chain_id}",
                "check the market's address and the chain",
            )
        try:
            parts = (self.vault.address, self.reputation.address, self.gram_verifier.address)
            self.project_count()
        except FairshareError as error:
            if error.reason is not Reason.REFUSED:
                raise
            raise self._no_market() from error
        if not all(self.code(address(part)) for part in parts):
            raise self._no_market()
        return self

    # The contracts around the market

    @functools.cached_property
    def vault(self) -> VaultClient:
        """The market's stake vault."""
        return VaultClient(self.web3, address(self._call(self.market.functions.vault(), "latest")))

    @functools.cached_property
    def reputation(self) -> Contract:
        """The market's reputation registry."""
        return contract_at(
            self.web3, REPUTATION, address(self._call(self.market.functions.reputation(), "latest"))
        )

    @functools.cached_property
    def gram_verifier(self) -> Contract:
        """The market's registry of circuits."""
        found = address(self._call(self.market.functions.gramVerifier(), "latest"))
        return contract_at(self.web3, GRAM_VERIFIER, found)

    @functools.cached_property
    def judge(self) -> Address:
        """The contract that holds the rules from G to pay."""
        return address(self._call(self.market.functions.judge(), "latest"))

    def circuit(self, digest: bytes, *, block: BlockIdentifier = "latest") -> Circuit:
        """The circuit registered under `digest`; NOT_FOUND when none is."""
        circuit = Circuit.from_abi(self._call(self.gram_verifier.functions.circuitOf(digest), block))
        if circuit.slots == 0:
            raise FairshareError(
                Reason.NOT_FOUND,
                f"no circuit is registered under 0x{digest.hex()}",
                "register the circuit first",
            )
        return circuit

    def trainer_record(self, trainer: Address, *, block: BlockIdentifier = "latest") -> Record:
        """Track record as a trainer; all zeros for an unknown address."""
        return Record.from_abi(self._call(self.reputation.functions.trainerRecord(trainer), block))

    def aggregator_record(self, aggregator: Address, *, block: BlockIdentifier = "latest") -> Record:
        """Track record as an aggregator; all zeros for an unknown address."""
        return Record.from_abi(self._call(self.reputation.functions.aggregatorRecord(aggregator), block))

    # Projects

    def project_count(self, *, block: BlockIdentifier = "latest") -> int:
        """How many projects were ever created."""
        return int(self._call(self.market.functions.projectCount(), block))

    def project(self, project: int, *, block: BlockIdentifier = "latest") -> Project:
        """A project's state."""
        state = Project.from_abi(self._call(self.market.functions.projectOf(project), block))
        if state.status is Status.NONE:
            raise self._no_project(project)
        return state

    def terms(self, project: int, *, block: BlockIdentifier = "latest") -> Terms:
        """What its owner fixed."""
        terms = Terms.from_abi(self._call(self.market.functions.termsOf(project), block))
        if terms.slots == 0:
            raise self._no_project(project)
        return terms

    def trainers(self, project: int, *, block: BlockIdentifier = "latest") -> tuple[Address, ...]:
        """Trainers by slot; an empty slot holds the zero address."""
        return tuple(
            Address(trainer) for trainer in self._call(self.market.functions.trainersOf(project), block)
        )

    def aggregators(self, project: int, *, block: BlockIdentifier = "latest") -> tuple[Address, ...]:
        """Aggregators by index."""
        found = self._call(self.market.functions.aggregatorsOf(project), block)
        return tuple(Address(aggregator) for aggregator in found)

    def slot_of(self, project: int, trainer: Address, *, block: BlockIdentifier = "latest") -> int | None:
        """The trainer's slot; None if it has none."""
        slot = int(self._call(self.market.functions.slotOf(project, trainer), block))
        return slot - 1 if slot else None

    def aggregator_index_of(
        self, project: int, aggregator: Address, *, block: BlockIdentifier = "latest"
    ) -> int | None:
        """The aggregator's place in the list; None if it has none."""
        index = int(self._call(self.market.functions.aggregatorIndexOf(project, aggregator), block))
        return index - 1 if index else None

    def locked_of(self, project: int, account: Address, *, block: BlockIdentifier = "latest") -> int:
        """What the vault still holds locked for `account` in this project."""
        return int(self._call(self.market.functions.lockedOf(project, account), block))

    def submission(
        self, project: int, round: int, slot: int, *, block: BlockIdentifier = "latest"
    ) -> Submission | None:
        """What a slot submitted in a round; None if it did not."""
        digest, position = self._call(self.market.functions.submissionOf(project, round, slot), block)
        return Submission(digest=bytes(digest), position=int(position)) if int(position) else None

    def credit_of(self, token: Address, account: Address, *, block: BlockIdentifier = "latest") -> int:
        """What `account` may claim, in the token's smallest unit."""
        return int(self._call(self.market.functions.creditOf(token, account), block))

    def _call(self, function: ContractFunction, block: BlockIdentifier) -> Any:
        with translated_errors(f"read {function.fn_name}"):
            return function.call(block_identifier=block)

    def _no_project(self, project: int) -> FairshareError:
        return FairshareError(
            Reason.NOT_FOUND, f"there is no project {project}", "`fairshare project list` shows all projects"
        )

    def _no_market(self) -> FairshareError:
        return FairshareError(
            Reason.NO_CONTRACT,
            f"the contract at {self.address} is no TrainingMarket",
            "check the market's address",
        )
