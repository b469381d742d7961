"""A project as a node sees it: spec, terms and circuit, fetched and held against the chain before anything else."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marketplace.chain.circuits import circuit_of, digest_of
from marketplace.chain.client import MarketClient
from marketplace.chain.compile import compile_source
from marketplace.chain.srs_rule import require_srs
from marketplace.chain.types import Terms
from marketplace.errors import FairshareError, Reason
from marketplace.learning.tasks import Task, task_of
from marketplace.node.known_leaves import is_committed_to
from marketplace.node.sealed_models import fetch_sealed
from marketplace.node.task_files import with_files
from marketplace.protocol.fixed_point import dequantise
from marketplace.protocol.krum import Rules, ScoreRule
from marketplace.protocol.sketch import Sketcher
from marketplace.spec.posted import MAX_SPEC_BYTES, ProjectSpec
from marketplace.spec.terms import terms as terms_of
from marketplace.storage.cid import from_digest
from marketplace.storage.reasons import Purpose, Why
from marketplace.storage.store import ContentStore
from marketplace.updates.codec import packed_model_bytes, unpack_model
from marketplace.updates.envelope import UpdateContext
from marketplace.updates.sealed_model import ModelContext
from marketplace.updates.sealing import EncryptionKey
from marketplace.updates.tree_committer import TreeCommitter
from zk import keys
from zk.commit import Committer
from zk.curve import Point
from zk.files import CircuitFiles
from zk.verifier import CONTRACT, source

FETCH_S = 60.0


@dataclass(frozen=True)
class ProjectContext:
    """What a node knows of a project that cannot change."""

    project: int
    client: MarketClient
    store: ContentStore
    spec: ProjectSpec
    terms: Terms
    task: Task
    circuit: CircuitFiles
    committer: Committer | TreeCommitter  # on the sketch path the latter: commitments are (root, J)
    rules: Rules
    key: EncryptionKey | None = None  # a member's: what sealed models are opened with

    @property
    def length(self) -> int:
        """Numbers in a packed update or model: the circuit's length, or J * n; the task's d and zeros."""
        return self.spec.length

    @property
    def is_sketched(self) -> bool:
        """Whether proofs run over sketches of the updates (docs/sketch.md)."""
        return self.spec.is_sketched

    @property
    def is_sealed(self) -> bool:
        """Whether all models but the initial one are sealed to the members (docs/protocol.md, "Sealed models")."""
        return self.spec.is_sealed

    @property
    def width(self) -> int:
        """Numbers of each vector that a proof is about: on the sketch path of a sketch, k."""
        return self.circuit.shape.length

    @property
    def chunks(self) -> int:
        """J, chunks of a packed vector; 0 on the exact path."""
        return self.spec.sketch.chunks if self.spec.sketch else 0

    @property
    def chunk_length(self) -> int:
        """n, numbers of a chunk; 0 on the exact path."""
        return self.spec.sketch.chunk_length if self.spec.sketch else 0

    @property
    def tree_committer(self) -> TreeCommitter:
        """The committer of the sketch path; INTERNAL on the exact one, which nobody should ask."""
        if not isinstance(self.committer, TreeCommitter):
            raise FairshareError(
                Reason.INTERNAL, f"project {self.project} is on the exact path: its vectors have no chunks"
            )
        return self.committer

    def sketcher(self, seed: bytes) -> Sketcher:
        """What sketches this project's vectors by a round's seed, 32 bytes."""
        return Sketcher(seed, self.width)

    def update_context(self, round_: int, trainer: str) -> UpdateContext:
        """What a sealed update of this project is bound to; for a reference update `trainer` is the owner."""
        return UpdateContext(self.client.chain_id, self.client.address, self.project, round_, trainer)

    def with_key(self, key: EncryptionKey | None) -> ProjectContext:
        """The same, for who has this key."""
        return dataclasses.replace(self, key=key)

    def model_context(self, round_: int) -> ModelContext:
        """What the sealed model that `round_` made is bound to."""
        return ModelContext(self.client.chain_id, self.client.address, self.project, round_)

    def why(self, round_: int, purpose: Purpose) -> Why:
        """The reason to keep a blob of this project; `round_` 0: of the project as a whole."""
        return Why(self.project, round_, purpose)

    def weights(self, model: NDArray[np.int32]) -> NDArray[np.float64]:
        """The float weights float64[d] of an integer model."""
        return dequantise(model[: self.task.length], self.spec.arithmetic.scale_bits)

    def fetch_model(
        self, cid: str, commitment: Point, timeout_s: float = FETCH_S, *, round_: int = 0
    ) -> NDArray[np.int32]:
        """The model int32[d] in the file `cid` that `round_` made; INTEGRITY unless it is the one behind `commitment`.

        Round 0 made the initial one, which is never sealed. On the sketch path this commits to every chunk, seconds for
        a million numbers, the first time; `marketplace.node.models` knows a cheaper way for a round's model. Raises
        what `sealed_models.fetch_sealed` raises.
        """
        try:
            model = self._fetch(cid, timeout_s, round_)
        except FairshareError as error:
            if error.reason not in (Reason.INTEGRITY, Reason.TOO_LARGE):
                raise
            raise FairshareError(
                Reason.INTEGRITY,
                f"the model {cid} is false: {error.message}",
                "whoever published it lies: do not use it",
            ) from error
        if not self._is_behind(commitment, model):
            raise FairshareError(
                Reason.INTEGRITY,
                f"the model {cid} is not the one whose commitment the chain holds",
                "the aggregator that published it lies; do not train on it",
            )
        return model

    def _is_behind(self, commitment: Point, model: NDArray[np.int32]) -> bool:
        if isinstance(self.committer, TreeCommitter):
            return is_committed_to(self.committer, model, commitment, self.circuit.cache)
        return self.committer.commit(model) == commitment

    def _fetch(self, cid: str, timeout_s: float, round_: int) -> NDArray[np.int32]:
        if self.is_sealed and round_:
            return fetch_sealed(self, cid, round_, timeout_s)
        packed = self.store.fetch(cid, max_bytes=packed_model_bytes(self.length), timeout_s=timeout_s)
        return unpack_model(packed, self.length)


def load_project(
    client: MarketClient, store: ContentStore, project: int, cache: Path, *, timeout_s: float = FETCH_S
) -> ProjectContext:
    """Fetch a project's spec and circuit and check both against the chain.

    Raises NOT_FOUND, UNAVAILABLE, BAD_SPEC where spec and chain disagree or a file of the task is not what it needs,
    REFUSED for a test SRS on a public chain, INTEGRITY where the circuit's files or the initial model are not what the
    chain holds.
    """
    terms = client.terms(project)
    spec = fetch_spec(store, terms.spec, timeout_s)
    check_spec(client, spec, terms)
    require_srs(spec.circuit.srs_kind, client.chain_id)
    task = with_files(task_of(spec), store, cache, timeout_s)
    circuit = fetch_circuit(client, store, spec, cache, timeout_s)
    context = ProjectContext(
        project, client, store, spec, terms, task, circuit, committer_of(circuit, spec), rules_of(terms)
    )
    context.fetch_model(spec.initial_model, terms.initial_model, timeout_s)
    return context


def committer_of(circuit: CircuitFiles, spec: ProjectSpec) -> Committer | TreeCommitter:
    """What commits to packed vectors on the spec's path."""
    if spec.sketch is None:
        return Committer(circuit)
    return TreeCommitter(circuit, spec.sketch.chunk_length, spec.sketch.chunks)


def rules_of(terms: Terms) -> Rules:
    """What the terms say about judging a round."""
    by_owner = terms.score_rule is ScoreRule.REFERENCE
    return Rules(
        slots=terms.slots,
        faults=terms.faults,
        max_norm_squared=terms.max_norm_squared,
        score_rule=terms.fallback_rule if by_owner else terms.score_rule,
        reference=by_owner,
        reference_share=terms.reference_share,
        strike_factor=terms.strike_factor,
        duplicate_cosine=terms.duplicate_cosine,
    )


def fetch_spec(store: ContentStore, digest: bytes, timeout_s: float = FETCH_S) -> ProjectSpec:
    """The spec named by its digest on chain; BAD_SPEC where it is none."""
    data = store.fetch(from_digest(digest), max_bytes=MAX_SPEC_BYTES, timeout_s=timeout_s)
    return ProjectSpec.from_bytes(data)


def check_spec(client: MarketClient, spec: ProjectSpec, terms: Terms) -> None:
    """BAD_SPEC, naming the field, where the spec and the chain's terms disagree."""
    stated = dataclasses.asdict(terms_of(spec, terms.spec, terms.initial_model))
    held = dataclasses.asdict(terms)
    stated["token"], held["token"] = stated["token"].lower(), held["token"].lower()
    wrong = [name for name in held if _plain(held[name]) != _plain(stated[name])]
    if spec.chain.chain_id != client.chain_id:
        wrong.append("chain.chain_id")
    if spec.chain.market != client.address.lower():
        wrong.append("chain.market")
    if wrong:
        raise FairshareError(
            Reason.BAD_SPEC,
            f"the spec and the contract disagree on {', '.join(wrong)}",
            "do not take part: the owner published another spec than it posted",
        )


def fetch_circuit(
    client: MarketClient, store: ContentStore, spec: ProjectSpec, cache: Path, timeout_s: float = FETCH_S
) -> CircuitFiles:
    """The circuit's files; what is registered on chain is rebuilt from them and from our own source.

    Otherwise an owner could register a verifier of its own making and let an aggregator of its own pay its friends.
    """
    registered = client.circuit(bytes.fromhex(spec.circuit.digest[2:]))
    shape = spec.shape
    limits = keys.limits(shape)
    vk = store.fetch(spec.circuit.vk, max_bytes=limits.vk, timeout_s=timeout_s)
    srs = store.fetch(spec.circuit.srs, max_bytes=limits.srs, timeout_s=timeout_s)
    files = keys.assemble(shape, cache, vk, srs, spec.circuit.srs_kind)
    keys.proving_key(files)  # made anew from our own circuit: INTEGRITY unless it gives this verifying key
    verifier = compile_source(CONTRACT, source(files))
    ours = circuit_of(files, registered.verifier)
    if "0x" + digest_of(verifier, ours).hex() != spec.circuit.digest or registered != ours:
        raise FairshareError(
            Reason.INTEGRITY,
            "the circuit on chain is not the one that these files and our own source give",
            "do not take part: it could accept false proofs",
        )
    return files


def _plain(value: object) -> object:
    """A value with lists and points as plain tuples, for comparison."""
    return tuple(value) if isinstance(value, (list, tuple)) else value
