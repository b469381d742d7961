"""A signer in a process of its own: the same signatures as with the key, and nothing but what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from web3.contract import Contract

from marketplace.chain.remote_signer import RemoteSigner
from marketplace.chain.sender import TransactionSender
from marketplace.chain.signer import LocalSigner, Signer
from marketplace.chain.submission import sign_submission, submission_hash
from marketplace.chain.types import address
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.errors import FairshareError, Reason
from marketplace.node.journal import Journal
from tests.support.http_signer import http_signer

ACCOUNT = public_account(11)
ADDRESS = address(ACCOUNT.address)
MARKET = address("0x" + "ab" * 20)
FIELDS: dict[str, Any] = {
    "type": 2,
    "chainId": 31337,
    "nonce": 3,
    "to": MARKET,
    "value": 7,
    "data": b"data",
    "gas": 100_000,
    "maxFeePerGas": 10**10,
    "maxPriorityFeePerGas": 10**9,
}


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("signer") / "key"
    path.write_text(ACCOUNT.key.hex())
    return path


@pytest.fixture(scope="module", params=["web3signer", "geth"])
def signer(request: pytest.FixtureRequest, key_file: Path) -> Iterator[RemoteSigner]:
    with http_signer(key_file, "--dialect", request.param) as url:
        yield RemoteSigner(url, ADDRESS)


@pytest.mark.parametrize("change", [{}, {"to": b""}, {"data": b""}, {"value": 10**24}])
def test_it_signs_as_the_key_does(signer: Signer, change: dict[str, Any]) -> None:
    local = LocalSigner(ACCOUNT)
    assert signer.sign_transaction(FIELDS | change) == local.sign_transaction(FIELDS | change)
    assert signer.sign_text("receipt") == local.sign_text("receipt")
    digest = b"\x07" * 32
    given = (31337, MARKET, 2**60, 4, digest)
    assert sign_submission(signer, *given) == sign_submission(ACCOUNT, *given)
    recovered = Account._recover_hash(submission_hash(*given), signature=sign_submission(signer, *given))
    assert recovered == ADDRESS


def test_it_says_whose_key_it_has(signer: RemoteSigner) -> None:
    signer.check()
    other = RemoteSigner(signer._url, address(public_account(12).address))
    with pytest.raises(FairshareError, match="has no key") as caught:
        other.check()
    assert caught.value.reason is Reason.BAD_INPUT


def test_transactions_go_through_it(
    anvil: Anvil,
    senders: Callable[..., TransactionSender],
    counter: Callable[..., Contract],
    signer: RemoteSigner,
    tmp_path: Path,
) -> None:
    made = senders(anvil, 12)
    contract = counter(made)
    with (
        Journal(tmp_path / "remote.sqlite") as journal,
        TransactionSender(
            made.client, signer, journal, lock_directory=tmp_path / "remote-locks", poll_s=0.02
        ) as sender,
    ):
        sender.send("hit", contract.functions.hit())
        assert sender.address == ADDRESS
    assert contract.functions.count().call() == 1


@pytest.mark.parametrize(
    ("lie", "reason"),
    [("value", Reason.INTEGRITY), ("rubbish", Reason.INTEGRITY), ("refuse", Reason.BAD_INPUT)],
)
def test_only_what_was_asked_for_is_taken(key_file: Path, lie: str, reason: Reason) -> None:
    with http_signer(key_file, "--lie", lie) as url:
        signer = RemoteSigner(url, ADDRESS)
        actions: tuple[Callable[[], object], ...] = (
            lambda: signer.sign_transaction(FIELDS),
            lambda: signer.sign_text("receipt"),
            lambda: sign_submission(signer, 31337, MARKET, 1, 2, b"\x01" * 32),
        )
        for action in actions:
            with pytest.raises(FairshareError) as caught:
                action()
            assert caught.value.reason is reason
            assert "\n" not in caught.value.message


def test_another_accounts_signature_is_none(key_file: Path) -> None:
    with http_signer(key_file) as url, pytest.raises(FairshareError) as caught:
        RemoteSigner(url, address(public_account(12).address)).sign_text("receipt")
    assert caught.value.reason is Reason.INTEGRITY


def test_a_signer_that_is_not_there() -> None:
    with pytest.raises(FairshareError) as caught:
        RemoteSigner("http://user:secret@127.0.0.1:9/key", ADDRESS).sign_text("x")
    assert caught.value.reason is Reason.UNAVAILABLE
    assert "secret" not in str(caught.value)
    with pytest.raises(FairshareError) as caught:
        RemoteSigner("unix:/nonexistent/signer.sock", ADDRESS).check()
    assert caught.value.reason is Reason.UNAVAILABLE
