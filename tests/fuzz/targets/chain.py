"""What a chain's endpoint answers, down to events, calls and reverts, and the files beside a chain."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple, event_abi_to_log_topic
from hexbytes import HexBytes
from pydantic_core import from_json
from web3.providers.base import JSONBaseProvider

from marketplace.audit.calls import find_complaint, find_proof, find_result
from marketplace.chain import json_rpc, keystore, linking, reverts
from marketplace.chain.client import MarketClient
from marketplace.chain.compile import compile_contracts
from marketplace.chain.contracts import MARKET, abi_entry, codec
from marketplace.chain.deployment import Deployment
from marketplace.chain.endpoint import EndpointProvider
from marketplace.chain.events import MARKET_EVENTS, SKETCH_EVENTS, Event, decode_result_call, fetch
from marketplace.chain.receipts import mined
from marketplace.chain.remote_signer import RemoteSigner
from marketplace.chain.signing_rules import Refusal, Rules
from marketplace.chain.types import NATIVE_COIN, address
from marketplace.errors import FairshareError
from tests.fuzz.abi import ACCOUNT, encoded
from tests.fuzz.forge import answer, as_file, every_server_answers
from tests.fuzz.target import Target
from tests.support.structs import A_RESULT

_MARKET = address("0x" + "12" * 20)
_URL = "http://127.0.0.1:8545"
_HASH = b"h" * 32
_EVENTS: tuple[type[Event], ...] = (*MARKET_EVENTS, *SKETCH_EVENTS)
_POSTED = bytes(HexBytes(codec(MARKET).encode_abi("postResult", [1, A_RESULT.to_abi()])))


class _Canned(JSONBaseProvider):
    """One result for whatever is asked."""

    def __init__(self, result: Any) -> None:
        super().__init__()
        self._result = result

    def make_request(self, method: Any, params: Any) -> Any:
        return {"jsonrpc": "2.0", "id": 1, "result": self._result}

    def make_batch_request(self, requests: Any) -> Any:
        return [self.make_request(method, params) for method, params in requests]


def _client(provider: JSONBaseProvider) -> MarketClient:
    client = _made_client()
    client.web3.provider = provider
    for name in ("chain_id", "vault", "reputation", "gram_verifier", "judge"):  # cached
        client.__dict__.pop(name, None)
    return client


@functools.cache
def _made_client() -> MarketClient:
    return MarketClient(_URL, _MARKET)


def _each(calls: list[Callable[[], object]]) -> list[object]:
    """What all of them say: one that refuses does not keep the others from being tried."""
    said: list[object] = []
    for call in calls:
        try:
            said.append(call())
        except FairshareError as error:
            said.append(error.reason)
    return said


def _endpoint(data: bytes) -> object:
    """Bodies as they come, under every kind of request."""
    with every_server_answers(data):
        client = _client(EndpointProvider(_URL, 0))
        return _each(
            [
                lambda: client.chain_id,
                client.latest_block,
                lambda: client.code(_MARKET),
                lambda: client.transaction_input(_HASH),
                client.project_count,
                lambda: client.call_many("read", [client.market_view("projectCount")] * 2),
                lambda: mined(client, [_HASH]),
                lambda: fetch(client, MARKET_EVENTS, from_block=0, to_block=1),
            ]
        )


def _results(data: bytes) -> object:
    """JSON of any shape as the result of each method."""
    try:
        result = from_json(data, allow_inf_nan=False)
    except ValueError:
        return None
    client = _client(_Canned(result))
    said = _each(
        [
            lambda: client.chain_id,
            client.latest_block,
            lambda: client.code(_MARKET),
            lambda: client.transaction_input(_HASH),
            lambda: mined(client, [_HASH]),
            lambda: fetch(client, MARKET_EVENTS, from_block=0, to_block=1),
            client.project_count,
        ]
    )
    for read in (json_rpc.header_in, json_rpc.number_in):
        try:
            said.append(read(result))
        except ValueError:
            said.append(None)
    return said


def _views(data: bytes) -> object:
    """ABI of any shape as what each view returns."""
    client = _client(_Canned("0x" + data.hex()))
    return _each(
        [
            lambda: client.project(1),
            lambda: client.terms(1),
            lambda: client.cohort(1, 0),
            lambda: client.challenge(1),
            lambda: client.trainer(1, 0),
            lambda: client.aggregators(1),
            lambda: client.membership(1, ACCOUNT),
            lambda: client.circuit(_HASH),
            lambda: client.trainer_record(ACCOUNT),
            lambda: client.complaint(1, 1, 0, 0),
            lambda: client.number_of(1, 1, 0),
            lambda: client.claimable(1, ACCOUNT),
            lambda: client.vault.free(NATIVE_COIN, ACCOUNT),
        ]
    )


def _log(data: bytes) -> object:
    """First byte: the event; second: topics; then these, and the log's data."""
    head, rest = data[:2].ljust(2, b"\0"), data[2:]
    kind, count = _EVENTS[head[0] % len(_EVENTS)], head[1] % 5
    topics = [rest[32 * i : 32 * (i + 1)] for i in range(count)]
    log: dict[str, Any] = {
        "address": _MARKET,
        "topics": ["0x" + topic.hex() for topic in [_topic(kind), *topics]],
        "data": "0x" + rest[32 * count :].hex(),
        "blockNumber": "0x1",
        "blockHash": "0x" + _HASH.hex(),
        "transactionHash": "0x" + _HASH.hex(),
        "transactionIndex": "0x0",
        "logIndex": "0x0",
        "removed": False,
    }
    return fetch(_client(_Canned([log])), [kind], from_block=1, to_block=1)


def _log_seeds() -> Iterator[bytes]:
    for place, kind in enumerate(_EVENTS):
        inputs = abi_entry(kind.contract, "event", kind.__name__)["inputs"]
        indexed = [parameter for parameter in inputs if parameter["indexed"]]
        plain = [collapse_if_tuple(parameter) for parameter in inputs if not parameter["indexed"]]
        topics = b"".join(bytes(31) + b"\1" for _ in indexed)
        yield bytes([place, len(indexed)]) + topics + encoded(plain)


def _topic(kind: type[Event]) -> bytes:
    return bytes(event_abi_to_log_topic(abi_entry(kind.contract, "event", kind.__name__)))  # type: ignore[arg-type]


def _calldata(data: bytes) -> object:
    return _each(
        [
            lambda: decode_result_call(data),
            lambda: find_result(data, 1, 1, 0),
            lambda: find_complaint(data, 1, 1, 0),
            lambda: find_proof(data, 1),
        ]
    )


def _calldata_seeds() -> Iterator[bytes]:
    yield _POSTED
    yield b"\0" * 36 + _POSTED
    arrivals = A_RESULT.arrivals.to_abi()
    yield bytes(HexBytes(codec(MARKET).encode_abi("complain", [1, 1, 0, 1, arrivals])))
    yield bytes(HexBytes(codec(MARKET).encode_abi("answerProof", [1, [7, 8], b"proof"])))


def _revert(data: bytes) -> object:
    text = data.decode("latin-1")
    told = reverts.revert_data({"data": text}) + reverts.revert_data(text)
    return [reverts.as_error(data, "doing", "words"), reverts.as_error(told, "doing")]


def _revert_seeds() -> Iterator[bytes]:
    yield bytes.fromhex("08c379a0") + encode(["string"], ["why"])
    yield bytes.fromhex("4e487b71") + encode(["uint256"], [17])
    for selector, error in list(reverts._error_types().items())[::8]:
        kinds = [parameter.kind for parameter in error.parameters]
        yield selector + encoded(kinds)


def _code(data: bytes) -> object:
    artifact = compile_contracts()["TrainingMarket"]
    code = data + bytes.fromhex(artifact.deployed_bytecode[:2])
    return linking.matches(artifact, code, _MARKET), linking.libraries_in(artifact, data)


def _keystore(data: bytes) -> object:
    path = as_file(data, "keystore.json")
    # The work that a password may take is allowed to take long: less of it here.
    with mock.patch.multiple(keystore, _MOST_SCRYPT_BYTES=1 << 20, _MOST_PBKDF2_ROUNDS=1 << 16):
        return _each([lambda: keystore.address_in(path), lambda: keystore.load(path, "password")])


def _keystore_seeds() -> Iterator[bytes]:
    from eth_account import Account

    for kdf, work in (("scrypt", 2), ("pbkdf2", 2)):
        yield json.dumps(Account.encrypt(bytes(31) + b"\1", "password", kdf=kdf, iterations=work)).encode()


def _deployment() -> Deployment:
    place, code = "0x" + "56" * 20, "0x" + "78" * 32
    return Deployment(
        format=2,
        version="0.1.0",
        chain_id=31337,
        **dict.fromkeys(("market", "gram_verifier", "vault", "reputation", "judge"), place),
        libraries={"Krum": place},
        block=3,
        compiler={"version": "0.8.30"},
        code_hashes={"TrainingMarket": code},
        circuits=[code],
    )


def _signer(data: bytes) -> object:
    """A signer that answers anything to whatever it is asked to sign."""
    fields: dict[str, Any] = {
        **{"type": 2, "chainId": 5, "nonce": 3, "to": _MARKET, "value": 0, "data": b"data"},
        **{"gas": 100, "maxFeePerGas": 10, "maxPriorityFeePerGas": 1},
    }
    types = {"Text": [{"name": "words", "type": "string"}]}
    with every_server_answers(data):
        signer = _remote()
        return _each(
            [
                signer.check,
                lambda: signer.sign_transaction(fields),
                lambda: signer.sign_typed_data({"name": "x", "chainId": 5}, types, {"words": "hello"}),
                lambda: signer.sign_text("hello"),
            ]
        )


@functools.cache
def _remote() -> RemoteSigner:
    return RemoteSigner(_URL, ACCOUNT)


def _signer_seeds() -> Iterator[bytes]:
    from eth_account import Account

    account = Account.from_key(bytes(31) + b"\1")
    fields = {"chainId": 5, "nonce": 3, "to": _MARKET, "value": 0, "data": b"data", "gas": 100}
    signed = account.sign_transaction({**fields, "maxFeePerGas": 10, "maxPriorityFeePerGas": 1})
    for result in (signed.raw_transaction.to_0x_hex(), "0x" + "11" * 65, [ACCOUNT]):
        yield answer(json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode())
    yield answer(b'{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no"}}')


_RULES = Rules(5, ACCOUNT, frozenset({_MARKET}), frozenset({NATIVE_COIN}), project_limit=100, other_limit=10)


def _asked_to_sign(data: bytes) -> object:
    """The parameters of a signer's requests, of any shape."""
    try:
        given = from_json(data, allow_inf_nan=False)
    except ValueError:
        return None
    said: list[object] = []
    for rule in (
        lambda: _RULES.transaction(given),
        lambda: _RULES.typed_data(ACCOUNT, given),
        lambda: _RULES.text(ACCOUNT, given),
    ):
        try:
            said.append(rule())
        except Refusal as error:
            said.append(error)
    return said


def _asked_seeds() -> Iterator[bytes]:
    quantities = ("nonce", "value", "gas", "maxFeePerGas", "maxPriorityFeePerGas")
    call = codec(MARKET).encode_abi("submit", [7, 1, 0, b"d" * 32, b"b" * 32])
    document = {"from": ACCOUNT, "to": _MARKET, "chainId": "0x5", "data": call}
    yield json.dumps({**document, **dict.fromkeys(quantities, "0x1")}).encode()
    typed = {"primaryType": "Permit", "domain": {"chainId": 5, "verifyingContract": _MARKET}, "message": {}}
    yield json.dumps(typed).encode()
    yield json.dumps("0x" + json.dumps({"chain_id": 5, "market": _MARKET}).encode().hex()).encode()


def _view_seeds() -> Iterator[bytes]:
    for name in (
        "projectOf",
        "termsOf",
        "cohortOf",
        "challengeOf",
        "membershipOf",
        "aggregatorsOf",
        "trainerOf",
    ):
        kinds = [collapse_if_tuple(output) for output in abi_entry(MARKET, "function", name)["outputs"]]
        yield encoded(kinds)


def _result_seeds() -> Iterator[bytes]:
    block = {"number": "0x1", "timestamp": "0x2", "hash": "0x" + "11" * 32}
    receipt = {"transactionHash": "0x" + _HASH.hex(), "status": "0x1", "blockNumber": "0x1", "gasUsed": "0x5"}
    log = {
        "address": _MARKET,
        "topics": ["0x" + "11" * 32],
        "data": "0x",
        "blockNumber": "0x1",
        "logIndex": "0x0",
    }
    for document in (block, {**receipt, "effectiveGasPrice": "0x1"}, [log], "0x1", {"input": "0x"}):
        yield json.dumps(document).encode()


def _endpoint_seeds() -> Iterator[bytes]:
    for result in _result_seeds():
        yield answer(b'{"jsonrpc":"2.0","id":1,"result":%s}' % result)
    yield answer(b'[{"jsonrpc":"2.0","id":0,"result":"0x01"},{"jsonrpc":"2.0","id":1,"result":"0x01"}]')
    yield answer(b'{"jsonrpc":"2.0","id":1,"error":{"code":3,"message":"reverted","data":"0x08c379a0"}}')


TARGETS = (
    Target("endpoint-answer", _endpoint, _endpoint_seeds, share=0.05, json_at=1),
    Target("endpoint-result", _results, _result_seeds, share=0.2, json_at=0),
    Target("contract-view", _views, _view_seeds, share=0.1),
    Target("event-log", _log, _log_seeds, share=0.3),
    Target("calldata", _calldata, _calldata_seeds, share=0.3),
    Target("revert", _revert, _revert_seeds),
    Target("contract-code", _code, lambda: [bytes(100)], share=0.1),
    Target("keystore", _keystore, _keystore_seeds, share=0.3, json_at=0),
    Target(
        "deployment",
        lambda data: Deployment.load(as_file(data, "deployment.json")),
        lambda: [json.dumps(_deployment().model_dump()).encode()],
        json_at=0,
    ),
    Target("signer-answer", _signer, _signer_seeds, share=0.1, json_at=1),
    Target("signer-request", _asked_to_sign, _asked_seeds, json_at=0),
)
