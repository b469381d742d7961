"""Ceremony files: what snarkjs writes becomes the SRS that ezkl reads; what is hostile is refused."""

from __future__ import annotations

import functools
import hashlib
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from tests.unit.zk.srs_files import TAU, lagrange, powers, ptau_bytes, ptau_sections, sound_srs, written
from zk import ceremony, ptau, srs
from zk.curve import BASE_FIELD
from zk.pairing import root_of_unity

POWER = 6  # from here on halo2's and snarkjs's roots of unity differ
HEADER, POWERS, POWERS_2, LAGRANGE = 1, 2, 3, 12

Sections = dict[int, bytes]


@functools.cache
def _sections() -> tuple[tuple[int, bytes], ...]:
    return tuple(ptau_sections(POWER).items())


def sections() -> Sections:
    return dict(_sections())


def file_of(folder: Path, content: Sections) -> Path:
    return written(folder / "pot.ptau", ptau_bytes(content))


def converted(path: Path, logrows: int) -> bytes:
    target = path.with_suffix(f".{logrows}.srs")
    ptau.write_srs(ptau.read(path), logrows, target)
    return target.read_bytes()


@pytest.mark.parametrize("logrows", [1, 5, POWER])
def test_a_prepared_file_gives_the_srs_of_its_tau(tmp_path: Path, logrows: int) -> None:
    assert converted(file_of(tmp_path, sections()), logrows) == sound_srs(logrows)


def test_lagrange_points_are_computed_where_there_are_none(tmp_path: Path) -> None:
    bare = {kind: content for kind, content in sections().items() if kind != LAGRANGE}
    assert not ptau.read(file_of(tmp_path, bare)).prepared
    assert converted(tmp_path / "pot.ptau", 4) == sound_srs(4)


def test_sections_may_stand_in_any_order_and_among_others(tmp_path: Path) -> None:
    shuffled = {7: b"contributions", 5: b"", **dict(reversed(sections().items())), 15: b"\0" * 64}
    assert converted(file_of(tmp_path, shuffled), 3) == sound_srs(3)


def test_only_what_a_size_needs_is_read(tmp_path: Path) -> None:
    """A file for 2^20 rows, of 540 MB that are mostly holes."""
    power, small = 20, sections()
    header = struct.pack("<I32sII", 32, BASE_FIELD.to_bytes(32, "little"), power, 28)
    starts = {HEADER: header, POWERS: small[POWERS], POWERS_2: small[POWERS_2], LAGRANGE: small[LAGRANGE]}
    sizes = {
        HEADER: len(header),
        POWERS: 64 * ((2 << power) - 1),
        POWERS_2: 128 << power,
        LAGRANGE: 64 * ((4 << power) - 1),
    }
    path = tmp_path / "large.ptau"
    with path.open("wb") as file:
        file.write(struct.pack("<4sII", b"ptau", 1, len(starts)))
        for kind, content in starts.items():
            file.write(struct.pack("<IQ", kind, sizes[kind]))
            start = file.tell()
            file.write(content[: sizes[kind]])
            file.seek(start + sizes[kind])
        file.truncate()
    assert path.stat().st_size > 500_000_000
    tracemalloc.start()
    assert converted(path, 5) == sound_srs(5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


def header(**changes: int) -> bytes:
    values = {"width": 32, "modulus": BASE_FIELD, "power": POWER} | changes
    modulus = values["modulus"].to_bytes(32, "little")
    return struct.pack("<I32sII", values["width"], modulus, values["power"], 28)


HOSTILE: dict[str, Callable[[Sections], bytes]] = {
    "no header": lambda s: ptau_bytes({k: v for k, v in s.items() if k != HEADER}),
    "no powers": lambda s: ptau_bytes({k: v for k, v in s.items() if k != POWERS}),
    "no powers in G2": lambda s: ptau_bytes({k: v for k, v in s.items() if k != POWERS_2}),
    "another version": lambda s: b"ptau\2\0\0\0" + ptau_bytes(s)[8:],
    "no sections": lambda s: b"ptau\1\0\0\0\0\0\0\0",
    "countless sections": lambda s: b"ptau\1\0\0\0\xff\xff\xff\xff" + ptau_bytes(s)[12:],
    "one section too many": lambda s: b"ptau\1\0\0\0\5\0\0\0" + ptau_bytes(s)[12:],
    "a section twice": lambda s: ptau_bytes(s)[:8] + b"\5\0\0\0" + ptau_bytes(s)[12:] + ptau_bytes(s)[12:68],
    "a section beyond the end": lambda s: ptau_bytes(s)[:16] + b"\xff" * 8 + ptau_bytes(s)[24:],
    "a longer header": lambda s: ptau_bytes(s | {HEADER: s[HEADER] + b"\0"}),
    "an empty header": lambda s: ptau_bytes(s | {HEADER: b""}),
    "another curve": lambda s: ptau_bytes(s | {HEADER: header(modulus=BASE_FIELD + 2)}),
    "wide numbers": lambda s: ptau_bytes(s | {HEADER: header(width=48)}),
    "no power": lambda s: ptau_bytes(s | {HEADER: header(power=0)}),
    "a huge power": lambda s: ptau_bytes(s | {HEADER: header(power=2**32 - 1)}),
    "one power more": lambda s: ptau_bytes(s | {HEADER: header(power=POWER + 1)}),
    "a point too few": lambda s: ptau_bytes(s | {POWERS: s[POWERS][:-64]}),
    "a Lagrange point too many": lambda s: ptau_bytes(s | {LAGRANGE: s[LAGRANGE] + bytes(64)}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / "bad.ptau", HOSTILE[name](sections()))
    with pytest.raises(FairshareError) as caught:
        ptau.read(path)
    assert caught.value.reason is Reason.INTEGRITY


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 100_000), noise=st.binary(max_size=60), at=st.integers(0, 200))
def test_cut_or_overwritten_files_are_refused_or_read(
    tmp_path: Path, cut: int, noise: bytes, at: int
) -> None:
    whole = ptau_bytes(sections())
    data = (whole[:at] + noise + whole[at + len(noise) :])[: cut % (len(whole) + 1)]
    reason = None
    try:
        converted(written(tmp_path / "bad.ptau", data), 2)
    except FairshareError as error:
        reason = error.reason
    assert reason in (None, Reason.INTEGRITY)


@pytest.mark.parametrize("logrows", [0, -1, POWER + 1, 64])
def test_sizes_that_are_not_in_it(tmp_path: Path, logrows: int) -> None:
    with pytest.raises(FairshareError) as caught:
        converted(file_of(tmp_path, sections()), logrows)
    assert caught.value.reason is Reason.BAD_INPUT


def refused(source: Path, cache: Path, logrows: int | None, reason: Reason, words: str) -> None:
    with pytest.raises(FairshareError, match=words) as caught:
        ceremony.import_srs(source, cache, logrows=logrows)
    assert caught.value.reason is reason
    assert not cache.exists()


def test_a_sound_srs_that_nobody_knows_is_not_installed(tmp_path: Path) -> None:
    source, cache = file_of(tmp_path, sections()), tmp_path / "cache"
    refused(source, cache, 3, Reason.REFUSED, "not the ceremony's")
    refused(source, cache, None, Reason.BAD_INPUT, "every size")
    kept = ceremony.import_srs(source, cache, logrows=3, output=tmp_path / "own.srs")
    assert (kept.kind, kept.logrows) == ("test", 3)
    assert kept.path.read_bytes() == sound_srs(3)
    assert ceremony.installed(cache, 3) is None
    # The same from an SRS as ezkl has it, and from a larger one.
    for name, rows in (("same", 3), ("larger", 4)):
        other = written(tmp_path / f"{name}.srs", sound_srs(rows))
        again = ceremony.import_srs(other, cache, logrows=3, output=tmp_path / "again.srs")
        assert again.sha256 == kept.sha256
    refused(written(tmp_path / "s.srs", sound_srs(3)), cache, 4, Reason.BAD_INPUT, "2\\^3 rows")


def test_what_has_the_pinned_hash_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = sound_srs(3)
    monkeypatch.setitem(srs.CEREMONY_SHA256, 3, hashlib.sha256(data).hexdigest())
    steps: list[str] = []
    source = file_of(tmp_path, sections())
    imported = ceremony.import_srs(source, tmp_path / "cache", logrows=3, on_progress=steps.append)
    assert imported.kind == "ceremony"
    assert ceremony.installed(tmp_path / "cache", 3) == imported.path
    assert imported.path.read_bytes() == data
    assert steps == []  # the hash says it all


FORGED: dict[str, tuple[Callable[[Sections], Sections], str]] = {
    "another tau in the upper half": (
        lambda s: s | {POWERS: s[POWERS][:256] + srs.packed(powers(TAU + 1, 127))[256:]},
        "powers",
    ),
    "another tau in G2": (lambda s: s | {POWERS_2: ptau_sections(POWER, TAU + 1)[POWERS_2]}, "powers"),
    "Lagrange points of another SRS": (
        lambda s: (
            s
            | {
                LAGRANGE: s[LAGRANGE][: 64 * 7]
                + srs.packed(lagrange(5, 8, root_of_unity(3)))
                + s[LAGRANGE][64 * 15 :]
            }
        ),
        "Lagrange",
    ),
    "a point off the curve": (
        lambda s: s | {POWERS: s[POWERS][:100] + b"\1" + s[POWERS][101:]},
        "curve|field",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_points_are_not_imported(tmp_path: Path, name: str) -> None:
    forge, words = FORGED[name]
    refused(file_of(tmp_path, forge(sections())), tmp_path / "cache", 3, Reason.INTEGRITY, words)


@pytest.mark.parametrize(
    "content", [b"", b"p", b"\x14\0\0\0", b"\xff" * 5000, b"<?xml version", bytes(range(256)) * 4]
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    refused(written(tmp_path / "x.srs", content), tmp_path / "cache", 3, Reason.INTEGRITY, "neither")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    refused(tmp_path / "none", tmp_path / "cache", 3, Reason.NOT_FOUND, "No such file")
    refused(tmp_path, tmp_path / "cache", 3, Reason.NOT_FOUND, "directory")
