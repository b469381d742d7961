"""What nodes hand each other over HTTP, what is asked of them, and what they read back from their own disk."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator

import httpx
import numpy as np
from eth_account import Account
from eth_account.signers.local import LocalAccount

from aggregator.intake import Intake, read_submission, signer_of_receipt
from marketplace.chain.signing_rules import Rules
from marketplace.chain.submission import sign_submission
from marketplace.chain.transaction_log import Mined, SignedTransaction
from marketplace.chain.types import Address, address
from marketplace.errors import FairshareError
from marketplace.node import logging
from marketplace.node.hand_over import SignedSubmission, check_url, hand_over
from marketplace.node.journal import Journal
from marketplace.node.places import read_place
from marketplace.node.previews import Market, Preview, asking, fetch_preview, read_preview
from marketplace.node.seats import Seat
from marketplace.node.signer_service import SignerService
from marketplace.storage.cid import cid_of
from tests.fuzz.forge import answer, as_file, every_server_answers, patched, scratch
from tests.fuzz.target import Target
from trainer_node.prepared import Own, Prepared
from zk.curve import Point

_MARKET = Market(31337, address("0x" + "5f" * 20))
_BOSS: LocalAccount = Account.from_key(b"\x09" * 32)
_TRAINER: LocalAccount = Account.from_key(b"\x01" * 32)
_BOSS_ADDRESS, _TRAINER_ADDRESS = address(_BOSS.address), address(_TRAINER.address)
_PROJECT, _ROUND = 7, 2
_URL = "http://127.0.0.1:9000"


def _submission() -> SignedSubmission:
    digest = b"\x01" * 32
    signature = sign_submission(_TRAINER, _MARKET.chain_id, _MARKET.address, _PROJECT, _ROUND, digest)
    return SignedSubmission(_PROJECT, _ROUND, _TRAINER_ADDRESS, digest, b"\x02" * 32, signature)


@functools.cache
def _journal(name: str) -> Journal:
    return Journal(scratch() / f"{name}.sqlite")


@functools.cache
def _intake() -> Intake:
    intake = Intake(_MARKET, _journal("intake"), _BOSS)
    intake.desk(_PROJECT).open(_ROUND, {str(_TRAINER_ADDRESS): Seat(0, 0, 0)}, set())
    return intake


def _take(data: bytes) -> object:
    return _intake().take(read_submission(data))


def _receipt(data: bytes) -> object:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return signer_of_receipt(document) if isinstance(document, dict) else None


def _answer_to_trainer(data: bytes) -> object:
    """An aggregator's answers to a trainer."""
    with every_server_answers(data):
        said: list[object] = []
        try:
            said.append(hand_over(_URL, _submission(), chain_id=31337))
        except FairshareError as error:
            said.append(error.reason)
        return [*said, fetch_preview(_asking(), _URL, _MARKET, _PROJECT, _ROUND, _BOSS_ADDRESS)]


@functools.cache
def _asking() -> httpx.Client:
    return asking()


def _preview() -> bytes:
    return Preview(_PROJECT, _ROUND, cid_of(b"model"), Point(1, 2)).sign(_MARKET, _BOSS)


@functools.cache
def _service() -> SignerService:
    logging.configure(file=scratch() / "log.jsonl")
    rules = Rules(5, _BOSS_ADDRESS, frozenset({_MARKET.address}), frozenset({Address("0x" + "0" * 40)}))
    return SignerService(_BOSS, rules, _journal("signer"), logging.logger())


def _signer_request_seeds() -> Iterator[bytes]:
    quantities = dict.fromkeys(("nonce", "value", "gas", "maxFeePerGas", "maxPriorityFeePerGas"), "0x1")
    call = {"from": _BOSS_ADDRESS, "to": _MARKET.address, "chainId": "0x5", "data": "0x", **quantities}
    domain = {"name": "Fairshare", "chainId": 5, "verifyingContract": _MARKET.address}
    types = {
        "EIP712Domain": [
            {"name": "name", "type": "string"},
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"},
        ],
        "Words": [{"name": "words", "type": "string"}, {"name": "many", "type": "uint8[2]"}],
    }
    message = {"words": "hello", "many": [1, 2]}
    typed = {"types": types, "primaryType": "Words", "domain": domain, "message": message}
    text = json.dumps({"chain_id": 5, "market": _MARKET.address}).encode().hex()
    for method, params in (
        ("eth_accounts", []),
        ("eth_signTransaction", [call]),
        ("eth_signTypedData", [_BOSS_ADDRESS, json.dumps(typed)]),
        ("eth_signTypedData", [_BOSS_ADDRESS, typed]),
        ("eth_sign", [_BOSS_ADDRESS, "0x" + text]),
    ):
        yield json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


@functools.cache
def _sound_journal() -> bytes:
    """The file of a journal with something of everything."""
    path = scratch() / "sound.sqlite"
    with Journal(path) as journal:
        journal.append_transaction(
            SignedTransaction("join:7", 31337, _TRAINER.address, 3, b"h" * 32, b"raw", signed_at_block=9)
        )
        journal.note_mined(b"h" * 32, Mined(True, 10, 100, 10), 7, final=True)
        own = Own(np.arange(5, dtype=np.int16), Point(1, 2), b"sealed", b"key")
        Prepared.of(_ROUND, b"d" * 32, 0, own).keep(journal, _PROJECT)
    return path.read_bytes()


def _read_journal(data: bytes) -> object:
    path = as_file(patched(_sound_journal(), data), "damaged.sqlite")
    with Journal(path, read_only=True) as journal:
        sender = _TRAINER.address
        return [
            journal.names(_PROJECT, _ROUND),
            journal.projects(),
            journal.transactions(31337, sender, "join:7"),
            journal.transactions_from_nonce(31337, sender, 0),
            journal.sent(31337, sender),
            journal.unnoted(31337, sender, 5),
            journal.unsettled(31337, sender),
            journal.spent(31337, sender, 7),
            journal.settled(31337, sender),
            Prepared.recall(journal, _PROJECT, _ROUND),
        ]


def _recorded(data: bytes) -> object:
    """A record of our own that reads otherwise than it was written."""
    journal = _journal("records")
    journal._put("records", _PROJECT, _ROUND, "update", data)
    return Prepared.recall(journal, _PROJECT, _ROUND)


TARGETS = (
    Target("submission", read_submission, lambda: [json.dumps(_submission().to_json()).encode()], json_at=0),
    Target("intake", _take, lambda: [json.dumps(_submission().to_json()).encode()], share=0.3, json_at=0),
    Target(
        "receipt",
        _receipt,
        lambda: [json.dumps(_intake().take(_submission())).encode()],
        share=0.5,
        json_at=0,
    ),
    Target(
        "preview",
        lambda data: read_preview(data, _MARKET, _PROJECT, _ROUND, _BOSS_ADDRESS),
        lambda: [_preview()],
        share=0.5,
        json_at=0,
    ),
    Target(
        "aggregator-answer",
        _answer_to_trainer,
        lambda: [answer(_preview()), answer(b'{"receipt":{"project":7,"receipt_signature":"0x00"}}')],
        share=0.05,
        json_at=1,
    ),
    Target(
        "aggregator-url",
        lambda data: check_url(data.decode("latin-1"), chain_id=1),
        lambda: [b"http://aggregator.example:9000/path", b"https://[2606:4700::1]"],
    ),
    Target("place-to-listen", lambda data: read_place(data.decode("latin-1")), lambda: [b"[::1]:9000"]),
    Target("signer-body", lambda data: _service().answer(data), _signer_request_seeds, share=0.1, json_at=0),
    Target("journal-file", _read_journal, lambda: [b"", b"\0\x18\1", b"\x10\0\x0d"], share=0.1),
    Target(
        "journal-record",
        _recorded,
        lambda: [b'{"aggregator_index":0,"cid":"Qm","digest":"6464","length":5,"x":"1","y":"2"}'],
        share=0.1,
        json_at=0,
    ),
)
