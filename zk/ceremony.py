"""Takes in an SRS file of a ceremony: read in its own format, checked, and kept under its size."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from marketplace.errors import FairshareError, Reason
from zk import batch, ptau, srs
from zk import cache as caches
from zk.files import srs_name
from zk.pairing import Progress, check_srs, root_of_unity
from zk.srs import G1_BYTES, G2_BYTES, MAX_LOGROWS, SrsKind


@dataclass(frozen=True)
class Imported:
    """An SRS for 2^logrows rows in ezkl's format at `path`."""

    path: Path
    logrows: int
    kind: SrsKind
    sha256: str


def installed(cache: Path, logrows: int) -> Path | None:
    """The ceremony's SRS of this size, where it was imported; its hash is looked at by whoever uses it."""
    path = cache / "srs" / srs_name("ceremony", logrows)
    return path if path.is_file() else None


def import_srs(
    source: Path,
    cache: Path,
    *,
    logrows: int | None = None,
    output: Path | None = None,
    on_progress: Progress | None = None,
) -> Imported:
    """Reads a .ptau file, or an SRS as halo2 and ezkl write it, and makes the SRS for 2^logrows rows of it.

    What has the ceremony's hash goes into `cache`, and to `output` where that is given. Anything else is checked point
    by point (`zk.pairing`) and goes to `output` alone: that it has a tau does not say who knows it. `logrows` None: the
    file's own, for an SRS. Raises NOT_FOUND, BAD_INPUT, INTEGRITY, REFUSED (sound, not the ceremony's, no `output`).
    """
    try:
        with tempfile.TemporaryDirectory(prefix="fairshare-srs-") as scratch:
            draft = Path(scratch) / "draft.srs"
            rows = _convert(source, logrows, draft, on_progress)
            data = draft.read_bytes()
            kind = srs.kind_of(data, rows)
            if kind == "test":
                check_srs(draft, rows, on_progress)
                if output is None:
                    raise FairshareError(
                        Reason.REFUSED,
                        f"a sound SRS for 2^{rows} rows, but not the ceremony's: who knows its secret is not known",
                        "--output FILE keeps it, for local test chains; for others take the perpetual powers of tau",
                    )
            kept = output if kind == "test" else _install(cache, draft, rows)
            if output is not None:
                shutil.copyfile(draft, output)
    except OSError as error:
        raise FairshareError(
            Reason.NOT_FOUND, f"{error.filename or source}: {error.strerror}", "check the path"
        ) from error
    assert kept is not None
    return Imported(output or kept, rows, kind, hashlib.sha256(data).hexdigest())


def _install(cache: Path, draft: Path, logrows: int) -> Path:
    target = cache / "srs" / srs_name("ceremony", logrows)
    with caches.locked(cache), caches.unfinished(cache) as directory:
        copied = directory / target.name
        shutil.copyfile(draft, copied)
        caches.publish(copied, target)
    return target


def _convert(source: Path, logrows: int | None, draft: Path, on_progress: Progress | None) -> int:
    if ptau.is_ptau(source):
        if logrows is None:
            raise FairshareError(
                Reason.BAD_INPUT,
                f"{source.name} holds every size up to its own",
                "say which with --logrows: `fairshare circuit show K D` names a project's",
            )
        ptau.write_srs(ptau.read(source), logrows, draft, on_progress)
        return logrows
    own = _own_size(source)
    if logrows is None or logrows == own:
        shutil.copyfile(source, draft)
        return own
    if not 1 <= logrows < own:
        raise FairshareError(
            Reason.BAD_INPUT, f"{source.name} is for 2^{own} rows", f"give --logrows from 1 to {own}"
        )
    _cut(source, own, logrows, draft, on_progress)
    return logrows


def _own_size(source: Path) -> int:
    """The size of an SRS in ezkl's format, by its first bytes and its length."""
    with source.open("rb") as file:
        own = int.from_bytes(file.read(4), "little")
    if not 1 <= own <= MAX_LOGROWS or source.stat().st_size != srs.size(own):
        raise FairshareError(
            Reason.INTEGRITY,
            f"{source.name} is neither a .ptau file nor an SRS of up to 2^{MAX_LOGROWS} rows",
            "download the ceremony's file again",
        )
    return own


def _cut(source: Path, own: int, logrows: int, draft: Path, on_progress: Progress | None) -> None:
    """The powers of a smaller size, and their Lagrange points, which have to be computed."""
    with source.open("rb") as file:
        file.seek(4)
        powers = file.read(G1_BYTES << logrows)
        file.seek(4 + (2 * G1_BYTES << own))
        twisted = file.read(2 * G2_BYTES)
    (on_progress or (lambda step: None))("computing the Lagrange points")
    lagrange = batch.lagrange_points(srs.unpacked(powers, source.name), root_of_unity(logrows))
    draft.write_bytes(logrows.to_bytes(4, "little") + powers + srs.packed(lagrange) + twisted)
