"""Real projects on a real chain, by hand: every call of the market is made here, with real proofs.

For tests of what stands above the market (audit, API, attacks) that need a finished or half-finished project in
seconds, without the daemons. No state of its own: a `Stage` holds the market, a `Play` one project. Whole projects:
`market_tales`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from numpy.typing import NDArray
from web3.types import TxReceipt

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.circuits import circuit_of, deploy_circuit
from marketplace.chain.client import MarketClient
from marketplace.chain.compile import compile_source
from marketplace.chain.deployment import Deployment, deploy
from marketplace.chain.sender import TransactionSender
from marketplace.chain.submission import sign_submission
from marketplace.chain.types import (
    NATIVE_COIN,
    NO_PERMIT,
    Address,
    Arrivals,
    Opening,
    Terms,
    address,
)
from marketplace.devnet.anvil import public_account
from marketplace.node.arrivals import arrivals
from marketplace.node.journal import Journal
from marketplace.node.project import committer_of
from marketplace.node.seats import number_in_seat
from marketplace.protocol.digests import update_digest
from marketplace.protocol.krum import mask
from marketplace.spec.posted import ProjectSpec
from marketplace.spec.terms import terms as terms_of
from marketplace.storage.cid import digest_of
from marketplace.updates.batch import Batch, BatchEntry
from marketplace.updates.codec import pack_model, pack_update
from marketplace.updates.tree_committer import TreeCommitter
from tests.support.local_store import LocalStore
from zk import keys, verifier
from zk.commit import Committer
from zk.files import CircuitFiles
from zk.opening import open_at
from zk.shape import CircuitShape

FEATURES, CLASSES = 9, 3
LENGTH = (FEATURES + 1) * CLASSES
SLOTS, FAULTS = 6, 1
WINDOW_S = 600
STAKE, BOND, DEPOSIT, REVEAL_BOND = 10**16, 10**17, 10**14, 10**15
SEALED_KEY = bytes(range(80))
VALIDATION, SALT = keccak(b"validation set"), keccak(b"salt")

Update = NDArray[np.int16]
Seat = tuple[int, int]  # cohort, slot


@dataclass(frozen=True)
class Stage:
    """A market with one registered circuit. `store` keeps every blob."""

    url: str
    deployment: Deployment
    client: MarketClient
    store: LocalStore
    files: CircuitFiles
    circuit: bytes
    cache: Path


@dataclass
class Play:
    """One project while it is played. `blobs`: CIDs by what they are, such as "model 1".

    `trainers`: by number. `updates`: of the round under way, by seat; `batches`: by cohort. `models`: that each round
    started from.
    """

    stage: Stage
    project: int
    spec: ProjectSpec
    terms: Terms
    owner: LocalAccount
    trainers: list[LocalAccount]
    aggregators: list[LocalAccount]
    model: NDArray[np.int32]
    committer: Committer | TreeCommitter
    updates: dict[Seat, Update] = field(default_factory=dict)
    batches: dict[int, Batch] = field(default_factory=dict)
    reference: Update | None = None
    models: dict[int, NDArray[np.int32]] = field(default_factory=dict)
    blobs: dict[str, str] = field(default_factory=dict)
    known: int = 0  # the round that `updates` are of

    @property
    def client(self) -> MarketClient:
        return self.stage.client

    @property
    def calls(self) -> Any:
        """The market's functions."""
        return self.client.market.functions

    @property
    def round(self) -> int:
        """The round under way; what is left of an earlier one is forgotten."""
        now = self.client.project(self.project).round
        if now != self.known:
            self.known, self.updates, self.batches, self.reference = now, {}, {}, None
            self.models[now] = self.model
        return now


def set_stage(url: str, cache: Path, *, slots: int = SLOTS, length: int = LENGTH, account: int = 0) -> Stage:
    """Deploys a market and a circuit to the chain at `url`. `cache` keeps circuits (reuse it: keys take time)."""
    files = keys.build(CircuitShape(slots, length), cache)
    with (
        tempfile.TemporaryDirectory() as folder,
        Journal(Path(folder) / "deployer.sqlite") as journal,
        TransactionSender(
            ChainClient(url), public_account(account), journal, lock_directory=Path(folder), poll_s=0.02
        ) as sender,
    ):
        deployment = deploy(sender, unbonding_delay_s=3600)
        circuit = deploy_circuit(
            sender,
            address(deployment.gram_verifier),
            compile_source(verifier.CONTRACT, verifier.source(files)),
            circuit_of(files),
        )
    client = deployment.client(url).connect()
    return Stage(url, deployment, client, LocalStore(), files, circuit, cache)


def send(client: MarketClient, account: LocalAccount, call: Any, value: int = 0) -> TxReceipt:
    """Sends one call and waits for it; AssertionError where it reverts."""
    web3 = client.web3
    transaction = call.build_transaction(
        {
            "from": account.address,
            "nonce": web3.eth.get_transaction_count(account.address),
            "value": value,
            "gas": 12_000_000,
            "chainId": client.chain_id,
        }
    )
    signed = account.sign_transaction(transaction)
    receipt = web3.eth.wait_for_transaction_receipt(
        web3.eth.send_raw_transaction(signed.raw_transaction), poll_latency=0.02
    )
    assert receipt["status"] == 1, f"{call.fn_name} reverted"
    return receipt


def mine(client: MarketClient) -> None:
    """Mines a block."""
    client.web3.provider.make_request("evm_mine", [])  # type: ignore[arg-type]


def pass_time(client: MarketClient, timestamp: int) -> None:
    """Mines a block at `timestamp`, seconds."""
    if timestamp > client.latest_block().timestamp:
        client.web3.provider.make_request("evm_setNextBlockTimestamp", [timestamp])  # type: ignore[arg-type]
        client.web3.provider.make_request("evm_mine", [])  # type: ignore[arg-type]


def spec_for(stage: Stage, **changes: Mapping[str, Any]) -> ProjectSpec:
    """A spec around the stage's circuit; `changes` replace fields by section, as `rounds={"count": 2}`.

    With scoring={"rule": "reference"} a cohort has a slot less: the reference takes the circuit's last input.
    """
    store, files = stage.store, stage.files
    by_owner = changes.get("scoring", {}).get("rule") == "reference"
    slots = files.shape.slots - by_owner
    document: dict[str, Any] = {
        "project": {"name": "A project of the tests"},
        "task": {"kind": "softmax", "features": FEATURES, "classes": CLASSES},
        "training": {"epochs": 1, "batch_size": 8, "learning_rate": 0.1, "clip_norm": 2.0},
        "rounds": {"count": 5, "answer_window": WINDOW_S // 2, "challenge_window": WINDOW_S // 2}
        | dict.fromkeys(("join_window", "submit_window", "result_window"), WINDOW_S),
        "cohort": {"slots": slots, "faults": FAULTS, "cohorts": 1, "trainers": slots},
        "reward": {"token": "native", "amount": str(10**18), "aggregator_fee": str(10**15)},
        "stakes": {
            "trainer": str(STAKE),
            "aggregator": str(BOND),
            "complaint_deposit": str(DEPOSIT),
            "reveal": str(REVEAL_BOND if by_owner else 0),
        },
        "scoring": {
            "rule": "projection",
            "fallback_rule": "projection",
            "reference_share": 8000 if by_owner else 0,
            "strike_factor": 300,
            "strike_slash": 2000,
            "duplicate_cosine": 9990,
        },
        "settlement": {"mode": "proved"},
        "aggregators": {"allowed": []},
        "reputation": {"floor": 0},
        "arithmetic": {"scale_bits": 8, "max_norm_squared": 40_000},
        "evaluation": {"sha256": "ab" * 32},
        "validation": {"commitment": "0x" + keccak(VALIDATION + SALT).hex()} if by_owner else None,
        "storage": {"peers": []},
        "privacy": None,
        "circuit": {
            "digest": "0x" + stage.circuit.hex(),
            "slots": files.shape.slots,
            "length": files.shape.length,
            "srs_kind": files.srs_kind,
            "vk": store.add(files.vk.read_bytes()),
            "srs": store.add(files.srs.read_bytes()),
        },
        "chain": {"chain_id": stage.client.chain_id, "market": stage.client.address.lower()},
    }
    for section, changed in changes.items():
        document[section] = document.get(section, {}) | dict(changed)
    sketch = document.get("sketch")
    length = sketch["chunks"] * sketch["chunk_length"] if sketch else files.shape.length
    document["initial_model"] = store.add(pack_model(initial_model(length)))
    return ProjectSpec.model_validate(document)


def initial_model(length: int) -> NDArray[np.int32]:
    """W_0, int32 [length]."""
    return np.arange(length, dtype=np.int32) * 7 - 50


def post(stage: Stage, owner: LocalAccount, spec: ProjectSpec | None = None) -> Play:
    """Creates a project; its whole reward goes into escrow."""
    spec = spec or spec_for(stage)
    cid = stage.store.add(spec.to_bytes())
    model = initial_model(spec.length)
    committer = committer_of(stage.files, spec)
    commitment = committer.commit(model)
    values = terms_of(spec, digest_of(cid), commitment)  # in the struct's order: tests/unit/spec shows it
    function = stage.client.market.functions.create(astuple(values), NO_PERMIT.to_abi())
    send(stage.client, owner, function, value=spec.reward.amount + spec.stakes.reveal)
    project = stage.client.project_count()
    play = Play(stage, project, spec, stage.client.terms(project), owner, [], [], model, committer)
    play.blobs = {"spec": cid, "initial model": spec.initial_model, "vk": spec.circuit.vk}
    play.blobs |= {"srs": spec.circuit.srs}
    return play


def deposit(play: Play, account: LocalAccount, amount: int) -> None:
    """Adds free stake in the native coin."""
    vault = play.client.vault.contract
    send(play.client, account, vault.functions.deposit(NATIVE_COIN, amount), value=amount)


def join(play: Play, account: LocalAccount) -> None:
    """A trainer deposits its stake and takes the next place."""
    deposit(play, account, play.terms.trainer_stake)
    key = bytes([len(play.trainers) + 1]) * 32
    send(play.client, account, play.calls.join(play.project, key))
    play.trainers.append(account)


def join_as_aggregator(play: Play, account: LocalAccount, listed: Iterable[bytes] = ()) -> None:
    """An aggregator deposits its bond and is appended to the list."""
    deposit(play, account, play.terms.aggregator_bond)
    key = bytes([0xA0 + len(play.aggregators)]) * 32
    contact = b"/ip4/127.0.0.1/tcp/4001"
    send(play.client, account, play.calls.joinAsAggregator(play.project, key, contact, list(listed)))
    play.aggregators.append(account)


def start(play: Play) -> None:
    """Opens round 1, by a draw where there is one."""
    send(play.client, play.owner, play.calls.start(play.project))
    if play.client.project(play.project).round == 0:
        mine(play.client)
        send(play.client, play.owner, play.calls.draw(play.project))


def honest_updates(play: Play, seed: int, size: float = 12.0, noise: float = 3.0) -> list[Update]:
    """One update a slot: a common direction and some noise of its own, int16 [d]."""
    random = np.random.default_rng(seed)
    common = random.normal(0, size, play.spec.length)
    return [
        np.rint(common + random.normal(0, noise, play.spec.length)).astype(np.int16)
        for _ in range(play.terms.slots)
    ]


def account_in(play: Play, slot: int, cohort: int = 0) -> LocalAccount:
    """Who sits there in this round."""
    state = play.client.project(play.project)
    number = number_in_seat(state, state.round, cohort * play.terms.slots + slot)
    assert number is not None
    return play.trainers[number]


def submit(play: Play, slot: int, update: Update, cohort: int = 0, *, sign: bool = False) -> None:
    """The trainer of a seat commits to its update; `sign`: by a signature that the owner sends."""
    account, round_ = account_in(play, slot, cohort), play.round
    digest, blob = _digest(play, account, update), _blob(play, update)
    seat = cohort * play.terms.slots + slot
    if sign:
        hashed = play.calls.relayedHash(play.project, round_, digest, blob).call()
        signature = bytes(account.unsafe_sign_hash(hashed).signature)
        function = play.calls.submitSigned(
            play.project, round_, seat, account.address, digest, blob, signature
        )
        send(play.client, play.owner, function)
    else:
        send(play.client, account, play.calls.submit(play.project, round_, seat, digest, blob))
    play.updates[cohort, slot] = update


def submit_all(play: Play, updates: Mapping[int, Update], cohort: int = 0) -> None:
    """Submissions by slot, in the mapping's order."""
    for slot, update in updates.items():
        submit(play, slot, update, cohort)


def submit_reference(play: Play, update: Update) -> None:
    """The owner commits to its reference."""
    digest, round_ = _digest(play, play.owner, update), play.round
    function = play.calls.submitReference(play.project, round_, digest, _blob(play, update))
    send(play.client, play.owner, function)
    play.reference = update


def post_batch(
    play: Play, aggregator: LocalAccount, updates: Mapping[int, Update], unsigned: Iterable[int] = ()
) -> None:
    """Updates of cohort 0 by slot, handed to the aggregator; those of `unsigned` slots with somebody's signature."""
    entries, round_ = [], play.round
    for slot in sorted(updates):
        account = account_in(play, slot)
        digest = _digest(play, account, updates[slot])
        signature = _signature(play, play.owner if slot in unsigned else account, digest)
        entries.append(BatchEntry(slot, digest, _blob(play, updates[slot]), signature))
        if slot not in unsigned:
            play.updates.setdefault((0, slot), updates[slot])
    batch = Batch(tuple(entries))
    listed = digest_of(play.stage.store.add(batch.pack()))
    function = play.calls.postBatch(play.project, round_, 0, batch.slots, batch.root, listed)
    send(play.client, aggregator, function)
    play.batches[0] = batch


def arrived(play: Play, cohort: int = 0, *, open_batch: bool = True) -> Arrivals:
    """The arrivals of a cohort, for `complain` and `postResult`."""
    batch = play.batches.get(cohort) if open_batch else None
    return arrivals(play.client, play.project, play.round, cohort, play.terms.slots, batch=batch)


def close_window(play: Play) -> None:
    """Lets the submit window pass."""
    pass_time(play.client, play.client.project(play.project).submit_deadline)


def reseal(play: Play, account: LocalAccount) -> None:
    """A trainer hands its key to the current aggregator."""
    send(play.client, account, play.calls.reseal(play.project, play.round, SEALED_KEY))


def complain(play: Play, aggregator: LocalAccount, slots: Iterable[int], cohort: int = 0) -> None:
    """The aggregator says that it cannot open these updates; slot K is the reference."""
    close_window(play)
    known = arrived(play, cohort).to_abi()
    function = play.calls.complain(play.project, play.round, cohort, mask(slots), known)
    send(play.client, aggregator, function)


def answer(play: Play, account: LocalAccount, slot: int, cohort: int = 0) -> None:
    """Puts an update on chain that was complained about."""
    update = play.reference if slot == play.terms.slots else play.updates[cohort, slot]
    assert update is not None
    point = play.committer.commit(update)
    opening = open_at(play.stage.files, update, circuit=play.terms.circuit)
    shown = Opening(opening.packed, opening.proof).to_abi()
    function = play.calls.answer(play.project, play.round, cohort, slot, tuple(point), shown)
    send(play.client, account, function)


def wait_for_answers(play: Play) -> None:
    """Lets the answer window of the open complaints pass."""
    pass_time(play.client, play.client.project(play.project).answer_deadline)


def time_out(play: Play) -> None:
    """Lets the result deadline pass and slashes the aggregator that let it pass."""
    pass_time(play.client, play.client.project(play.project).result_deadline)
    send(play.client, play.owner, play.calls.timeout(play.project, play.round))


def skip(play: Play, account: LocalAccount | None = None, cohort: int = 0) -> None:
    """Ends a cohort's round without pay."""
    close_window(play)
    send(play.client, account or play.owner, play.calls.skip(play.project, play.round, cohort))


def gather(play: Play, *, trainers: int | None = None, aggregators: int = 2, first_account: int = 1) -> None:
    """Trainers (None: all there are places for) and aggregators join, by the public accounts from the first on."""
    count = play.terms.trainers if trainers is None else trainers
    for index in range(aggregators):
        join_as_aggregator(play, public_account(first_account + count + index))
    for index in range(count):
        join(play, public_account(first_account + index))


def address_of(account: LocalAccount) -> Address:
    """The account's address, checksummed."""
    return address(account.address)


def _digest(play: Play, account: LocalAccount, update: Update) -> bytes:
    point = play.committer.commit(update)
    return update_digest(point.x, point.y, account.address)


def _blob(play: Play, update: Update) -> bytes:
    return digest_of(play.stage.store.add(b"sealed" + pack_update(update)))


def _signature(play: Play, account: LocalAccount, digest: bytes) -> bytes:
    client = play.client
    return sign_submission(account, client.chain_id, client.address, play.project, play.round, digest)
