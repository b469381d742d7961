"""Previews: served, read back, and refused in every other form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from hypothesis import given
from hypothesis import strategies as st

from aggregator.intake import Intake
from aggregator.listening import listening
from marketplace.chain.types import address
from marketplace.errors import FairshareError, Reason
from marketplace.node.journal import Journal
from marketplace.node.previews import MAX_BYTES, Market, Preview, asking, fetch_preview, read_preview
from marketplace.storage.cid import cid_of
from zk.curve import Point

MARKET = Market(31337, address("0x" + "5f" * 20))
BOSS: LocalAccount = Account.from_key(b"\x09" * 32)
BOSS_ADDRESS = address(BOSS.address)
PREVIEW = Preview(7, 2, cid_of(b"a model"), Point(1, 2))


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with Journal(tmp_path / "journal.sqlite") as journal:
        intake = Intake(MARKET, journal, BOSS)
        intake.desk(7).announce(PREVIEW)
        with listening(intake, "127.0.0.1", 0) as port:
            yield f"http://127.0.0.1:{port}"


def test_a_preview_is_served_and_read_back(url: str) -> None:
    with asking() as client:
        assert fetch_preview(client, url, MARKET, 7, 2, BOSS_ADDRESS) == PREVIEW
        assert fetch_preview(client, url, MARKET, 7, 1, BOSS_ADDRESS) is None
        assert fetch_preview(client, url, MARKET, 8, 2, BOSS_ADDRESS) is None
        with pytest.raises(FairshareError) as refused:
            fetch_preview(client, url, MARKET, 7, 2, address("0x" + "11" * 20))
    assert refused.value.reason is Reason.INTEGRITY


def test_nobody_there_is_unavailable() -> None:
    with asking() as client, pytest.raises(FairshareError) as refused:
        fetch_preview(client, "http://127.0.0.1:1", MARKET, 7, 2, BOSS_ADDRESS)
    assert refused.value.reason is Reason.UNAVAILABLE


def test_an_address_inside_is_not_asked_on_a_public_chain() -> None:
    public = Market(1, MARKET.address)
    with asking() as client, pytest.raises(FairshareError) as refused:
        fetch_preview(client, "http://127.0.0.1:1", public, 7, 2, BOSS_ADDRESS)
    assert refused.value.reason is Reason.BAD_INPUT


@pytest.mark.parametrize("changed", ["chain_id", "address", "project", "round", "model", "commitment"])
def test_what_was_signed_is_of_one_market_project_and_round(changed: str) -> None:
    market = {"chain_id": Market(1, MARKET.address), "address": Market(31337, address("0x" + "6f" * 20))}
    document = json.loads(PREVIEW.sign(market.get(changed, MARKET), BOSS))
    if changed in ("model", "commitment"):
        document[changed] = "0x" + "00" * (len(document[changed]) // 2 - 1)
    number, round_ = 7 + (changed == "project"), 2 + (changed == "round")
    with pytest.raises(FairshareError) as refused:
        read_preview(json.dumps(document).encode(), MARKET, number, round_, BOSS_ADDRESS)
    assert refused.value.reason is Reason.INTEGRITY


@given(
    st.one_of(
        st.binary(max_size=MAX_BYTES + 10),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=8),
            lambda inner: st.dictionaries(
                st.sampled_from(["model", "commitment", "signature"]), inner, max_size=3
            ),
            max_leaves=4,
        ).map(lambda document: json.dumps(document).encode()),
    )
)
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(FairshareError) as refused:
        read_preview(body, MARKET, 7, 2, BOSS_ADDRESS)
    assert refused.value.reason is Reason.INTEGRITY
