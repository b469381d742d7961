"""What transactions cost, by nonce and project; that a real chain agrees: tests/unit/api/test_profit_told.py."""

from __future__ import annotations

from pathlib import Path

from marketplace.chain.transaction_log import Mined, SignedTransaction
from marketplace.node.journal import NODE, Journal, Sent
from marketplace.node.money.spending import Spent, spent_by_project


def hash_of(place: int) -> bytes:
    return place.to_bytes(32, "big")


def test_a_nonce_is_one_transaction_however_often_it_was_signed() -> None:
    sent = [
        Sent(1, "join:3:0:deposit", 0, hash_of(1)),
        Sent(2, "submit:3:1", 1, hash_of(2)),
        Sent(3, "submit:3:1", 1, hash_of(3)),  # the same with higher fees, which was mined
        Sent(4, "submit:3:2", 2, hash_of(4)),  # reverted
        Sent(5, "submit:4:1", 3, hash_of(5)),  # its nonce was another's, signed elsewhere
        Sent(6, "submit:4:2", 4, hash_of(6)),  # under way
        Sent(7, "submit:4:2", 4, hash_of(7)),
        Sent(8, "unbond:0x00:7", 5, hash_of(8)),
    ]
    found = {
        hash_of(1): Mined(True, 10, 100, 7),
        hash_of(3): Mined(True, 12, 50, 9),
        hash_of(4): Mined(False, 13, 30, 2),
        hash_of(8): Mined(True, 14, 1, 1),
    }
    assert spent_by_project(sent, found, used=4) == {
        3: Spent(sent=3, failed=1, pending=0, gas_used=180, gas_wei=700 + 450 + 60),
        4: Spent(sent=2, failed=0, pending=1, gas_used=0, gas_wei=0),
        NODE: Spent(sent=1, failed=0, pending=0, gas_used=1, gas_wei=1),
    }


def test_a_journal_tells_what_was_sent_since(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.sqlite") as journal:
        for place, (chain, sender) in enumerate([(1, "a"), (1, "a"), (2, "a"), (1, "b"), (1, "a")], 1):
            signed = SignedTransaction(f"i:{place}", chain, sender, place, hash_of(place), b"raw", 5)
            journal.append_transaction(signed)
        assert [sent.nonce for sent in journal.sent(1, "a")] == [1, 2, 5]
        assert journal.sent(1, "a", after=2) == (Sent(5, "i:5", 5, hash_of(5)),)
        assert journal.sent(1, "a", after=5) == ()
