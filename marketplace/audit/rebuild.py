"""A project's circuit made anew from source in an empty folder, and compared with what the chain names."""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eth_utils.crypto import keccak

from marketplace.audit.auditor import FETCH_S, audit
from marketplace.audit.history import Progress
from marketplace.audit.project_files import check_srs
from marketplace.audit.report import AuditReport, Check, failed, run_check, unchecked
from marketplace.chain.circuits import circuit_of
from marketplace.chain.client import MarketClient
from marketplace.chain.fingerprint import Fingerprint, fingerprint
from marketplace.chain.types import Circuit, Terms
from marketplace.errors import FairshareError, Reason
from marketplace.node.project import check_spec, fetch_spec
from marketplace.spec.posted import ProjectSpec
from marketplace.storage.store import ContentStore
from marketplace.updates.sealing import EncryptionKey
from zk import keys, srs
from zk.files import EZKL_VERSION, CircuitFiles
from zk.shape import CIRCUIT_VERSION, layout_of


def audit_rebuilt(
    client: MarketClient,
    store: ContentStore,
    project: int,
    *,
    on_progress: Progress | None = None,
    fetch_timeout_s: float = FETCH_S,
    keys: tuple[EncryptionKey, ...] = (),
) -> AuditReport:
    """The audit of a project, its circuit's checks first, with no file that was here before.

    Takes as long, and as much memory, as the owner needed for the keys. Raises NOT_FOUND: no such project.
    """
    with tempfile.TemporaryDirectory(prefix="fairshare-rebuild-") as empty:
        rebuild = Rebuild(client, store, client.terms(project), Path(empty), on_progress, fetch_timeout_s)
        rebuilt = tuple(rebuild.checks())
        rest = audit(
            client,
            store,
            project,
            Path(empty),
            on_progress=on_progress,
            fetch_timeout_s=fetch_timeout_s,
            keys=keys,
        )
    return AuditReport((*rebuilt, *rest.checks))


@dataclass
class Rebuild:
    """The circuit of `terms`, made anew below the empty folder `empty`; what a check makes is there for the next."""

    client: MarketClient
    store: ContentStore
    terms: Terms
    empty: Path
    say: Progress | None = None
    timeout_s: float = FETCH_S
    _spec: ProjectSpec | None = None
    _made: tuple[CircuitFiles, Fingerprint] | None = None

    def checks(self) -> Iterator[Check]:
        """Spec and SRS, keys, verifier and digest, each as soon as it is made."""
        for name, make in (
            ("srs", self._srs),
            ("keys", self._keys),
            ("verifier", self._verifier),
            ("digest", self._digest),
        ):
            if self.say is not None:
                self.say(f"circuit made anew: {name}")
            yield run_check(f"circuit made anew: {name}", make)

    def _srs(self) -> str:
        """Fetched by the spec's CID; of the right size, and of the kind that it says."""
        spec = fetch_spec(self.store, self.terms.spec, self.timeout_s)
        check_spec(self.client, spec, self.terms)
        shape = spec.shape
        limits = keys.limits(shape)
        data = self.store.fetch(spec.circuit.srs, max_bytes=limits.srs, timeout_s=self.timeout_s)
        srs.check(data, layout_of(shape).logrows, spec.circuit.srs_kind)
        words = check_srs(spec.circuit.srs_kind, self.client.chain_id)
        self._srs_file.write_bytes(data)
        self._spec = spec
        return f"sha256 {hashlib.sha256(data).hexdigest()}: {words}"

    def _keys(self) -> str:
        """The verifying key of our own circuit is, byte by byte, the one that the spec names."""
        spec = self._need_spec()
        shape = spec.shape
        files = keys.build(shape, self.empty, srs_file=self._srs_file, on_progress=self.say)
        theirs = self.store.fetch(spec.circuit.vk, max_bytes=keys.limits(shape).vk, timeout_s=self.timeout_s)
        made = fingerprint(files, anew=True)
        self._made = files, made
        if files.vk.read_bytes() != theirs:
            raise failed(
                f"the verifying key made anew has sha256 {made.vk_sha256}, "
                f"the spec's {hashlib.sha256(theirs).hexdigest()}"
            )
        return (
            f"{shape.slots} x {shape.length}, circuit version {CIRCUIT_VERSION}, ezkl {EZKL_VERSION}: settings sha256 "
            f"{made.settings_sha256}; the verifying key made anew is the spec's, sha256 {made.vk_sha256}"
        )

    def _verifier(self) -> str:
        """The verifier generated and compiled anew has the code that stands on chain."""
        _, made = self._need_made()
        registered = self._registered()
        theirs = "0x" + keccak(self.client.code(registered.verifier)).hex()
        if theirs != made.verifier_code:
            raise failed(
                f"the verifier made anew has code hash {made.verifier_code}, on chain it is {theirs}"
            )
        return f"the verifier made anew has the code at {registered.verifier}, keccak256 {theirs}"

    def _digest(self) -> str:
        """All that is registered is what was made anew, and its digest is the terms'."""
        files, made = self._need_made()
        registered = self._registered()
        ours = circuit_of(files, registered.verifier)
        for field in dataclasses.fields(ours):
            here, there = getattr(ours, field.name), getattr(registered, field.name)
            if here != there:
                raise failed(f"the circuit's {field.name} is {here}, but {there} is registered")
        named = "0x" + self.terms.circuit.hex()
        if made.digest != named:
            raise failed(f"the digest made anew is {made.digest}, the terms name {named}")
        return f"shape, proof length, C_0 and [tau]G2 are those registered; the digest made anew is the terms', {named}"

    @property
    def _srs_file(self) -> Path:
        return self.empty / "fetched.srs"

    def _registered(self) -> Circuit:
        try:
            return self.client.circuit(self.terms.circuit)
        except FairshareError as error:
            if error.reason is not Reason.NOT_FOUND:
                raise
            raise failed(f"no circuit is registered under 0x{self.terms.circuit.hex()}") from error

    def _need_spec(self) -> ProjectSpec:
        if self._spec is None:
            raise unchecked("it needs the project's spec and SRS")
        return self._spec

    def _need_made(self) -> tuple[CircuitFiles, Fingerprint]:
        if self._made is None:
            raise unchecked("it needs the keys")
        return self._made
