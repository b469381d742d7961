"""What log and chain say of an account's transactions, and their way to the chain."""

from __future__ import annotations

import time
from collections.abc import Sequence

from eth_typing import ChecksumAddress
from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import TransactionNotFound, Web3RPCError
from web3.types import TxReceipt

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.endpoint import rpc_message, translated_errors
from marketplace.chain.transaction_log import SignedTransaction, TransactionLog
from marketplace.chain.types import Address
from marketplace.errors import FairshareError, Reason

_NUMBERS = ("status", "blockNumber", "gasUsed", "effectiveGasPrice")  # of a receipt
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
        with translated_errors("read a receipt"):
            try:
                receipt = self.client.web3.eth.get_transaction_receipt(HexBytes(signed.hash))
            except TransactionNotFound:
                return None
            for name in _NUMBERS:  # or whoever reads it later has what raises KeyError and TypeError
                int(receipt[name])  # type: ignore[literal-required]
            bytes(receipt["transactionHash"])
            tuple(receipt["logs"])
            return receipt

    def mined(self, attempts: Sequence[SignedTransaction], *, succeeded: bool = False) -> TxReceipt | None:
        """The receipt of a successful attempt; else, unless only success counts, of a reverted one."""
        reverted: TxReceipt | None = None
        for signed in attempts:
            receipt = self.receipt(signed)
            if receipt is None:
                continue
            if receipt["status"] == 1:
                return receipt
            reverted = receipt
        return None if succeeded else reverted

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
            return int(self.client.web3.eth.get_transaction_count(self._checksummed, block))  # type: ignore[arg-type]

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
                self.client.web3.eth.send_raw_transaction(HexBytes(signed.raw))
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

    @property
    def _checksummed(self) -> ChecksumAddress:
        return Web3.to_checksum_address(self.address)
