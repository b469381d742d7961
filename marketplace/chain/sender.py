"""Sends transactions so that a crash at any moment neither loses nor repeats one."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from eth_account.typed_transactions.typed_transaction import TypedTransaction
from filelock import FileLock, Timeout
from hexbytes import HexBytes
from web3.exceptions import ContractLogicError
from web3.types import LogReceipt, TxReceipt

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.fees import Fees
from marketplace.chain.finality import is_final
from marketplace.chain.json_rpc import ask
from marketplace.chain.outbox import Outbox
from marketplace.chain.reverts import as_error, revert_data
from marketplace.chain.settling import Settling
from marketplace.chain.signer import AnySigner, as_signer
from marketplace.chain.simulation import Call, FunctionCall, Preview, market_fees, preview, would_succeed
from marketplace.chain.spending import NO_LIMITS, Limits, Spending, gwei, lowest, project_of
from marketplace.chain.transaction_log import SignedTransaction, TransactionLog
from marketplace.chain.types import Address, Block, address
from marketplace.errors import FairshareError, Reason

_EMPTY_GAS = 21_000  # of a transaction that does nothing
_LONGEST_WAIT_S = 1.0  # for news of a block, before asking all the same


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


class _Found(NamedTuple):
    receipt: TxReceipt
    head: Block  # which may be older than the receipt's block: both were asked for at once


@dataclasses.dataclass(frozen=True)
class _Offer:
    """What a logged transaction says: its call, and what it offers."""

    call: Call
    gas: int
    fees: Fees

    @classmethod
    def of(cls, signed: SignedTransaction) -> _Offer:
        fields = TypedTransaction.from_bytes(HexBytes(signed.raw)).as_dict()
        to = bytes(fields["to"])
        call = Call(
            to=address("0x" + to.hex()) if to else None,
            data=bytes(fields["data"]),
            value=int(fields["value"]),
            name=signed.intent,
        )
        fees = Fees(max_fee=int(fields["maxFeePerGas"]), priority_fee=int(fields["maxPriorityFeePerGas"]))
        return cls(call, int(fields["gas"]), fees)

    @property
    def most_cost(self) -> int:
        return self.gas * self.fees.max_fee


class TransactionSender:
    """Sends transactions of one account; each under an *intent*, a name for the effect that must happen once.

    Write ahead: a signed transaction is in `log` before it is broadcast, so `send` with the same intent, in
    this process or after a crash, finds it again: mined, it returns its receipt; unmined, it broadcasts the
    same bytes; its nonce used by another transaction, it signs anew. At most one transaction of an intent
    succeeds. An intent for a project is called `name:project:..` (`spending.project_of`).

    What was mined may vanish in a reorganisation: `look_back`, once a block, broadcasts it again.

    `limits` are never exceeded: fees stop at the cap, and a project's gas at its budget. `say` is told of what the user
    should know, in a line.

    `at_work` is entered for as long as a `send` takes.

    One process at a time may send with a key: the first `send` takes a lock file that `close` gives back.
    Threads may share a sender. `stop`, when set, ends waiting with `Stopped`. While somebody listens to the client's
    `heads` a new block wakes it; otherwise it asks every `poll_s` seconds.
    """

    def __init__(
        self,
        client: ChainClient,
        account: AnySigner,
        log: TransactionLog,
        *,
        stop: threading.Event | None = None,
        lock_directory: Path | None = None,
        limits: Limits = NO_LIMITS,
        poll_s: float = 0.2,
        bump_after_blocks: int = 10,
        give_up_after_s: float = 600.0,
        at_work: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.client = client
        self.account = account
        self._signer = as_signer(account)
        self.address: Address = address(account.address)
        self._log = log
        self._limits = limits
        self._stop = stop or threading.Event()
        self._lock_directory = lock_directory or _default_lock_directory()
        self._poll_s = poll_s
        self._bump_after_blocks = bump_after_blocks
        self._give_up_after_s = give_up_after_s
        self._at_work = at_work
        self._outbox = Outbox(client, self.address, log, poll_s)
        self._settling = Settling(self._outbox, client.say)
        self._signing = threading.RLock()  # from the choice of a nonce until its transaction is broadcast
        self._process_lock: FileLock | None = None
        self._warned: set[str] = set()

    def preview(self, function_call: FunctionCall, value: int = 0) -> Preview:
        """What the call would need; nothing is signed. Raises what `send` would raise before signing."""
        return preview(self.client, self.address, Call.of(function_call, value), self._limits.max_fee)

    def send(
        self,
        intent: str,
        function_call: FunctionCall,
        value: int = 0,
        *,
        deadline: int | None = None,
        final: bool = False,
    ) -> Receipt:
        """Makes the call happen once, with `value` wei, and returns its receipt.

        An intent that has succeeded returns its receipt again, whatever the call. `deadline`: block time from which
        the call is in vain; nobody waits any longer, and it is told where fees above the cap endanger it. `final`:
        wait until the transaction is, and return the receipt that it then has.

        Raises, before anything is written: REFUSED, DEADLINE_PASSED, NO_FUNDS, .. (see `simulation.preview`), and
        OVER_BUDGET. Afterwards: REFUSED, .. when it is mined but reverts; DEADLINE_PASSED when it is not mined by
        then; WRONG_CHAIN when the chain is younger than the log; CHAIN_UNREACHABLE when the endpoint fails or the
        transaction is not mined in time; then `send` again.
        """
        with self._at_work():
            return self._sent(intent, Call.of(function_call, value), deadline, final)

    def _sent(self, intent: str, call: Call, deadline: int | None, final: bool) -> Receipt:
        self._own_the_key()
        give_up_at = time.monotonic() + self._give_up_after_s
        while True:
            mark = self.client.heads.mark
            nonce = self._resume(intent, call, deadline)
            if nonce is None:
                nonce = self._sign_anew(intent, call, deadline)
            found = self._wait(intent, nonce, give_up_at, deadline)
            if found is None:
                continue
            receipt = found.receipt
            head = max(found.head.number, int(receipt["blockNumber"]))
            self._settling.note(self._attempt_in(intent, receipt), receipt, head)
            outcome = self._outcome(receipt, call)
            if not final or is_final(outcome.block_number, head, self.client.confirmations):
                return outcome
            self._pause(intent, mark)

    def look_back(self) -> None:
        """Looks after what was mined and is not final; call it once a block. Raises as `send` does afterwards."""
        if self._settling.is_over:
            return
        self._own_the_key()
        head: Block | None = None
        for lost in self._settling.look():
            head = head or self.client.latest_block()
            self._unstick(lost.nonce, head, None)

    @property
    def is_settled(self) -> bool:
        """Whether all that was mined is final."""
        return self._settling.is_over

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

    # Resume, sign

    def _resume(self, intent: str, call: Call, deadline: int | None) -> int | None:
        """The nonce to wait for if the intent is done or under way; None if it must be signed anew."""
        logged = self._outbox.logged(intent)
        if not logged:
            return None
        done = self._outbox.mined(logged)
        if done is not None and done["status"] == 1:
            return self._attempt_in(intent, done).nonce
        last = logged[-1]
        if last.signed_at_block > self.client.latest_block().number + self.client.confirmations:
            raise FairshareError(
                Reason.WRONG_CHAIN,
                f"the chain is younger than this node's journal (block {last.signed_at_block} is missing)",
                "give the chain this journal belongs to, or start with a new journal",
            )
        if self._outbox.used_nonces() > last.nonce:
            # Mined after the look above, it succeeded or reverted; otherwise another transaction took the
            # nonce.
            return last.nonce if self._outbox.mined_after_all(logged, succeeded=True) is not None else None
        if not self._outbox.is_known(last):
            try:
                last = self._still_wanted(last, call, deadline)
            except FairshareError:  # it may have become pointless while this process was down
                if self._outbox.mined(logged, succeeded=True) is None:
                    raise
        with self._signing:
            self._outbox.broadcast_up_to(last)
        return last.nonce

    def _still_wanted(self, last: SignedTransaction, call: Call, deadline: int | None) -> SignedTransaction:
        """What was signed, where it would still succeed; else `call` in its place, under the same nonce.

        A reorganisation may have changed what a call must say. Raises as `preview` where neither would succeed.
        """
        logged = _Offer.of(last).call
        if not logged.does_as(call) and would_succeed(self.client, self.address, logged, "pending"):
            return last
        preview(self.client, self.address, call, self._limits.max_fee)
        return last if logged.does_as(call) else self._replace(last, call, deadline) or last

    def _sign_anew(self, intent: str, call: Call, deadline: int | None) -> int:
        self.look_back()  # what vanished comes first: its nonces are taken
        needs = preview(self.client, self.address, call, self._limits.max_fee)
        with self._signing:
            fees = self._affordable(intent, needs.gas_limit, needs.fees, needs.base_fee)
            nonce = self._outbox.next_nonce()
            signed = self._signed(intent, nonce, call, needs.gas_limit, fees, needs.block)
            self._log.append_transaction(signed)
            self._outbox.broadcast(signed)
        self._warn_of_cap(intent, fees, needs.base_fee, deadline)
        return nonce

    def _signed(
        self, intent: str, nonce: int, call: Call, gas: int, fees: Fees, head: int
    ) -> SignedTransaction:
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
        signed = self._signer.sign_transaction(fields)
        return SignedTransaction(
            intent=intent,
            chain_id=self.client.chain_id,
            sender=self.address,
            nonce=nonce,
            hash=signed.hash,
            raw=signed.raw,
            signed_at_block=head,
        )

    # Fees and budget

    def _affordable(
        self, intent: str, gas: int, fees: Fees, base_fee: int, *, replaced: SignedTransaction | None = None
    ) -> Fees:
        """The fees that the project's budget leaves; OVER_BUDGET where those do not do for the next block.

        `replaced`: whose place the transaction takes, so that only one of the two is paid for.
        """
        spending = self._spending(intent, replaced)
        if spending is None:
            return fees
        wanted = gas * fees.max_fee
        least = gas * min(fees.max_fee, base_fee + fees.priority_fee)
        if spending.left < least:
            raise spending.refusal(least)
        if spending.is_nearly_used(least):
            self._warn_once(f"budget:{spending.project}:{spending.spent}", spending.in_words())
        return fees if wanted <= spending.left else fees.capped(spending.left // gas)

    def _spending(self, intent: str, replaced: SignedTransaction | None = None) -> Spending | None:
        project, budget = project_of(intent), self._limits.gas_budget
        if project is None or budget is None:
            return None
        reserved = sum(
            _Offer.of(signed).most_cost
            for signed in self._outbox.under_way()
            if project_of(signed.intent) == project and (replaced is None or signed.nonce != replaced.nonce)
        )
        return Spending(
            project, budget, self._log.spent(self.client.chain_id, self.address, project), reserved
        )

    def _warn_of_cap(self, intent: str, fees: Fees, base_fee: int, deadline: int | None) -> None:
        """Where the chain asks for more than we may offer: it waits until fees fall, if they do in time."""
        if fees.max_fee >= base_fee + min(1, fees.priority_fee):
            return
        until = ""
        if deadline is not None:
            left = deadline - self.client.latest_block().timestamp
            until = f"; its deadline is in {left} s, and may be missed"
        self._warn_once(
            f"cap:{intent}:{fees.max_fee}",
            f"{intent} waits: it may offer {gwei(fees.max_fee)} for a unit of gas, the chain asks for "
            f"{gwei(base_fee)}{until}",
        )

    def _warn_once(self, name: str, text: str) -> None:
        if name not in self._warned:
            self._warned.add(name)
            self.client.say(text)

    # Wait

    def _wait(self, intent: str, nonce: int, give_up_at: float, deadline: int | None) -> _Found | None:
        """The receipt of the intent's transaction with this nonce; None when another one used the nonce."""
        looked_at = b""
        while True:
            mark = self.client.heads.mark
            attempts = [signed for signed in self._outbox.logged(intent) if signed.nonce == nonce]
            seen = self._outbox.look(attempts)
            head, receipt = seen.head, seen.receipt
            if receipt is None and seen.used_nonces > nonce:
                receipt = self._outbox.mined_after_all(attempts)
                if receipt is None:
                    return None
            if receipt is not None:
                return _Found(receipt, head)
            if time.monotonic() > give_up_at:
                raise FairshareError(
                    Reason.CHAIN_UNREACHABLE,
                    f"transaction 0x{attempts[-1].hash.hex()} is still not mined",
                    "run the same command again: it resumes where it is",
                )
            if head.hash != looked_at:
                if looked_at and deadline is not None and head.timestamp >= deadline:
                    return _Found(self._at_last(intent, attempts), head)
                self._keep_known(attempts[-1])
                if looked_at:
                    self._unstick(nonce, head, deadline)
                looked_at = head.hash
            self._pause(intent, mark)

    def _pause(self, intent: str, mark: int) -> None:
        """Until there is news since `mark`; where nobody tells, until it is time to ask."""
        self.client.heads.wait(mark, self._stop, most_s=_LONGEST_WAIT_S, else_s=self._poll_s)
        if self._stop.is_set():
            raise Stopped(intent)

    def _at_last(self, intent: str, attempts: Sequence[SignedTransaction]) -> TxReceipt:
        """The receipt, should it have been mined in the last moment. Raises DEADLINE_PASSED."""
        receipt = self._outbox.mined(attempts)
        if receipt is None:
            raise FairshareError(
                Reason.DEADLINE_PASSED,
                f"{intent} was not mined before its deadline",
                "where fees are above the cap: raise --max-fee-gwei",
            )
        return receipt

    def _keep_known(self, waiting: SignedTransaction) -> None:
        """Broadcasts again what the endpoint has lost."""
        if not self._outbox.is_known(waiting):
            with self._signing:
                self._outbox.broadcast_up_to(waiting)

    def _unstick(self, nonce: int, head: Block, deadline: int | None) -> None:
        """Replaces what is not being mined, up to this nonce: what comes after it cannot be mined before.

        That is what has waited for long, and what offers less than the newest block asks for.
        """
        with self._signing:
            base_fee, _ = market_fees(self.client)
            waiting = self._outbox.under_way()
            for stuck in waiting:
                offer, age = _Offer.of(stuck), head.number - stuck.signed_at_block
                slow = age >= self._bump_after_blocks or (age > 0 and offer.fees.max_fee < base_fee)
                if stuck.nonce > nonce or not slow:
                    continue
                # In vain, and in the way of another: its nonce is used for nothing at all, at the least cost. Of one
                # that is not the first nobody knows: it may depend on those before it.
                in_the_way = stuck == waiting[0] and stuck.nonce < nonce
                if in_the_way and not would_succeed(self.client, self.address, offer.call, "latest"):
                    self._replace(stuck, self._nothing(stuck), None)
                else:
                    self._replace(stuck, offer.call, deadline if stuck.nonce == nonce else None)

    def _replace(
        self, stuck: SignedTransaction, call: Call, deadline: int | None
    ) -> SignedTransaction | None:
        """Replaces a transaction by `call` under the same nonce with higher fees; None where those are not allowed."""
        offer = _Offer.of(stuck)
        base_fee, fees = market_fees(self.client)
        gas, intent = offer.gas, stuck.intent
        if call.to == self.address and not call.data:
            gas, intent = _EMPTY_GAS, call.name
        elif not call.does_as(offer.call):
            gas = preview(self.client, self.address, call, self._limits.max_fee).gas_limit
        spending = self._spending(intent, stuck)
        cap = lowest(self._limits.max_fee, None if spending is None else spending.left // gas)
        raised = fees.capped(cap).replacing(offer.fees, cap)
        if raised is None:
            self._warn_of_cap(stuck.intent, offer.fees, base_fee, deadline)
            return None
        with self._signing:
            head = self.client.latest_block().number
            replacement = self._signed(intent, stuck.nonce, call, gas, raised, head)
            self._log.append_transaction(replacement)
            self._outbox.broadcast(replacement)
        self._warn_of_cap(intent, raised, base_fee, deadline)
        return replacement

    def _nothing(self, stuck: SignedTransaction) -> Call:
        """A call without effect, named so that it counts for the same project."""
        project = project_of(stuck.intent)
        owner = "" if project is None else project
        return Call(to=self.address, data=b"", value=0, name=f"free-nonce:{owner}:{stuck.nonce}")

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
                ask(self.client.web3, call.simulated(self.address, int(receipt["blockNumber"])))
            except ContractLogicError as error:
                return as_error(revert_data(error.data), call.name, str(error.message or ""))
        return FairshareError(
            Reason.REFUSED,
            f"{call.name}: transaction 0x{bytes(receipt['transactionHash']).hex()} was reverted",
            "the state changed before it was mined; try again",
        )

    def _attempt_in(self, intent: str, receipt: TxReceipt) -> SignedTransaction:
        return _with_hash(self._outbox.logged(intent), bytes(receipt["transactionHash"]))

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
            self._settling.catch_up()


def _with_hash(logged: Sequence[SignedTransaction], wanted: bytes) -> SignedTransaction:
    return next(signed for signed in logged if signed.hash == wanted)


def _default_lock_directory() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "fairshare" / "locks"
