"""Typed reads of a chain, whatever contracts live on it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Self

from hexbytes import HexBytes
from web3 import Web3
from web3.contract.contract import ContractFunction
from web3.exceptions import Web3RPCError
from web3.types import BlockIdentifier

from marketplace.chain.endpoint import RETRY_FOR_S, EndpointProvider, translated_errors, web3_on
from marketplace.chain.failover import FailoverProvider, Say, silent
from marketplace.chain.finality import default_confirmations
from marketplace.chain.heads import Heads
from marketplace.chain.types import Address, Block
from marketplace.errors import FairshareError, Reason

_BATCH = 100  # calls in a request; public endpoints take at least as many


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
            return int(self.web3.eth.chain_id)

    def latest_block(self) -> Block:
        """The newest block's header."""
        return self.block("latest")

    def block(self, block: BlockIdentifier) -> Block:
        """A block's header; NOT_FOUND when the chain has no such block."""
        with translated_errors(f"read block {block!r}"):
            found = self.web3.eth.get_block(block)
            return Block(
                number=int(found["number"]), timestamp=int(found["timestamp"]), hash=bytes(found["hash"])
            )

    def code(self, account: Address, *, block: BlockIdentifier = "latest") -> bytes:
        """Runtime code at `account`; empty when it is no contract."""
        with translated_errors(f"read the code at {account}"):
            return bytes(self.web3.eth.get_code(Web3.to_checksum_address(account), block))

    def call_many(
        self, doing: str, functions: Sequence[ContractFunction], *, block: BlockIdentifier = "latest"
    ) -> list[Any]:
        """What each of the views answers, all of them at `block`: a batch of requests where the endpoint takes
        batches, one after the other where it does not.

        Raises what a single call raises.
        """
        if isinstance(block, bytes):
            block = self.block(block).number  # web3 looks hashes up, which it cannot do inside a batch
        found: list[Any] = []
        for start in range(0, len(functions), _BATCH):
            found += self._call_batch(doing, functions[start : start + _BATCH], block)
        return found

    def _call_batch(
        self, doing: str, functions: Sequence[ContractFunction], block: BlockIdentifier
    ) -> list[Any]:
        with translated_errors(doing):
            try:
                with self.web3.batch_requests() as batch:
                    for function in functions:
                        batch.add(function.call(block_identifier=block))
                    return list(batch.execute())
            except Web3RPCError:  # no batches here, or a problem that the single call tells better
                return [function.call(block_identifier=block) for function in functions]

    def transaction_input(self, transaction_hash: bytes) -> bytes:
        """The calldata of a transaction; NOT_FOUND when the chain has none of that hash."""
        with translated_errors("read a transaction"):
            return bytes(self.web3.eth.get_transaction(HexBytes(transaction_hash))["input"])
