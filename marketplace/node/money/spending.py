"""What a node's transactions cost: those in its journal, by what the chain says of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from web3 import Web3

from marketplace.chain.client import MarketClient
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.receipts import mined
from marketplace.chain.spending import project_of
from marketplace.chain.transaction_log import Mined
from marketplace.chain.types import Address
from marketplace.node.journal import NODE, Journal, Sent

_FINAL_AFTER = 32  # blocks; a receipt younger than that is asked for again, as its block may go


@dataclass(frozen=True)
class Spent:
    """Transactions of an account, or its part for one project; `gas_wei`: of failed ones as well."""

    sent: int = 0  # nonces signed for
    failed: int = 0  # mined and reverted
    pending: int = 0  # not mined, and their nonce not used
    gas_used: int = 0
    gas_wei: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.sent + other.sent,
            self.failed + other.failed,
            self.pending + other.pending,
            self.gas_used + other.gas_used,
            self.gas_wei + other.gas_wei,
        )


@dataclass
class Spending:
    """Follows a journal: `update` reads what is new in it, and asks the chain only for what is final in neither."""

    client: MarketClient
    journal: Journal
    account: Address
    _sent: list[Sent] = field(default_factory=list)
    _mined: dict[bytes, Mined] = field(default_factory=dict)

    def update(self) -> dict[int, Spent]:
        """What was spent by project; what belongs to none of them under `NODE`. Raises CHAIN_UNREACHABLE, INTEGRITY."""
        after = self._sent[-1].place if self._sent else 0
        self._sent += self.journal.sent(self.client.chain_id, self.account, after=after)
        noted = self.journal.settled(self.client.chain_id, self.account)
        self._mined |= noted
        newest = self.client.latest_block().number
        with translated_errors("read the account's nonce"):
            used = int(
                self.client.web3.eth.get_transaction_count(Web3.to_checksum_address(self.account), "latest")
            )
        final = {sent.nonce for sent in self._sent if sent.hash in noted or self._is_final(sent.hash, newest)}
        asked = [sent.hash for sent in self._sent if sent.nonce not in final]
        for hash_, found in zip(asked, mined(self.client, asked), strict=True):
            if found is None:
                self._mined.pop(hash_, None)
            else:
                self._mined[hash_] = found
        return spent_by_project(self._sent, self._mined, used)

    def _is_final(self, hash_: bytes, newest: int) -> bool:
        known = self._mined.get(hash_)
        return known is not None and known.block_number + _FINAL_AFTER <= newest


def spent_by_project(sent: Iterable[Sent], found: dict[bytes, Mined], used: int) -> dict[int, Spent]:
    """`found`: the mined ones by hash; `used`: how many nonces of the account are used.

    A nonce is one transaction, however often it was signed with higher fees.
    """
    nonces: dict[int, list[Sent]] = {}
    for transaction in sent:
        nonces.setdefault(transaction.nonce, []).append(transaction)
    total: dict[int, Spent] = {}
    for nonce, attempts in nonces.items():
        done = next((found[attempt.hash] for attempt in attempts if attempt.hash in found), None)
        spent = Spent(
            sent=1,
            failed=int(done is not None and not done.succeeded),
            pending=int(done is None and nonce >= used),
            gas_used=0 if done is None else done.gas_used,
            gas_wei=0 if done is None else done.cost,
        )
        named = project_of(attempts[-1].intent)
        project = NODE if named is None else named
        total[project] = total.get(project, Spent()) + spent
    return total
