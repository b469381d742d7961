from __future__ import annotations

import time
from pathlib import Path

import pytest

from marketplace.chain.chain_client import ChainClient
from marketplace.devnet.anvil import Anvil


def test_at_once_means_with_the_transaction_and_once_a_second() -> None:
    with Anvil(accounts=2, block_time_s=1, at_once=True) as chain:
        web3 = ChainClient(chain.url).web3
        first, second = web3.eth.accounts
        before = web3.eth.block_number
        for _ in range(5):
            sent = web3.eth.send_transaction({"from": first, "to": second, "value": 1})  # type: ignore[typeddict-item]
            web3.eth.wait_for_transaction_receipt(sent, timeout=60, poll_latency=0.01)
        mined = web3.eth.block_number
        assert mined >= before + 5
        ahead = int(web3.eth.get_block("latest")["timestamp"]) - time.time()
        assert ahead < 2  # seconds: more blocks than seconds, and the clock stays
        give_up_at = time.monotonic() + 60
        while web3.eth.block_number == mined and time.monotonic() < give_up_at:
            time.sleep(0.05)
        assert web3.eth.block_number > mined


def test_states_of_older_blocks_are_where_they_were_told_to_be_and_go_with_the_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, past = tmp_path / "home", tmp_path / "past"
    (past / "of-a-chain-that-was-killed").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    with Anvil(accounts=1, past=past) as chain:
        assert not list(past.glob("of-a-chain*"))
        ChainClient(chain.url).web3.manager.request_blocking("anvil_mine", [1200])  # type: ignore[arg-type]
        assert any(entry.is_file() for entry in past.rglob("*"))
    assert not past.exists()
    assert not [entry for entry in home.rglob("*") if entry.is_file()]


def test_a_chain_without_a_folder_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Anvil(accounts=1) as chain:
        assert len(list(tmp_path.iterdir())) == 1
        chain.stop()
        chain.start()
        assert len(list(tmp_path.iterdir())) == 1
    assert not list(tmp_path.iterdir())
