"""Circuits and keys, made or assembled once and cached by content.

Only the verifying key and the SRS ever travel: everything else is rebuilt here from the shape. The same
circuit and SRS give the same verifying key, so a fetched one is checked by making it anew (`proving_key`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from marketplace.errors import FairshareError, Reason
from marketplace.whole_files import write_whole
from zk import cache as caches
from zk import files as circuit_files
from zk import process, srs
from zk.files import CircuitFiles
from zk.process import Progress
from zk.shape import CIRCUIT_VERSION, CircuitShape, layout_of
from zk.srs import SrsKind

MAX_VK_BYTES = 1 << 24

_INSPECTION_MEMORY = 4 << 30  # address space for the first look at fetched files


@dataclass(frozen=True)
class Limits:
    """What may be fetched for a circuit: an SRS of exactly `srs` bytes, a verifying key of at most `vk`."""

    srs: int
    vk: int


def limits(shape: CircuitShape) -> Limits:
    """Sizes to hold a fetch of `shape`'s files to, in bytes."""
    return Limits(srs.size(layout_of(shape).logrows), MAX_VK_BYTES)


def build(
    shape: CircuitShape,
    cache: Path,
    *,
    srs_file: Path | None = None,
    on_progress: Progress | None = None,
) -> CircuitFiles:
    """The circuit of `shape` with its keys, made on the first call and taken from `cache` afterwards.

    `srs_file`: an SRS in ezkl's format. Its hash says whether it is the ceremony's (`zk.srs`); any other is checked
    point by point and is a test SRS. Without one, a test SRS is made on this machine, once for each number of rows:
    fit for tests and demonstrations only, and named so on disk. Raises INTEGRITY for a file that is no such SRS.
    Processes may call this at the same time; one killed at any moment leaves a usable cache.
    """
    logrows = layout_of(shape).logrows
    given = None if srs_file is None else _given_srs(srs_file, logrows)
    kind: SrsKind = "test" if given is None else srs.kind_of(given, logrows)
    origin = "" if given is None else f"-{hashlib.sha256(given).hexdigest()[:16]}"
    with caches.locked(cache):
        index = cache / "built" / f"{shape.name}-v{CIRCUIT_VERSION}-{kind}{origin}.json"
        known = _built_before(index, cache)
        if known is not None:
            return known
        if srs_file is not None and kind == "test":
            from zk import pairing  # takes long to load, and most nodes check no SRS point by point

            pairing.check_srs(srs_file, logrows, on_progress)
        srs_path = srs_file or _test_srs(cache, logrows, on_progress)
        with caches.unfinished(cache) as directory:
            srs_bytes = given or srs_path.read_bytes()
            srs.check(srs_bytes, logrows, kind)
            name = circuit_files.srs_name(kind, logrows)
            (directory / name).write_bytes(srs_bytes)
            _write_source(shape, directory, on_progress)
            _write_keys(directory, directory / name, directory, on_progress)
            vk = (directory / "verifying.key").read_bytes()
            files = _finish(directory, cache, shape, kind, srs_bytes, vk, on_progress)
        _remember(index, files)
        return files


def assemble(
    shape: CircuitShape,
    cache: Path,
    vk: bytes,
    srs_bytes: bytes,
    srs_kind: SrsKind,
    *,
    on_progress: Progress | None = None,
) -> CircuitFiles:
    """The circuit of `shape` around a verifying key and an SRS that were fetched.

    Enough to commit and to verify. Raises FairshareError(INTEGRITY) where sizes are not the circuit's, where
    a `ceremony` SRS is none, or where ezkl cannot use the files (a process of its own opens them first).
    That `vk` is the circuit's own is only shown by `proving_key`.
    """
    logrows = layout_of(shape).logrows
    srs.check(srs_bytes, logrows, srs_kind)
    if not 0 < len(vk) <= MAX_VK_BYTES:
        raise FairshareError(
            Reason.INTEGRITY,
            f"a verifying key has at most {MAX_VK_BYTES} bytes, not {len(vk)}",
            "fetch the verifying key that the project's spec names",
        )
    with caches.locked(cache):
        known = circuit_files.load(_home(cache, shape, srs_kind, srs_bytes, vk))
        if known is not None:
            return known
        with caches.unfinished(cache) as directory:
            (directory / circuit_files.srs_name(srs_kind, logrows)).write_bytes(srs_bytes)
            (directory / "verifying.key").write_bytes(vk)
            _write_source(shape, directory, on_progress)
            return _finish(directory, cache, shape, srs_kind, srs_bytes, vk, on_progress)


def proving_key(files: CircuitFiles, *, on_progress: Progress | None = None) -> Path:
    """The proving key of `files`, made on the first call (seconds, and about as much memory as a proof).

    Raises FairshareError(INTEGRITY) where circuit and SRS give another verifying key than the one in `files`.
    """
    cache = files.cache
    with caches.locked(cache):
        if not files.proving_key.exists():
            with caches.unfinished(cache) as directory:
                _write_keys(files.directory, files.srs, directory, on_progress)
                if (directory / "verifying.key").read_bytes() != files.vk.read_bytes():
                    raise FairshareError(
                        Reason.INTEGRITY,
                        "the verifying key does not belong to this circuit and SRS",
                        "do not take part in a project that uses it",
                    )
                caches.publish(directory / "proving.key", files.proving_key)
    return files.proving_key


def _given_srs(path: Path, logrows: int) -> bytes:
    """What the file holds, of the size that is due: no more is read."""
    wanted = srs.size(logrows)
    try:
        with path.open("rb") as file:
            data = file.read(wanted + 1)
    except OSError as error:
        raise FairshareError(
            Reason.NOT_FOUND, f"{path} cannot be read: {error.strerror}", "name an SRS file"
        ) from error
    srs.check(data, logrows, "test")
    return data


def _built_before(index: Path, cache: Path) -> CircuitFiles | None:
    try:
        return circuit_files.load(cache / "circuits" / json.loads(index.read_text())["directory"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _remember(index: Path, files: CircuitFiles) -> None:
    index.parent.mkdir(exist_ok=True)
    write_whole(index, json.dumps({"directory": files.directory.name}))


def _home(cache: Path, shape: CircuitShape, kind: SrsKind, srs_bytes: bytes, vk: bytes) -> Path:
    return cache / "circuits" / circuit_files.key_of(shape, kind, srs_bytes, vk)


def _test_srs(cache: Path, logrows: int, on_progress: Progress | None) -> Path:
    path = cache / "srs" / circuit_files.srs_name("test", logrows)
    if not path.exists():
        with caches.unfinished(cache) as directory:
            draft = directory / path.name
            process.run("write_srs", {"path": str(draft), "logrows": logrows}, on_progress=on_progress)
            caches.publish(draft, path)
    return path


def _require_ezkl() -> None:
    """Another version makes other circuits, under a name that says this one made them."""
    installed = version("ezkl")
    if installed != circuit_files.EZKL_VERSION:
        raise FairshareError(
            Reason.TOOL_MISSING,
            f"circuits are made by ezkl {circuit_files.EZKL_VERSION}, {installed} is installed",
            "install the versions of constraints.txt: `make setup`",
        )


def _write_source(shape: CircuitShape, directory: Path, on_progress: Progress | None) -> None:
    _require_ezkl()
    process.run(
        "write_source",
        {
            "slots": shape.slots,
            "length": shape.length,
            "range": shape.range,
            "network": str(directory / "network.onnx"),
            "settings": str(directory / "settings.json"),
            "compiled": str(directory / "circuit.compiled"),
        },
        on_progress=on_progress,
    )


def _write_keys(source: Path, srs_path: Path, target: Path, on_progress: Progress | None) -> None:
    process.run(
        "write_keys",
        {
            "compiled": str(source / "circuit.compiled"),
            "srs": str(srs_path),
            "vk": str(target / "verifying.key"),
            "pk": str(target / "proving.key"),
        },
        on_progress=on_progress,
        on_failure=Reason.INTEGRITY,
    )


def _finish(
    directory: Path,
    cache: Path,
    shape: CircuitShape,
    kind: SrsKind,
    srs_bytes: bytes,
    vk: bytes,
    on_progress: Progress | None,
) -> CircuitFiles:
    srs_name = circuit_files.srs_name(kind, layout_of(shape).logrows)
    inspected = process.run(
        "inspect",
        {
            "length": shape.length,
            "settings": str(directory / "settings.json"),
            "vk": str(directory / "verifying.key"),
            "srs": str(directory / srs_name),
            "verifier": str(directory / "verifier.sol"),
        },
        on_progress=on_progress,
        on_failure=Reason.INTEGRITY,
        address_space=_INSPECTION_MEMORY,
    )
    circuit_files.write_record(directory, shape, kind, srs_name, inspected.result)
    home = _home(cache, shape, kind, srs_bytes, vk)
    circuit_files.discard(home)
    caches.publish(directory, home)
    files = circuit_files.load(home)
    if files is None:
        raise FairshareError(Reason.INTERNAL, f"the cache at {cache} lost a circuit", "check the disk")
    return files
