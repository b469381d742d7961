"""What log and chain say of an account's transactions, and their way to the chain."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from hexbytes import HexBytes
from web3.exceptions import TransactionNotFound, Web3RPCError
from web3.types import RPCResponse, TxReceipt

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.endpoint import rpc_message, translated_errors
from marketplace.chain.json_rpc import (
    Request,
    answers,
    ask,
    block_in,
    block_request,
    header_in,
    number_in,
    request,
    result_in,
)
from marketplace.chain.receipts import receipt_in, receipt_request
from marketplace.chain.transaction_log import SignedTransaction, TransactionLog
from marketplace.chain.types import Address, Block
from marketplace.errors import FairshareError, Reason

_RECEIPT_LAG_S = 3.0  # for which an endpoint may know that a nonce is used and not yet by which transaction
# What endpoints say about a transaction that is, or may be, on its way already; waiting tells.
_ON_ITS_WAY = (
    "already known",
    "already imported",
    "known transaction",
    "nonce too low",
    "underpriced",
    "base fee",
)


class Sight(NamedTuple):
    """How the chain stands to some attempts. An endpoint may look at the three in any order."""

    used_nonces: int  # of the account
    head: Block
    receipt: TxReceipt | None  # as `Outbox.mined`


class Outbox:
    """An account's logged transactions on the way to the client's chain. Signs nothing.

    Raises CHAIN_UNREACHABLE, as the client does.
    """

    def __init__(self, client: ChainClient, account: Address, log: TransactionLog, poll_s: float) -> None:
        self.client = client
        self.address = account
        self.log = log
        self._poll_s = poll_s

    def logged(self, intent: str) -> Sequence[SignedTransaction]:
        """All ever signed for an intent, oldest first."""
        return self.log.transactions(self.client.chain_id, self.address, intent)

    def receipt(self, signed: SignedTransaction) -> TxReceipt | None:
        """Of a transaction in a block of the chain; None for one that is in none."""
        return self.mined([signed])

    def mined(self, attempts: Sequence[SignedTransaction], *, succeeded: bool = False) -> TxReceipt | None:
        """The receipt of a successful attempt; else, unless only success counts, of a reverted one."""
        with translated_errors("read a receipt"):
            given = answers(self.client.web3, [receipt_request(signed.hash) for signed in attempts])
            found = _first_success(attempts, given)
        return None if found is None or (succeeded and found["status"] != 1) else found

    def look(self, attempts: Sequence[SignedTransaction]) -> Sight:
        """How the chain stands to attempts under one nonce, asked for at once."""
        nonces, newest = self._nonces("latest"), block_request("latest")
        receipts = [receipt_request(signed.hash) for signed in attempts]
        with translated_errors("look for a transaction"):
            used, head, *given = answers(self.client.web3, [nonces, newest, *receipts])
            return Sight(
                used_nonces=number_in(result_in(used)),
                head=Block(*header_in(block_in(head))),
                receipt=_first_success(attempts, given),
            )

    def mined_after_all(
        self, attempts: Sequence[SignedTransaction], *, succeeded: bool = False
    ) -> TxReceipt | None:
        """`mined` for a nonce that is used: an endpoint may count it some time before it serves the receipt.

        To take that for another's transaction would be to make the call twice.
        """
        give_up_at = time.monotonic() + _RECEIPT_LAG_S
        while True:
            receipt = self.mined(attempts, succeeded=succeeded)
            if receipt is not None or time.monotonic() > give_up_at:
                return receipt
            time.sleep(self._poll_s)

    def is_known(self, signed: SignedTransaction) -> bool:
        """Whether the endpoint has it, mined or not."""
        with translated_errors("read a transaction"):
            try:
                self.client.web3.eth.get_transaction(HexBytes(signed.hash))
            except TransactionNotFound:
                return False
        return True

    def used_nonces(self) -> int:
        """How many nonces are used up by mined transactions: the next one, where nothing is under way."""
        return self._count("latest")

    def next_nonce(self) -> int:
        """The first nonce that nothing mined or waiting at the endpoint has."""
        return self._count("pending")

    def _count(self, block: str) -> int:
        with translated_errors("read the account's nonce"):
            return number_in(ask(self.client.web3, self._nonces(block)))

    def _nonces(self, block: str) -> Request:
        return request("eth_getTransactionCount", self.address, block)

    def under_way(self) -> Sequence[SignedTransaction]:
        """What was signed and is not mined: the newest for each nonce, by nonce."""
        return self.log.transactions_from_nonce(self.client.chain_id, self.address, self.used_nonces())

    def broadcast_up_to(self, wanted: SignedTransaction) -> None:
        """Broadcasts again `wanted` and what the log holds before it that the endpoint may have forgotten."""
        waiting = self.next_nonce()
        for earlier in self.log.transactions_from_nonce(self.client.chain_id, self.address, waiting):
            if earlier.nonce < wanted.nonce:
                self.broadcast(earlier)
        self.broadcast(wanted)

    def broadcast(self, signed: SignedTransaction) -> None:
        """Hands it to the endpoint, which may have it already. NO_FUNDS."""
        with translated_errors("send a transaction"):
            try:
                ask(self.client.web3, request("eth_sendRawTransaction", "0x" + signed.raw.hex()))
            except Web3RPCError as error:
                message = rpc_message(error).lower()
                if "insufficient funds" in message:
                    raise FairshareError(
                        Reason.NO_FUNDS,
                        f"account {self.address} cannot pay for the transaction",
                        "put more coins into the account",
                    ) from error
                if not any(phrase in message for phrase in _ON_ITS_WAY):
                    raise


def _first_success(attempts: Sequence[SignedTransaction], given: Sequence[RPCResponse]) -> TxReceipt | None:
    """Of the answers about some attempts the receipt of one that succeeded, else of the last one that reverted."""
    found: TxReceipt | None = None
    for signed, answer in zip(attempts, given, strict=True):
        receipt = receipt_in(answer, signed.hash)
        if receipt is not None and receipt["status"] == 1:
            return receipt
        found = receipt or found
    return found
