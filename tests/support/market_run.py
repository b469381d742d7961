"""Real projects on a real chain, by hand: every call of the market is made here, with real proofs.

For tests of what stands above the market (audit, API, attacks) that need a finished or half-finished project in
seconds, without the daemons. No state of its own: a `Stage` holds the market, a `Play` one project.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from eth_account.signers.local import LocalAccount
from numpy.typing import NDArray
from web3.types import TxReceipt

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.circuits import deploy_circuit
from marketplace.chain.client import MarketClient
from marketplace.chain.compile import compile_source
from marketplace.chain.deployment import Deployment, deploy
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import NATIVE_COIN, Address, RoundResult, Terms, address
from marketplace.devnet.anvil import public_account
from marketplace.node.journal import Journal
from marketplace.node.project import rules_of
from marketplace.protocol.field import to_felt
from marketplace.protocol.fixed_point import apply_updates
from marketplace.protocol.gram import gram
from marketplace.protocol.krum import Judgement, judge, mask
from marketplace.spec.posted import ProjectSpec
from marketplace.spec.terms import terms as terms_of
from marketplace.storage.cid import digest_of
from marketplace.updates.codec import pack_model, pack_update
from tests.support.local_store import LocalStore
from zk import keys, verifier
from zk.commit import Committer
from zk.files import CircuitFiles
from zk.prover import prove
from zk.shape import CircuitShape

FEATURES, CLASSES = 9, 3
LENGTH = (FEATURES + 1) * CLASSES
SLOTS, FAULTS = 6, 1
WINDOW_S = 600
STAKE, BOND = 10**16, 10**17
SEALED_KEY = bytes(range(80))

Update = NDArray[np.int16]


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
    """One project while it is played. `blobs`: CIDs by what they are, such as "model 1"."""

    stage: Stage
    project: int
    spec: ProjectSpec
    terms: Terms
    owner: LocalAccount
    trainers: list[LocalAccount]
    aggregators: list[LocalAccount]
    model: NDArray[np.int32]
    submitted: dict[int, Update] = field(default_factory=dict)
    positions: dict[int, int] = field(default_factory=dict)
    blobs: dict[str, str] = field(default_factory=dict)

    @property
    def client(self) -> MarketClient:
        return self.stage.client

    @property
    def round(self) -> int:
        return self.client.project(self.project).round


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
            slots=slots,
            length=length,
            proof_length=files.proof_length,
            zero=files.zero,
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


def pass_time(client: MarketClient, timestamp: int) -> None:
    """Mines a block at `timestamp`, seconds."""
    if timestamp > client.latest_block().timestamp:
        client.web3.provider.make_request("evm_setNextBlockTimestamp", [timestamp])  # type: ignore[arg-type]
        client.web3.provider.make_request("evm_mine", [])  # type: ignore[arg-type]


def spec_for(stage: Stage, **changes: Mapping[str, Any]) -> ProjectSpec:
    """A spec around the stage's circuit; `changes` replace fields by section, as `rounds={"count": 2}`."""
    store, files = stage.store, stage.files
    document: dict[str, Any] = {
        "project": {"name": "A project of the tests"},
        "task": {"kind": "softmax", "features": FEATURES, "classes": CLASSES},
        "training": {"epochs": 1, "batch_size": 8, "learning_rate": 0.1, "clip_norm": 2.0},
        "rounds": {"count": 5} | dict.fromkeys(("join_window", "submit_window", "result_window"), WINDOW_S),
        "cohort": {"slots": files.shape.slots, "faults": FAULTS},
        "reward": {"token": "native", "amount": str(10**18), "aggregator_fee": str(10**15)},
        "stakes": {"trainer": str(STAKE), "aggregator": str(BOND)},
        "scoring": {
            "rule": "projection",
            "strike_factor": 300,
            "strike_slash": 2000,
            "duplicate_cosine": 9990,
        },
        "settlement": {},
        "aggregators": {},
        "reputation": {},
        "arithmetic": {"scale_bits": 8, "max_norm_squared": 40_000},
        "evaluation": {"sha256": "ab" * 32},
        "validation": None,
        "storage": {"peers": []},
        "circuit": {
            "digest": "0x" + stage.circuit.hex(),
            "slots": files.shape.slots,
            "length": files.shape.length,
            "srs_kind": files.srs_kind,
            "vk": store.add(files.vk.read_bytes()),
            "srs": store.add(files.srs.read_bytes()),
        },
        "chain": {"chain_id": stage.client.chain_id, "market": stage.client.address.lower()},
        "initial_model": store.add(pack_model(initial_model(files.shape.length))),
    }
    for section, fields in changes.items():
        document[section] = document[section] | dict(fields)
    return ProjectSpec.model_validate(document)


def initial_model(length: int) -> NDArray[np.int32]:
    """W_0, int32 [length]."""
    return np.arange(length, dtype=np.int32) * 7 - 50


def post(stage: Stage, owner: LocalAccount, spec: ProjectSpec | None = None) -> Play:
    """Creates a project; its whole reward goes into escrow."""
    spec = spec or spec_for(stage)
    cid = stage.store.add(spec.to_bytes())
    model = initial_model(spec.length)
    commitment = Committer(stage.files).commit(model)
    values = terms_of(spec, digest_of(cid), commitment)
    function = stage.client.market.functions.create(tuple(vars(values).values()))
    send(stage.client, owner, function, value=spec.reward.amount)
    project = stage.client.project_count()
    play = Play(stage, project, spec, stage.client.terms(project), owner, [], [], model)
    play.blobs = {"spec": cid, "initial model": spec.initial_model, "vk": spec.circuit.vk}
    play.blobs |= {"srs": spec.circuit.srs}
    return play


def deposit(play: Play, account: LocalAccount, amount: int) -> None:
    """Adds free stake in the native coin."""
    vault = play.client.vault.contract
    send(play.client, account, vault.functions.deposit(NATIVE_COIN, amount), value=amount)


def join(play: Play, account: LocalAccount) -> None:
    """A trainer deposits its stake and takes a slot."""
    deposit(play, account, play.terms.trainer_stake)
    key = bytes([len(play.trainers) + 1]) * 32
    send(play.client, account, play.client.market.functions.join(play.project, key))
    play.trainers.append(account)


def join_as_aggregator(play: Play, account: LocalAccount) -> None:
    """An aggregator deposits its bond and is appended to the list."""
    deposit(play, account, play.terms.aggregator_bond)
    key = bytes([0xA0 + len(play.aggregators)]) * 32
    function = play.client.market.functions.joinAsAggregator(play.project, key, b"/ip4/127.0.0.1/tcp/4001")
    send(play.client, account, function)
    play.aggregators.append(account)


def start(play: Play) -> None:
    """Opens round 1."""
    send(play.client, play.owner, play.client.market.functions.start(play.project))


def honest_updates(play: Play, seed: int, size: float = 12.0, noise: float = 3.0) -> list[Update]:
    """One update a trainer: a common direction and some noise of its own, int16 [d]."""
    random = np.random.default_rng(seed)
    common = random.normal(0, size, play.spec.length)
    return [
        np.rint(common + random.normal(0, noise, play.spec.length)).astype(np.int16) for _ in play.trainers
    ]


def submit(play: Play, slot: int, update: Update) -> None:
    """The trainer of `slot` commits to its update."""
    commitment = Committer(play.stage.files).commit(update)
    blob = play.stage.store.add(b"sealed" + pack_update(update))
    function = play.client.market.functions.submit(
        play.project, play.round, commitment.x, commitment.y, digest_of(blob)
    )
    send(play.client, play.trainers[slot], function)
    play.submitted[slot] = update
    play.positions[slot] = len(play.positions) + 1


def submit_all(play: Play, updates: Mapping[int, Update]) -> None:
    """Submissions by slot, in the mapping's order."""
    for slot, update in updates.items():
        submit(play, slot, update)


def close_window(play: Play) -> None:
    """Lets the submit window pass."""
    pass_time(play.client, play.client.project(play.project).submit_deadline)


def reseal(play: Play, slot: int) -> None:
    """The trainer of `slot` hands its key to the current aggregator."""
    function = play.client.market.functions.reseal(play.project, play.round, SEALED_KEY)
    send(play.client, play.trainers[slot], function)


def time_out(play: Play) -> None:
    """Lets the result deadline pass and slashes the aggregator that let it pass."""
    pass_time(play.client, play.client.project(play.project).result_deadline)
    send(play.client, play.owner, play.client.market.functions.timeout(play.project, play.round))


def skip(play: Play, account: LocalAccount | None = None, omitted: Iterable[int] = ()) -> None:
    """Ends the round without pay."""
    close_window(play)
    function = play.client.market.functions.skip(play.project, play.round, mask(omitted))
    send(play.client, account or play.owner, function)
    _next_round(play)


def judged(play: Play, omitted: Sequence[int] = ()) -> Judgement:
    """The rules' judgement of what was submitted in this round."""
    rows = [None if slot in omitted else play.submitted.get(slot) for slot in range(play.terms.slots)]
    positions = [play.positions.get(slot, 0) for slot in range(play.terms.slots)]
    return judge(rules_of(play.terms), gram(rows), play.submitted, omitted, positions)


def result_of(play: Play, omitted: Sequence[int] = ()) -> RoundResult:
    """A proved result of the round, and the new model in the store."""
    slots = range(play.terms.slots)
    rows = [None if slot in omitted else play.submitted.get(slot) for slot in slots]
    proof = prove(play.stage.files, rows)
    verdict = judged(play, omitted)
    model = apply_updates(play.model, [play.submitted[slot] for slot in verdict.merged])
    cid = play.stage.store.add(pack_model(model))
    play.blobs[f"model {play.round}"] = cid
    return RoundResult(
        round=play.round,
        omitted=mask(omitted),
        merged=mask(verdict.merged),
        median_score_slot=verdict.median_score_slot,
        median_norm_slot=verdict.median_norm_slot,
        model=digest_of(cid),
        neighbours=tuple(mask(near) for near in verdict.neighbours),
        gram=tuple(to_felt(entry) for entry in proof.gram),
        proof=proof.proof,
    )


def post_result(
    play: Play, account: LocalAccount, omitted: Sequence[int] = (), result: RoundResult | None = None
) -> TxReceipt:
    """Proves and posts the round's result."""
    close_window(play)
    merged = judged(play, omitted).merged
    result = result or result_of(play, omitted)
    function = play.client.market.functions.postResult(play.project, result.to_abi())
    receipt = send(play.client, account, function)
    play.model = apply_updates(play.model, [play.submitted[slot] for slot in merged])
    _next_round(play)
    return receipt


def claim(play: Play, account: LocalAccount) -> None:
    """Pays an account's credit out, if it has any."""
    if play.client.credit_of(NATIVE_COIN, address(account.address)):
        function = play.client.market.functions.claim(NATIVE_COIN, account.address)
        send(play.client, account, function)


def release(play: Play, account: LocalAccount) -> None:
    """Frees the stake or bond of an ended project."""
    if play.client.locked_of(play.project, address(account.address)):
        send(play.client, account, play.client.market.functions.release(play.project))


def gather(play: Play, *, trainers: int = SLOTS, aggregators: int = 2, first_account: int = 1) -> None:
    """Trainers and aggregators join, by the public accounts from `first_account` on."""
    for index in range(aggregators):
        join_as_aggregator(play, public_account(first_account + trainers + index))
    for index in range(trainers):
        join(play, public_account(first_account + index))


def address_of(account: LocalAccount) -> Address:
    """The account's address, checksummed."""
    return address(account.address)


def eventful_project(stage: Stage) -> Play:
    """A settled project of five rounds in which everything happens that a project can live through.

    Round 1: proved; slot 5 is struck. 2: slot 4 is omitted. 3: skipped for want of a quorum. 4: the first
    aggregator times out, keys are sealed anew, the second one proves. 5: slot 0 is absent, slot 3 copies
    slot 2. Afterwards some claim, some release.
    """
    play = post(stage, public_account(0))
    gather(play)
    start(play)
    first, second = play.aggregators

    updates = honest_updates(play, 1)
    updates[5] = (-2 * updates[5]).astype(np.int16)
    submit_all(play, dict(enumerate(updates)))
    post_result(play, first)

    submit_all(play, dict(reversed(list(enumerate(honest_updates(play, 2))))))
    post_result(play, first, omitted=(4,))

    submit_all(play, dict(list(enumerate(honest_updates(play, 3)))[:3]))
    skip(play)

    submit_all(play, dict(enumerate(honest_updates(play, 4))))
    time_out(play)
    for slot in play.submitted:
        reseal(play, slot)
    post_result(play, second)

    updates = honest_updates(play, 5)
    updates[3] = updates[2]
    submit_all(play, {slot: updates[slot] for slot in range(1, SLOTS)})
    post_result(play, second)

    for account in (play.owner, *play.trainers[:3], second):
        claim(play, account)
    for account in (*play.trainers[2:5], second):
        release(play, account)
    return play


def _next_round(play: Play) -> None:
    play.submitted, play.positions = {}, {}
