"""A market with a circuit on a chain of its own, and projects played on it by hand, with real proofs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from numpy.typing import NDArray
from web3.types import TxReceipt

from gasmeter.meter import Meter
from marketplace.chain.chain_client import ChainClient
from marketplace.chain.circuits import circuit_of, deploy_circuit
from marketplace.chain.compile import compile_source
from marketplace.chain.deployment import Deployment, deploy
from marketplace.chain.sender import TransactionSender
from marketplace.chain.submission import sign_submission
from marketplace.chain.types import (
    NATIVE_COIN,
    NO_PERMIT,
    Arrivals,
    Opening,
    RoundResult,
    ScoreRule,
    Settlement,
    Terms,
    address,
)
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.node.arrivals import arrivals, received
from marketplace.node.journal import Journal
from marketplace.node.project import rules_of
from marketplace.node.seats import cohort_trainers, number_in_seat
from marketplace.node.signatures import signed_by
from marketplace.protocol.digests import update_digest
from marketplace.protocol.field import to_felt
from marketplace.protocol.fixed_point import apply_updates
from marketplace.protocol.gram import Gram, gram
from marketplace.protocol.krum import judge, mask, members
from marketplace.updates.batch import Batch, BatchEntry
from zk import curve, keys, verifier
from zk.commit import Committer
from zk.curve import Point
from zk.files import CircuitFiles
from zk.opening import open_at
from zk.prover import Proof, prove
from zk.shape import CircuitShape

Update = NDArray[np.int16]

SEED = 1
WINDOW_S = 3600
STAKE, BOND, REWARD, FEE, DEPOSIT = 10**16, 10**17, 10**18, 10**15, 10**14
VALIDATION, SALT = keccak(b"validation set"), keccak(b"salt")
CONTACT = b"/ip4/203.0.113.5/tcp/4001/p2p/12D3KooWGQmdpbssrYHWFTwwbKmKL3i1EsRgWFvGrGoB8FKYx1Tz"
SEALED_KEY = np.random.default_rng(SEED).bytes(80)

account = cache(public_account)


class Committed(Protocol):
    """A round's updates, one an input of the circuit: what is submitted is of their commitments."""

    @property
    def commitments(self) -> Sequence[Point]: ...


@dataclass(frozen=True)
class Rows:
    """A round's updates, one an input of the circuit, what they commit to, and their proof."""

    updates: Sequence[Update]
    commitments: Sequence[Point]
    proof: Proof


@dataclass(frozen=True)
class Stage:
    """A market with one registered circuit."""

    meter: Meter
    deployment: Deployment
    files: CircuitFiles
    circuit: bytes

    def terms(self, **changes: Any) -> Terms:
        """Terms with everything on that costs gas, but no references, batches and draws unless `changes` say so."""
        random = np.random.default_rng(SEED)
        by_owner = changes.get("score_rule") is ScoreRule.REFERENCE
        slots = self.files.shape.slots - by_owner
        values: dict[str, Any] = {
            "token": NATIVE_COIN,
            "reward": REWARD,
            "trainer_stake": STAKE,
            "aggregator_bond": BOND,
            "max_norm_squared": 2**40,
            "aggregator_fee": FEE,
            "complaint_deposit": DEPOSIT,
            "slots": slots,
            "faults": 4 if slots >= 11 else 2,
            "cohorts": 1,
            "settlement": Settlement.PROVED,
            "score_rule": ScoreRule.PROJECTION,
            "fallback_rule": ScoreRule.PROJECTION,
            "rounds": 8,
            "batch_window": WINDOW_S // 2,
            "trainers": slots,
            "min_reputation": 0,
            "strike_factor": 400,
            "strike_slash": 2000,
            "duplicate_cosine": 9990,
            "reference_share": 10_000 if by_owner else 0,
            "reveal_bond": STAKE if by_owner else 0,
            "chunks": 0,
            "chunk_length": 0,
            "spec": random.bytes(32),
            "circuit": self.circuit,
            "validation": keccak(VALIDATION + SALT) if by_owner else bytes(32),
            "aggregators": bytes(32),
            "initial_model": Committer(self.files).commit(initial_model(self.files)),
        }
        windows = ("join_window", "submit_window", "answer_window", "result_window", "challenge_window")
        return Terms(**(values | dict.fromkeys(windows, WINDOW_S) | changes))


@dataclass
class Play:
    """One project. Accounts: 0 owner; then the trainers by number, two aggregators, and one that doubts."""

    stage: Stage
    project: int
    terms: Terms
    model: NDArray[np.int32]
    batch: Batch | None = None
    trainers: list[LocalAccount] = field(default_factory=list)

    @property
    def meter(self) -> Meter:
        return self.stage.meter

    @property
    def calls(self) -> Any:
        """The market's functions."""
        return self.meter.client.market.functions

    @property
    def owner(self) -> LocalAccount:
        return account(0)

    @property
    def aggregators(self) -> tuple[LocalAccount, LocalAccount]:
        return account(1 + self.terms.trainers), account(2 + self.terms.trainers)

    @property
    def doubter(self) -> LocalAccount:
        return account(3 + self.terms.trainers)

    @property
    def round(self) -> int:
        return self.meter.client.project(self.project).round

    def send(self, sender: LocalAccount, call: Any, name: str | None = None, value: int = 0) -> TxReceipt:
        return self.meter.send(sender, call, name, value)

    def deposit(self, sender: LocalAccount, amount: int, name: str | None = None) -> None:
        """Adds free stake."""
        vault = self.meter.client.vault.contract.functions
        self.send(sender, vault.deposit(NATIVE_COIN, amount), name, amount)

    def gather(self, *, kept: bool = True) -> None:
        """All join. `kept`: their calls are."""
        last = self.terms.trainers - 1
        name: str | None
        for place, sender in enumerate(self.aggregators):
            self.deposit(sender, BOND)
            name = ("joinAsAggregator: first", "joinAsAggregator: later")[place] if kept else None
            self.send(sender, self.calls.joinAsAggregator(self.project, SALT, CONTACT, []), name)
        for number in range(self.terms.trainers):
            sender = account(1 + number)
            name = {0: "deposit: first", last: "deposit: later"}.get(number) if kept else None
            self.deposit(sender, STAKE, name)
            name = {0: "join: first", 1: "join: later", last: "join: last"}.get(number) if kept else None
            self.send(sender, self.calls.join(self.project, SALT), name)
            self.trainers.append(sender)

    def seated(self, seat: int) -> LocalAccount:
        """Who has this seat in the round under way."""
        state = self.meter.client.project(self.project)
        number = number_in_seat(state, state.round, seat)
        assert number is not None
        return self.trainers[number]

    def submit(self, rows: Committed, slots: Iterable[int], names: dict[int, str], cohort: int = 0) -> None:
        """Submissions by transaction; those of slots in `names` are kept."""
        for slot in slots:
            seat = cohort * self.terms.slots + slot
            sender, round_ = self.seated(seat), self.round
            digest, blob = digest_of(rows, slot, sender), _blob(round_, seat)
            call = self.calls.submit(self.project, round_, seat, digest, blob)
            self.send(sender, call, names.get(slot))

    def submit_reference(self, rows: Committed, name: str | None = None) -> None:
        """The owner's reference: the last row."""
        round_ = self.round
        digest = digest_of(rows, self.terms.slots, self.owner)
        self.send(
            self.owner, self.calls.submitReference(self.project, round_, digest, _blob(round_, 99)), name
        )

    def post_batch(self, rows: Committed, slots: Iterable[int], name: str) -> None:
        """The aggregator's batch of these slots' signed digests."""
        client, round_, entries = self.meter.client, self.round, []
        for slot in slots:
            signer = self.seated(slot)
            digest = digest_of(rows, slot, signer)
            signature = sign_submission(signer, client.chain_id, client.address, self.project, round_, digest)
            entries.append(BatchEntry(slot, digest, _blob(round_, slot), signature))
        self.batch = Batch(tuple(entries))
        call = self.calls.postBatch(self.project, round_, 0, self.batch.slots, self.batch.root, SALT)
        self.send(self.aggregators[0], call, name)

    def arrived(self, cohort: int = 0) -> Arrivals:
        """What a result or complaint hands in."""
        slots = self.terms.slots
        return arrivals(self.meter.client, self.project, self.round, cohort, slots, batch=self.batch)

    def post(self, rows: Rows, name: str, aggregator: int = 0, cohort: int = 0) -> TxReceipt:
        """The result of a round in which all have submitted, or are in the batch."""
        self.meter.wait_until(self.meter.client.project(self.project).submit_deadline)
        result, model = self.result(rows, cohort)
        call = self.calls.postResult(self.project, result.to_abi())
        receipt = self.send(self.aggregators[aggregator], call, name)
        self.model, self.batch = model, None
        return receipt

    def result(self, rows: Rows, cohort: int = 0) -> tuple[RoundResult, NDArray[np.int32]]:
        """What an honest aggregator posts, and the model after it."""
        proved = self.terms.settlement is Settlement.PROVED
        proof = rows.proof.proof if proved else b"".join(map(curve.to_bytes, rows.commitments))
        result = self.judged(gram(rows.updates), proof, cohort)
        return result, apply_updates(self.model, [rows.updates[slot] for slot in members(result.merged)])

    def judged(self, matrix: Gram, proof: bytes, cohort: int = 0, *, left_out: int = 0) -> RoundResult:
        """What an honest aggregator says of a cohort's Gram matrix. `left_out`: mask of absent slots."""
        client, terms = self.meter.client, self.terms
        state, known = client.project(self.project), self.arrived(cohort)
        seated = cohort_trainers(client, self.project, state, terms.slots, state.round, cohort)
        is_signed = signed_by(client, self.project, state.round, seated)
        said = received(known, terms.slots, client.cohort(self.project, cohort).batched, is_signed)
        present = [slot for slot in said.slots if not left_out >> slot & 1]
        by_owner = terms.score_rule is ScoreRule.REFERENCE
        verdict = judge(rules_of(terms), matrix, present, said.positions, reference_present=by_owner)
        return RoundResult(
            round=state.round,
            cohort=cohort,
            merged=mask(verdict.merged),
            median_score_slot=verdict.median_score_slot,
            median_norm_slot=verdict.median_norm_slot,
            model=_blob(state.round, 100 + cohort),
            before=curve.x_bytes(state.model),
            neighbours=tuple(mask(near) for near in verdict.neighbours),
            gram=tuple(to_felt(entry) for entry in matrix.triangle),
            arrivals=known,
            proof=proof,
        )

    def opening(self, vector: NDArray[Any]) -> tuple[Any, ...]:
        """The opening of an update or a model, as the contract takes it."""
        opened = open_at(self.stage.files, vector, circuit=self.terms.circuit)
        return Opening(opened.packed, opened.proof).to_abi()


@contextmanager
def open_stage(shape: CircuitShape, circuits: Path) -> Iterator[Stage]:
    """A chain with a market and the circuit of this shape. `circuits` keeps keys: they take time."""
    files = keys.build(shape, circuits)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fairshare-bench-")))
        anvil = stack.enter_context(Anvil(accounts=30))
        journal = stack.enter_context(Journal(folder / "journal.sqlite"))
        chain = ChainClient(anvil.url).connect()
        sender = stack.enter_context(
            TransactionSender(chain, account(0), journal, lock_directory=folder, poll_s=0.01)
        )
        deployment = deploy(sender, unbonding_delay_s=WINDOW_S)
        code = compile_source(verifier.CONTRACT, verifier.source(files))
        digest = deploy_circuit(sender, address(deployment.gram_verifier), code, circuit_of(files))
        meter = Meter(deployment.client(anvil.url).connect(), names_of(deployment))
        # Not the machine's clock: a challenge moves the round's window only where it shares no second with the result.
        meter.ask("anvil_setBlockTimestampInterval", 1)
        yield Stage(meter, deployment, files, digest)


def names_of(deployment: Deployment) -> dict[str, str]:
    """The market's contracts and libraries, by address in lower case."""
    names = ("market", "gram_verifier", "judge", "vault", "reputation")
    places = {name: getattr(deployment, name) for name in names} | deployment.libraries
    return {place.lower(): name for name, place in places.items()}


def create(stage: Stage, name: str | None = None, **changes: Any) -> Play:
    """Posts a project; nobody has joined."""
    terms, meter = stage.terms(**changes), stage.meter
    call = meter.client.market.functions.create(terms.to_abi(), NO_PERMIT.to_abi())
    meter.send(account(0), call, name, terms.reward + terms.reveal_bond)
    return Play(stage, meter.client.project_count(), terms, initial_model(stage.files))


def made_up(files: CircuitFiles, flipped: Sequence[int] = ()) -> Rows:
    """A common direction and noise for each input; some flipped at twice the length."""
    random, shape = np.random.default_rng(SEED), files.shape
    rows = random.normal(0, 100, shape.length) + random.normal(0, 50, (shape.slots, shape.length))
    rows[list(flipped)] *= -2
    updates = [row.astype(np.int16) for row in np.rint(rows)]
    committer = Committer(files)
    return Rows(updates, [committer.commit(update) for update in updates], prove(files, updates))


def initial_model(files: CircuitFiles) -> NDArray[np.int32]:
    """W_0, int32 [d]."""
    return np.random.default_rng(SEED).integers(-(2**20), 2**20, files.shape.length, dtype=np.int32)


def digest_of(rows: Committed, slot: int, holder: LocalAccount) -> bytes:
    """What is submitted for a row."""
    point = rows.commitments[slot]
    return update_digest(point.x, point.y, holder.address)


def _blob(round_: int, seat: int) -> bytes:
    return bytes(keccak(bytes([round_, seat])))
