"""Sends transactions so that a crash at any moment neither loses nor repeats one."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from eth_account.signers.local import LocalAccount
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_typing import ChecksumAddress
from filelock import FileLock, Timeout
from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import ContractLogicError, TransactionNotFound, Web3RPCError
from web3.types import LogReceipt, TxReceipt

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.endpoint import rpc_message, translated_errors
from marketplace.chain.fees import Fees
from marketplace.chain.reverts import as_error, revert_data
from marketplace.chain.simulation import Call, FunctionCall, Preview, preview
from marketplace.chain.transaction_log import SignedTransaction, TransactionLog
from marketplace.chain.types import Address, address
from marketplace.errors import FairshareError, Reason

# What endpoints say about a transaction that is, or may be, on its way already; waiting tells.
_RECEIPT_LAG_S = 3.0  # for which an endpoint may know that a nonce is used and not yet by which transaction
_ON_ITS_WAY = (
    "already known",
    "already imported",
    "known transaction",
    "nonce too low",
    "underpriced",
    "base fee",
)


class Stopped(Exception):
    """The stop event was set while waiting; the intent is on disk and the next `send` resumes it."""


@dataclasses.dataclass(frozen=True)
class Receipt:
    """A transaction that was mined and did what it should."""

    transaction_hash: bytes
    block_number: int
    gas_used: int
    gas_price: int  # wei paid for a unit of gas
    contract_address: Address | None  # of a contract it created
    logs: tuple[LogReceipt, ...]


class TransactionSender:
    """Sends transactions of one account; each under an *intent*, a name for the effect that must happen once.

    Write ahead: a signed transaction is in `log` before it is broadcast, so `send` with the same intent, in
    this process or after a crash, finds it again: mined, it returns its receipt; unmined, it broadcasts the
    same bytes; its nonce used by another transaction, it signs anew. At most one transaction of an intent
    succeeds.

    One process at a time may send with a key: the first `send` takes a lock file that `close` gives back.
    Threads may share a sender. `stop`, when set, ends waiting with `Stopped`.
    """

    def __init__(
        self,
        client: ChainClient,
        account: LocalAccount,
        log: TransactionLog,
        *,
        stop: threading.Event | None = None,
        lock_directory: Path | None = None,
        poll_s: float = 0.2,
        bump_after_blocks: int = 10,
        give_up_after_s: float = 600.0,
    ) -> None:
        self.client = client
        self.account = account
        self.address: Address = address(account.address)
        self._log = log
        self._stop = stop or threading.Event()
        self._lock_directory = lock_directory or _default_lock_directory()
        self._poll_s = poll_s
        self._bump_after_blocks = bump_after_blocks
        self._give_up_after_s = give_up_after_s
        self._signing = threading.Lock()  # from the choice of a nonce until its transaction is broadcast
        self._process_lock: FileLock | None = None

    def preview(self, function_call: FunctionCall, value: int = 0) -> Preview:
        """What the call would need; nothing is signed. Raises what `send` would raise before signing."""
        return preview(self.client, self.address, Call.of(function_call, value))

    def send(self, intent: str, function_call: FunctionCall, value: int = 0) -> Receipt:
        """Makes the call happen once, with `value` wei, and returns its receipt.

        An intent that has succeeded returns its receipt again, whatever the call.

        Raises, before anything is written: REFUSED, DEADLINE_PASSED, NO_FUNDS, .. (see `simulation.preview`).
        Afterwards: REFUSED, .. when it is mined but reverts; WRONG_CHAIN when the chain is younger than the
        log; CHAIN_UNREACHABLE when the endpoint fails or the transaction is not mined in time; then `send`
        again.
        """
        self._own_the_key()
        call = Call.of(function_call, value)
        give_up_at = time.monotonic() + self._give_up_after_s
        while True:
            nonce = self._resume(intent, call)
            if nonce is None:
                nonce = self._sign_anew(intent, call)
            receipt = self._wait(intent, nonce, give_up_at)
            if receipt is not None:
                return self._outcome(receipt, call)

    def close(self) -> None:
        """Gives the key back to other processes."""
        if self._process_lock is not None:
            self._process_lock.release()
            self._process_lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # Resume, sign, broadcast

    def _resume(self, intent: str, call: Call) -> int | None:
        """The nonce to wait for if the intent is done or under way; None if it must be signed anew."""
        logged = self._logged(intent)
        if not logged:
            return None
        done = self._mined(logged)
        if done is not None and done["status"] == 1:
            return _with_hash(logged, bytes(done["transactionHash"])).nonce
        last = logged[-1]
        if last.signed_at_block > self.client.latest_block().number:
            raise FairshareError(
                Reason.WRONG_CHAIN,
                f"the chain is younger than this node's journal (block {last.signed_at_block} is missing)",
                "give the chain this journal belongs to, or start with a new journal",
            )
        if self._nonce_is_used(last.nonce):
            # Mined after the look above, it succeeded or reverted; otherwise another transaction took the
            # nonce.
            return last.nonce if self._mined_after_all(logged, succeeded=True) is not None else None
        if not self._is_known(last):
            try:
                preview(
                    self.client, self.address, call
                )  # it may have become pointless while this process was down
            except FairshareError:
                if self._mined(logged, succeeded=True) is None:
                    raise
        with self._signing:
            self._broadcast_up_to(last)
        return last.nonce

    def _sign_anew(self, intent: str, call: Call) -> int:
        needs = preview(self.client, self.address, call)
        with self._signing:
            with translated_errors("read the account's nonce"):
                nonce = int(self.client.web3.eth.get_transaction_count(self._checksummed, "pending"))
            signed = self._signed(intent, nonce, call, needs.gas_limit, needs.fees)
            self._log.append_transaction(signed)
            self._broadcast(signed)
        return nonce

    def _signed(self, intent: str, nonce: int, call: Call, gas: int, fees: Fees) -> SignedTransaction:
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": self.client.chain_id,
            "nonce": nonce,
            "to": call.to or b"",
            "value": call.value,
            "data": call.data,
            "gas": gas,
            "maxFeePerGas": fees.max_fee,
            "maxPriorityFeePerGas": fees.priority_fee,
        }
        signed = self.account.sign_transaction(fields)
        return SignedTransaction(
            intent=intent,
            chain_id=self.client.chain_id,
            sender=self.address,
            nonce=nonce,
            hash=bytes(signed.hash),
            raw=bytes(signed.raw_transaction),
            signed_at_block=self.client.latest_block().number,
        )

    def _broadcast_up_to(self, wanted: SignedTransaction) -> None:
        """Broadcasts again `wanted` and what the log holds before it that the endpoint may have forgotten."""
        with translated_errors("read the account's nonce"):
            next_nonce = int(self.client.web3.eth.get_transaction_count(self._checksummed, "pending"))
        for earlier in self._log.transactions_from_nonce(self.client.chain_id, self.address, next_nonce):
            if earlier.nonce < wanted.nonce:
                self._broadcast(earlier)
        self._broadcast(wanted)

    def _broadcast(self, signed: SignedTransaction) -> None:
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

    # Wait

    def _wait(self, intent: str, nonce: int, give_up_at: float) -> TxReceipt | None:
        """The receipt of the intent's transaction with this nonce; None when another one used the nonce."""
        while True:
            attempts = [signed for signed in self._logged(intent) if signed.nonce == nonce]
            used = self._nonce_is_used(nonce)  # asked first: a receipt found after it is no race
            receipt = self._mined(attempts)
            if receipt is not None:
                return receipt
            if used:
                return self._mined_after_all(attempts)
            if time.monotonic() > give_up_at:
                raise FairshareError(
                    Reason.CHAIN_UNREACHABLE,
                    f"transaction 0x{attempts[-1].hash.hex()} is still not mined",
                    "run the same command again: it resumes where it is",
                )
            age = self.client.latest_block().number - attempts[-1].signed_at_block
            if age >= self._bump_after_blocks:
                self._bump(attempts[-1])
            if self._stop.wait(self._poll_s):
                raise Stopped(intent)

    def _bump(self, stuck: SignedTransaction) -> None:
        """Replaces a transaction that is not being mined by the same one with higher fees."""
        fields = TypedTransaction.from_bytes(HexBytes(stuck.raw)).as_dict()
        offered = Fees(max_fee=int(fields["maxFeePerGas"]), priority_fee=int(fields["maxPriorityFeePerGas"]))
        with translated_errors("read the chain's fees"):
            base_fee = int(self.client.web3.eth.get_block("latest").get("baseFeePerGas", 0))
            fees = Fees.for_next_blocks(base_fee, int(self.client.web3.eth.max_priority_fee))
        to = bytes(fields["to"])
        call = Call(
            to=address("0x" + to.hex()) if to else None,
            data=bytes(fields["data"]),
            value=int(fields["value"]),
            name=stuck.intent,
        )
        with self._signing:
            raised = self._signed(
                stuck.intent, stuck.nonce, call, int(fields["gas"]), fees.replacing(offered)
            )
            self._log.append_transaction(raised)
            self._broadcast(raised)

    def _outcome(self, receipt: TxReceipt, call: Call) -> Receipt:
        if receipt["status"] != 1:
            raise self._why_reverted(receipt, call)
        created = receipt.get("contractAddress")
        return Receipt(
            transaction_hash=bytes(receipt["transactionHash"]),
            block_number=int(receipt["blockNumber"]),
            gas_used=int(receipt["gasUsed"]),
            gas_price=int(receipt["effectiveGasPrice"]),
            contract_address=address(str(created)) if created else None,
            logs=tuple(receipt["logs"]),
        )

    def _why_reverted(self, receipt: TxReceipt, call: Call) -> FairshareError:
        """Asks the chain as it was after the block; a receipt itself holds no reason."""
        with translated_errors(call.name):
            try:
                self.client.web3.eth.call(call.transaction(self.address), int(receipt["blockNumber"]))
            except ContractLogicError as error:
                return as_error(revert_data(error.data), call.name, str(error.message or ""))
        return FairshareError(
            Reason.REFUSED,
            f"{call.name}: transaction 0x{bytes(receipt['transactionHash']).hex()} was reverted",
            "the state changed before it was mined; try again",
        )

    # What log and chain say

    def _logged(self, intent: str) -> Sequence[SignedTransaction]:
        return self._log.transactions(self.client.chain_id, self.address, intent)

    def _mined(self, attempts: Sequence[SignedTransaction], *, succeeded: bool = False) -> TxReceipt | None:
        """The receipt of a successful attempt; else, unless only success counts, of a reverted one."""
        reverted: TxReceipt | None = None
        for signed in attempts:
            with translated_errors("read a receipt"):
                try:
                    receipt = self.client.web3.eth.get_transaction_receipt(HexBytes(signed.hash))
                except TransactionNotFound:
                    continue
            if receipt["status"] == 1:
                return receipt
            reverted = receipt
        return None if succeeded else reverted

    def _mined_after_all(
        self, attempts: Sequence[SignedTransaction], *, succeeded: bool = False
    ) -> TxReceipt | None:
        """`_mined` for a nonce that is used: an endpoint may count it some time before it serves the receipt.

        To take that for another's transaction would be to make the call twice.
        """
        give_up_at = time.monotonic() + _RECEIPT_LAG_S
        while True:
            receipt = self._mined(attempts, succeeded=succeeded)
            if receipt is not None or time.monotonic() > give_up_at:
                return receipt
            time.sleep(self._poll_s)

    def _is_known(self, signed: SignedTransaction) -> bool:
        with translated_errors("read a transaction"):
            try:
                self.client.web3.eth.get_transaction(HexBytes(signed.hash))
            except TransactionNotFound:
                return False
        return True

    def _nonce_is_used(self, nonce: int) -> bool:
        with translated_errors("read the account's nonce"):
            return int(self.client.web3.eth.get_transaction_count(self._checksummed, "latest")) > nonce

    def _own_the_key(self) -> None:
        with self._signing:
            if self._process_lock is not None:
                return
            self._lock_directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = FileLock(self._lock_directory / f"{self.client.chain_id}-{self.address}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout as error:
                raise FairshareError(
                    Reason.REFUSED,
                    f"another process is sending with account {self.address}",
                    "stop it, or use another account",
                ) from error
            self._process_lock = lock

    @property
    def _checksummed(self) -> ChecksumAddress:
        return Web3.to_checksum_address(self.address)


def _with_hash(logged: Sequence[SignedTransaction], wanted: bytes) -> SignedTransaction:
    return next(signed for signed in logged if signed.hash == wanted)


def _default_lock_directory() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "fairshare" / "locks"
