"""The manifest: what is written comes back, and nothing but canonical JSON of these fields is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from marketplace.storage.cid import from_digest
from marketplace.updates.manifest import MAX_MANIFEST_BYTES, Manifest

cids = st.binary(min_size=32, max_size=32).map(from_digest)
manifests = st.builds(Manifest, model=cids, leaves=cids, updates=st.one_of(st.none(), cids))
A, B, C = (from_digest(bytes([k]) * 32) for k in range(3))
DOCUMENT: dict[str, Any] = {"leaves": A, "model": B, "updates": C, "version": 2}


def _refused(data: bytes) -> None:
    with pytest.raises(FairshareError) as refusal:
        Manifest.from_bytes(data)
    assert refusal.value.reason is Reason.INTEGRITY


def _read(data: bytes) -> bytes | Reason:
    try:
        return Manifest.from_bytes(data).to_bytes()
    except FairshareError as refusal:
        return refusal.reason


def _canonical(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


@given(manifests)
def test_a_manifest_comes_back(manifest: Manifest) -> None:
    data = manifest.to_bytes()
    assert len(data) <= MAX_MANIFEST_BYTES
    assert Manifest.from_bytes(data) == manifest


def test_the_bytes_are_those_of_the_document() -> None:
    manifest = Manifest(B, A, C)
    expected = f'{{"leaves":"{A}","model":"{B}","updates":"{C}","version":2}}'
    assert manifest.to_bytes() == expected.encode() == _canonical(DOCUMENT)
    assert Manifest.from_bytes(expected.encode()) == manifest
    nothing = expected.replace(f'"{C}"', "null").encode()
    assert Manifest.from_bytes(nothing) == Manifest(B, A, None)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    _refused(data)


@given(manifests, st.data())
def test_any_other_byte_is_another_manifest_or_none(manifest: Manifest, data: st.DataObject) -> None:
    packed = manifest.to_bytes()
    at, byte = data.draw(st.integers(0, len(packed) - 1)), data.draw(st.integers(0, 255))
    changed = packed[:at] + bytes([byte]) + packed[at + 1 :]
    assert _read(changed) in (Reason.INTEGRITY, changed)


@pytest.mark.parametrize(
    "change",
    [
        {"model": 5},
        {"model": None},
        {"leaves": A[:-1]},
        {"leaves": [A]},
        {"model": "../" + A[3:]},
        {"version": 1},
        {"version": 2.0},
        {"version": True},
        {"version": "2"},
        {"updates": 7},
        {"updates": [A]},
        {"updates": {"1": A}},
        {"updates": ""},
        {"updates": "Qm"},
        {"updates": False},
        {"more": 1},
    ],
)
def test_other_fields_are_refused(change: dict[str, Any]) -> None:
    _refused(_canonical({**DOCUMENT, **change}))


@pytest.mark.parametrize("field", sorted(DOCUMENT))
def test_a_missing_field_is_refused(field: str) -> None:
    _refused(_canonical({name: value for name, value in DOCUMENT.items() if name != field}))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"NaN",
        b"\xff",
        b"[" * 200,
        b'{"version":' * 20,
        b" " * (MAX_MANIFEST_BYTES + 1),
        _canonical(DOCUMENT) + b"\n",
        json.dumps(DOCUMENT).encode(),
        _canonical(DOCUMENT)[:-1] + b',"version":2}',
        _canonical(DOCUMENT).replace(b'"Qm', b'"\\u0051m'),
        b'{"leaves":"' + b"A" * 3000 + b'"}',
    ],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    _refused(data)


@pytest.mark.parametrize(
    ("model", "leaves", "updates"), [("", B, None), (A, "x", C), (A, B, "x"), (A, B, "")]
)
def test_other_manifests_are_not_made(model: str, leaves: str, updates: str | None) -> None:
    with pytest.raises(FairshareError) as refused:
        Manifest(model, leaves, updates)
    assert refused.value.reason is Reason.BAD_INPUT
