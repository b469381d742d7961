"""Typed reads of a chain, whatever contracts live on it."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

from hexbytes import HexBytes
from web3 import Web3
from web3.types import BlockIdentifier

from marketplace.chain.endpoint import RETRY_FOR_S, EndpointProvider, translated_errors, web3_on
from marketplace.chain.failover import FailoverProvider, Say, silent
from marketplace.chain.finality import default_confirmations
from marketplace.chain.heads import Heads
from marketplace.chain.json_rpc import (
    ask,
    ask_all,
    block_at,
    block_tag,
    header_in,
    is_hash,
    number_in,
    request,
    result_in,
)
from marketplace.chain.looks import Habit, Look
from marketplace.chain.types import Address, Block
from marketplace.chain.views import Question
from marketplace.errors import FairshareError, Reason


class ChainClient:
    """The chain behind `rpc_url`: one endpoint, or several of which one is used (see `FailoverProvider`).

    Every method raises CHAIN_UNREACHABLE when no endpoint answers for `retry_for_s` seconds. `say` is told, in a line,
    of every change of the endpoint. `confirmations`: after how many further blocks a block is taken for final; None:
    as many as the chain usually needs. `heads`: wakes who waits for the chain.
    """

    def __init__(
        self,
        rpc_url: str | Sequence[str],
        *,
        expected_chain_id: int | None = None,
        retry_for_s: float = RETRY_FOR_S,
        say: Say = silent,
        confirmations: int | None = None,
    ) -> None:
        self.rpc_urls = (rpc_url,) if isinstance(rpc_url, str) else tuple(dict.fromkeys(rpc_url))
        if not self.rpc_urls:
            raise FairshareError(Reason.BAD_INPUT, "no endpoint is named", "give one with --rpc")
        self.say = say
        self._failover: FailoverProvider | None = None
        if len(self.rpc_urls) > 1:
            self._failover = FailoverProvider(
                self.rpc_urls, retry_for_s=retry_for_s, expected_chain_id=expected_chain_id, say=say
            )
        self.web3: Web3 = web3_on(self._failover or EndpointProvider(self.rpc_urls[0], retry_for_s))
        self.heads = Heads(lambda: self.rpc_url)
        self._expected_chain_id = expected_chain_id
        self._confirmations = confirmations
        self._looks = threading.local()

    @property
    def rpc_url(self) -> str:
        """The endpoint in use."""
        return self.rpc_urls[0] if self._failover is None else self._failover.url

    @property
    def confirmations(self) -> int:
        """After how many further blocks a block is taken for final."""
        return default_confirmations(self.chain_id) if self._confirmations is None else self._confirmations

    def connect(self) -> Self:
        """Checks that the endpoint answers for the expected chain; returns self. Raises WRONG_CHAIN."""
        chain_id = self.chain_id
        if self._expected_chain_id is not None and chain_id != self._expected_chain_id:
            raise FairshareError(
                Reason.WRONG_CHAIN,
                f"the endpoint serves chain {chain_id}, but chain {self._expected_chain_id} is expected",
                "give the endpoint of the right chain",
            )
        return self

    @functools.cached_property
    def chain_id(self) -> int:
        """EIP-155 id of the endpoint's chain."""
        with translated_errors("read the chain's id"):
            return number_in(ask(self.web3, request("eth_chainId")))

    def latest_block(self) -> Block:
        """The newest block's header."""
        return self.block("latest")

    def block(self, block: BlockIdentifier) -> Block:
        """A block's header; NOT_FOUND when the chain has no such block."""
        with translated_errors(f"read block {block!r}"):
            return Block(*header_in(block_at(self.web3, block)))

    def code(self, account: Address, *, block: BlockIdentifier = "latest") -> bytes:
        """Runtime code at `account`; empty when it is no contract."""
        with translated_errors(f"read the code at {account}"):
            return bytes(self.web3.eth.get_code(Web3.to_checksum_address(account), block))

    def call(self, doing: str, question: Question, *, block: BlockIdentifier = "latest") -> Any:
        """What a view answers.

        Raises NO_CONTRACT where the contract does not answer as one of ours; what its revert means (see `reverts`).
        """
        look = self.look
        if look is not None and block == look.block:
            with translated_errors(doing):
                return question.answer_in(result_in(look.answer(question)))
        tag = self._tag(block)
        with translated_errors(doing):
            return question.answer_in(ask(self.web3, question.request(tag)))

    def call_many(
        self, doing: str, questions: Sequence[Question], *, block: BlockIdentifier = "latest"
    ) -> list[Any]:
        """What each of the views answers, all of them at `block`: in batches, where the endpoint takes them.

        Raises what a single call raises.
        """
        tag = self._tag(block)
        with translated_errors(doing):
            found = ask_all(self.web3, [question.request(tag) for question in questions])
            return [question.answer_in(result) for question, result in zip(questions, found, strict=True)]

    @contextmanager
    def looking(self, block: Block, habit: Habit) -> Iterator[None]:
        """While the `with` block runs, this thread asks each view at `block.number` once (see `looks`)."""
        before, self._looks.current = self.look, Look(self.web3, block.number, habit)
        try:
            yield
        finally:
            self._looks.current.end()
            self._looks.current = before

    @property
    def looked_at(self) -> BlockIdentifier:
        """The number of the block that this thread looks at; the newest block where it looks at none."""
        return "latest" if self.look is None else self.look.block

    @property
    def look(self) -> Look | None:
        """What this thread has read of the block that it looks at; None where it looks at none."""
        return getattr(self._looks, "current", None)

    def _tag(self, block: BlockIdentifier) -> str:
        """For a hash the number of its block: not every endpoint calls at a hash."""
        return block_tag(self.block(block).number if is_hash(block) else block)

    def transaction_input(self, transaction_hash: bytes) -> bytes:
        """The calldata of a transaction; NOT_FOUND when the chain has none of that hash."""
        with translated_errors("read a transaction"):
            return bytes(self.web3.eth.get_transaction(HexBytes(transaction_hash))["input"])
