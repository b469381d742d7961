"""What was mined is looked after until it is final: a reorganisation takes blocks away with all that is in them."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from web3.types import TxReceipt

from marketplace.chain.failover import Say
from marketplace.chain.finality import is_final
from marketplace.chain.outbox import Outbox
from marketplace.chain.spending import project_of
from marketplace.chain.transaction_log import Mined, MinedTransaction, SignedTransaction
from marketplace.chain.types import Block


class Settling:
    """An account's mined transactions that may still vanish. Threads may share it.

    The same bytes are broadcast again: same nonce, same call, so that nothing happens twice. Transactions are final
    after the client's `confirmations`.
    """

    def __init__(self, outbox: Outbox, say: Say) -> None:
        self._outbox = outbox
        self._say = say
        self._lock = threading.Lock()
        self._looked_at = b""  # hash of the head
        # By transaction: its block, and whether that is final.
        self._noted: dict[bytes, tuple[int, bool]] = {}

    def note(self, signed: SignedTransaction, receipt: TxReceipt, head: int) -> None:
        """Writes down that a transaction is in a block, and what it cost."""
        block = int(receipt["blockNumber"])
        mined = Mined(
            receipt["status"] == 1, block, int(receipt["gasUsed"]), int(receipt["effectiveGasPrice"])
        )
        final = is_final(block, head, self._outbox.client.confirmations)
        if self._noted.get(signed.hash) != (block, final):
            self._outbox.log.note_mined(signed.hash, mined, project_of(signed.intent), final=final)
            self._noted[signed.hash] = block, final

    def catch_up(self) -> None:
        """Notes what was mined and is not noted: a process was killed in between."""
        log, client = self._outbox.log, self._outbox.client
        unnoted = log.unnoted(client.chain_id, self._outbox.address, self._outbox.used_nonces())
        head = client.latest_block().number if unnoted else 0
        for signed in unnoted:
            receipt = self._outbox.receipt(signed)
            if receipt is not None:
                self.note(signed, receipt, head)

    @property
    def is_over(self) -> bool:
        """Whether all that was mined is final, as far as `look` has found out."""
        return not self._unsettled()

    def look(self) -> list[SignedTransaction]:
        """Once for each head: what was mined is there, or is broadcast again. Returns what vanished and is unmined."""
        if not self._unsettled():
            return []
        head = self._outbox.client.latest_block()
        with self._lock:
            if head.hash == self._looked_at:
                return []
            vanished = [each for each in self._unsettled() if not self._is_there(each, head)]
            lost = self._broadcast_again([each.transaction for each in vanished])
            self._looked_at = head.hash
        return lost

    def _unsettled(self) -> Sequence[MinedTransaction]:
        return self._outbox.log.unsettled(self._outbox.client.chain_id, self._outbox.address)

    def _is_there(self, seen: MinedTransaction, head: Block) -> bool:
        receipt = self._outbox.receipt(seen.transaction)
        if receipt is None:
            return False
        block = int(receipt["blockNumber"])
        if block != seen.block or is_final(block, head.number, self._outbox.client.confirmations):
            self.note(seen.transaction, receipt, head.number)
        return True

    def _broadcast_again(self, vanished: Sequence[SignedTransaction]) -> list[SignedTransaction]:
        if not vanished:
            return []
        lost = []
        used = self._outbox.used_nonces()
        for signed in vanished:
            if signed.nonce < used:
                self._replaced(signed)
                continue
            if not self._outbox.is_known(signed):
                self._say(f"{signed.intent}: reorganised away, broadcast again")
                self._outbox.broadcast(signed)
            lost.append(signed)
        return lost

    def _replaced(self, signed: SignedTransaction) -> None:
        """Its nonce is used: by the same call with other fees, or by another, and then whoever sends it signs anew."""
        attempts = [each for each in self._outbox.logged(signed.intent) if each.nonce == signed.nonce]
        receipt = self._outbox.mined_after_all(attempts)
        self._outbox.log.forget_mined(signed.hash)
        self._noted.pop(signed.hash, None)
        if receipt is None:
            self._say(f"{signed.intent}: reorganised away, and its nonce is used by another transaction")
            return
        mined = next(each for each in attempts if each.hash == bytes(receipt["transactionHash"]))
        self.note(mined, receipt, int(receipt["blockNumber"]))
