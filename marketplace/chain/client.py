"""Typed reads of a TrainingMarket and of the contracts it works with."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Self, TypeVar

from web3.contract import Contract
from web3.types import BlockIdentifier

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.contracts import GRAM_VERIFIER, MARKET, REPUTATION, contract_at
from marketplace.chain.endpoint import RETRY_FOR_S, translated_errors
from marketplace.chain.failover import Say, silent
from marketplace.chain.log_span import Span
from marketplace.chain.memory import EventMemory
from marketplace.chain.types import (
    AbiStruct,
    Account,
    Address,
    Challenge,
    Circuit,
    Cohort,
    Member,
    Project,
    Record,
    Status,
    Terms,
    address,
)
from marketplace.chain.vault import VaultClient
from marketplace.chain.views import Question, view
from marketplace.errors import FairshareError, Reason

MOST_TRAINERS = 1 << 24  # of a project: contracts/libraries/TermsCheck.sol
_TRAINERS_AT_ONCE = 10_000

S = TypeVar("S", bound=AbiStruct)


class MarketClient(ChainClient):
    """A TrainingMarket at `market_address`, reached through `rpc_url`; see `ChainClient` for the other arguments.

    Every view takes `block` (number, hash or tag) and raises: CHAIN_UNREACHABLE when the endpoint stays
    silent for `retry_for_s` seconds, NO_CONTRACT when the contract does not answer as one, NOT_FOUND for an
    unknown project. `from_block`: no event of this market is in an older block. `memory` and `log_span`: what
    `events.fetch` need not read again, and how much it asks for at once.
    """

    def __init__(
        self,
        rpc_url: str | Sequence[str],
        market_address: str,
        *,
        expected_chain_id: int | None = None,
        retry_for_s: float = RETRY_FOR_S,
        say: Say = silent,
        confirmations: int | None = None,
        from_block: int = 0,
    ) -> None:
        try:
            self.address = address(market_address)
        except ValueError as error:
            raise FairshareError(
                Reason.BAD_INPUT,
                f"{market_address!r} is no address",
                "give the market's address, 0x and 40 hex digits",
            ) from error
        super().__init__(
            rpc_url,
            expected_chain_id=expected_chain_id,
            retry_for_s=retry_for_s,
            say=say,
            confirmations=confirmations,
        )
        self.from_block = from_block
        self.memory, self.log_span = EventMemory(), Span()

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
            parts = (self.vault.address, self.reputation_address, self.gram_verifier_address)
            self.project_count()
        except FairshareError as error:
            if error.reason is not Reason.REFUSED:
                raise
            raise self._no_market() from error
        if not all(map(self.code, parts)):
            raise self._no_market()
        return self

    # web3's contract objects take long to make, and are for transactions only

    @functools.cached_property
    def market(self) -> Contract:
        """The market, for calls that change it."""
        return contract_at(self.web3, MARKET, self.address)

    @functools.cached_property
    def reputation(self) -> Contract:
        """The market's reputation registry."""
        return contract_at(self.web3, REPUTATION, self.reputation_address)

    @functools.cached_property
    def gram_verifier(self) -> Contract:
        """The market's registry of circuits."""
        return contract_at(self.web3, GRAM_VERIFIER, self.gram_verifier_address)

    # The contracts around the market

    @functools.cached_property
    def vault(self) -> VaultClient:
        """The market's stake vault."""
        return VaultClient(self, address(self._call("vault", block="latest")))

    @functools.cached_property
    def reputation_address(self) -> Address:
        """The market's reputation registry."""
        return address(self._call("reputation", block="latest"))

    @functools.cached_property
    def gram_verifier_address(self) -> Address:
        """The market's registry of circuits."""
        return address(self._call("gramVerifier", block="latest"))

    @functools.cached_property
    def judge(self) -> Address:
        """The contract that holds the rules from G to pay."""
        return address(self._call("judge", block="latest"))

    def circuit(self, digest: bytes, *, block: BlockIdentifier = "latest") -> Circuit:
        """The circuit registered under `digest`; NOT_FOUND when none is."""
        asked = view(GRAM_VERIFIER, "circuitOf").at(self.gram_verifier_address, (digest,))
        circuit = self._read(Circuit, asked, block)
        if circuit.slots == 0:
            raise FairshareError(
                Reason.NOT_FOUND,
                f"no circuit is registered under 0x{digest.hex()}",
                "register the circuit first",
            )
        return circuit

    def trainer_record(self, trainer: Address, *, block: BlockIdentifier = "latest") -> Record:
        """Track record as a trainer; all zeros for an unknown address."""
        return self._read(Record, self._record("trainerRecord", trainer), block)

    def aggregator_record(self, aggregator: Address, *, block: BlockIdentifier = "latest") -> Record:
        """Track record as an aggregator; all zeros for an unknown address."""
        return self._read(Record, self._record("aggregatorRecord", aggregator), block)

    def score_of(self, trainer: Address, *, block: BlockIdentifier = "latest") -> int:
        """The trainer's reputation now, what `Terms.min_reputation` is compared with."""
        return int(self.call("read scoreOf", self._record("scoreOf", trainer), block=block))

    # Projects

    def project_count(self, *, block: BlockIdentifier = "latest") -> int:
        """How many projects were ever created."""
        return int(self._call("projectCount", block=block))

    def project(self, project: int, *, block: BlockIdentifier = "latest") -> Project:
        """A project's state."""
        state = self._read(Project, self.market_view("projectOf", project), block)
        if state.status is Status.NONE:
            raise self._no_project(project)
        return state

    def terms(self, project: int, *, block: BlockIdentifier = "latest") -> Terms:
        """What its owner fixed."""
        terms = self._read(Terms, self.market_view("termsOf", project), block)
        if terms.slots == 0:
            raise self._no_project(project)
        return terms

    def cohort(self, project: int, index: int, *, block: BlockIdentifier = "latest") -> Cohort:
        """A cohort's round under way, as stored: what it holds counts only where its `round` is the project's."""
        return self._read(Cohort, self.market_view("cohortOf", project, index), block)

    def challenge(self, project: int, *, block: BlockIdentifier = "latest") -> Challenge:
        """The challenge of the previous round; its kind is NONE when none is open."""
        return self._read(Challenge, self.market_view("challengeOf", project), block)

    def complaint(
        self, project: int, round: int, cohort: int, slot: int, *, block: BlockIdentifier = "latest"
    ) -> bytes | None:
        """The digest that a complaint about this slot is about; None where there is none."""
        digest = bytes(self._call("complaintOf", project, round, cohort, slot, block=block))
        return digest if any(digest) else None

    def complained_chunk(
        self, project: int, round: int, cohort: int, slot: int, *, block: BlockIdentifier = "latest"
    ) -> int:
        """Sketch path: the chunk that a complaint about this slot names; 0 as well where there is none."""
        return int(self._call("complainedChunkOf", project, round, cohort, slot, block=block))

    def standing_answer(self, project: int, *, block: BlockIdentifier = "latest") -> bytes | None:
        """Sketch path: hash of the values of the answer that stands to a challenge of a sketch, if one does."""
        values = bytes(self._call("standingAnswerOf", project, block=block))
        return values if any(values) else None

    def signed_hash(
        self, project: int, round: int, digest: bytes, *, block: BlockIdentifier = "latest"
    ) -> bytes:
        """What a trainer signs for a batch, as the contract computes it (see `submission`)."""
        return bytes(self._call("signedHash", project, round, digest, block=block))

    # Members

    def trainer(self, project: int, number: int, *, block: BlockIdentifier = "latest") -> Account:
        """The trainer by number, from 0; its holder is the zero address where there is none."""
        return self._read(Account, self.market_view("trainerOf", project, number), block)

    def trainer_accounts(self, project: int, *, block: BlockIdentifier = "latest") -> tuple[Account, ...]:
        """All trainers by number, those that left while Active included: they keep their number.

        Reads in batches of requests (`ChainClient.call_many`), as there may be many.
        """
        state = self.project(project, block=block)
        count = max(state.drawn_from, state.trainer_count)
        if count > MOST_TRAINERS:
            raise FairshareError(
                Reason.INTEGRITY,
                f"the endpoint states {count} trainers where the contract takes {MOST_TRAINERS} at most",
                "use another endpoint",
            )
        found: list[Account] = []
        for first in range(0, count, _TRAINERS_AT_ONCE):
            numbers = range(first, min(first + _TRAINERS_AT_ONCE, count))
            views = [self.market_view("trainerOf", project, number) for number in numbers]
            with translated_errors("read trainers"):
                found += map(Account.from_abi, self.call_many("read trainers", views, block=block))
        return tuple(found)

    def trainers(self, project: int, *, block: BlockIdentifier = "latest") -> tuple[Address, ...]:
        """The trainers' addresses by number; see `trainer_accounts`."""
        return tuple(account.holder for account in self.trainer_accounts(project, block=block))

    def number_of(
        self, project: int, round: int, seat: int, *, block: BlockIdentifier = "latest"
    ) -> int | None:
        """The number of the trainer that has this seat (cohort * K + slot) in a round; None: it is empty."""
        try:
            return int(self._call("numberOf", project, round, seat, block=block))
        except FairshareError as error:
            if error.reason is not Reason.REFUSED:
                raise
            return None

    def aggregators(self, project: int, *, block: BlockIdentifier = "latest") -> tuple[Account, ...]:
        """Aggregators in the order of their turns, those whose turn is over included."""
        found = self._call("aggregatorsOf", project, block=block)
        with translated_errors("read aggregators"):
            return tuple(Account.from_abi(values) for values in found)

    def membership(self, project: int, account: Address, *, block: BlockIdentifier = "latest") -> Member:
        """An address's part in a project; all zero for a stranger."""
        return self._read(Member, self.market_view("membershipOf", project, account), block)

    def claimable(self, project: int, account: Address, *, block: BlockIdentifier = "latest") -> int:
        """What `account` may claim in a project once nothing can be challenged, in the token's smallest unit."""
        return int(self._call("claimable", project, account, block=block))

    def market_view(self, name: str, *arguments: Any) -> Question:
        """A view of the market's interface, for `call` and `call_many`."""
        return view(MARKET, name).at(self.address, arguments)

    def _record(self, name: str, account: Address) -> Question:
        return view(REPUTATION, name).at(self.reputation_address, (account,))

    def _read(self, kind: type[S], question: Question, block: BlockIdentifier) -> S:
        doing = f"read {question.view.name}"
        found = self.call(doing, question, block=block)
        with translated_errors(doing):
            return kind.from_abi(found)

    def _call(self, name: str, *arguments: Any, block: BlockIdentifier) -> Any:
        return self.call(f"read {name}", self.market_view(name, *arguments), block=block)

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
