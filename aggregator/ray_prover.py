"""Proofs on a Ray cluster, for an operator of many cohorts: `pip install fairshare[ray]` here and on its machines.

What a proof needs travels by content: the circuit's files once, checked against their hashes where they arrive. A proof
that comes back is verified here, so a broken machine of the cluster costs time and nothing else. The updates are in
the clear on it: use one that is yours.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from marketplace.errors import FairshareError, Reason
from marketplace.node.estimate import estimate_proof
from zk import files as circuit_files
from zk import keys, prover
from zk.files import CircuitFiles
from zk.prover import UPDATE_LIMIT, Proof, Update

LOCAL = "local"  # an address: a cluster of this machine alone
_MOST_AT_ONCE = 64
_CORES = 2  # of a machine of the cluster, for one proof


class RayProver:
    """A `Prover` whose proofs are made on a cluster; a context manager.

    Raises TOOL_MISSING without Ray, UNAVAILABLE where no cluster answers at the address.
    """

    at_once = _MOST_AT_ONCE  # the cluster queues what it has no room for

    def __init__(self, address: str) -> None:
        """`address`: HOST:PORT of a cluster, or "local"."""
        self._address = address
        self._shipped: dict[
            str, tuple[dict[str, str], dict[str, Any]]
        ] = {}  # by circuit: hashes, and references
        self._lock = threading.Lock()
        self._ray: Any = None

    def __enter__(self) -> Self:
        try:
            import ray
        except ImportError as error:
            raise FairshareError(
                Reason.TOOL_MISSING, "Ray is not installed", "run `pip install fairshare[ray]`"
            ) from error
        here = {"address": "local", "include_dashboard": False, "log_to_driver": False}
        try:
            ray.init(**(here if self._address == LOCAL else {"address": self._address}))
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise FairshareError(
                Reason.UNAVAILABLE, f"no Ray cluster answers at {self._address}: {error}", "start it first"
            ) from error
        self._ray = ray
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ray.shutdown()

    def prove(
        self, files: CircuitFiles, updates: Sequence[Update | None], limit: int = UPDATE_LIMIT
    ) -> Proof:
        """As `zk.prover.prove`; INTERNAL where the cluster fails, or what it made is no proof."""
        hashes, references = self._ship(files)
        remote: Any = self._ray.remote(_prove).options(
            num_cpus=_CORES, memory=estimate_proof(files.shape).memory_bytes
        )
        given: Callable[..., Any] = remote.remote
        try:
            wanted = given(hashes, list(references), list(updates), limit, *references.values())
            made: Proof = self._ray.get(wanted)
        except self._ray.exceptions.RayError as error:
            raise FairshareError(Reason.INTERNAL, f"the cluster made no proof: {error}") from error
        if not prover.verify(files, made.proof, made.gram):
            raise FairshareError(Reason.INTERNAL, "what the cluster made is no proof", "look at its machines")
        return made

    def _ship(self, files: CircuitFiles) -> tuple[dict[str, str], dict[str, Any]]:
        """The circuit's files in the cluster's store, put there once."""
        with self._lock:
            name = files.directory.name
            if name not in self._shipped:
                keys.proving_key(files)
                found = sorted(path for path in files.directory.iterdir() if path.is_file())
                contents = {path.name: path.read_bytes() for path in found}
                hashes = {file: hashlib.sha256(content).hexdigest() for file, content in contents.items()}
                stored = {file: self._ray.put(content) for file, content in contents.items()}
                self._shipped[name] = hashes, stored
            return self._shipped[name]


def _prove(
    hashes: Mapping[str, str],
    names: Sequence[str],
    updates: Sequence[Update | None],
    limit: int,
    *contents: bytes,
) -> Proof:
    """Runs on a machine of the cluster."""
    files = unpacked(hashes, dict(zip(names, contents, strict=True)))
    return prover.prove(files, updates, limit=limit, threads=_CORES)


def unpacked(hashes: Mapping[str, str], contents: Mapping[str, bytes]) -> CircuitFiles:
    """The circuit that these files are, on this machine's disk; INTEGRITY where one is not what its hash says."""
    stated = "".join(f"{name} {hashes[name]}\n" for name in sorted(hashes))
    key = hashlib.sha256(stated.encode()).hexdigest()
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    circuits = caches / "fairshare" / "cluster" / "circuits"
    circuits.mkdir(parents=True, exist_ok=True, mode=0o700)
    home = circuits / key
    if not home.exists():
        draft = Path(tempfile.mkdtemp(dir=circuits))
        try:
            for name, content in contents.items():
                if Path(name).name != name or hashlib.sha256(content).hexdigest() != hashes.get(name):
                    raise FairshareError(Reason.INTEGRITY, f"{name} is not the file that was sent")
                (draft / name).write_bytes(content)
            with contextlib.suppress(OSError):  # where another proof was first, its files are as good
                draft.rename(home)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    files = circuit_files.load(home)
    if files is None:
        raise FairshareError(Reason.INTEGRITY, "the files that were sent are no circuit")
    return files
