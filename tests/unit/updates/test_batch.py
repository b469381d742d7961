"""The list of a batch: what is packed comes back, and nothing but an exact list is read."""

import json

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from marketplace.updates.batch import MAX_SIGNATURE_BYTES, Batch, BatchEntry, unpack_batch

digests = st.binary(min_size=32, max_size=32)
entries = st.builds(
    BatchEntry,
    slot=st.integers(0, 15),
    digest=digests,
    blob=digests,
    signature=st.binary(min_size=1, max_size=MAX_SIGNATURE_BYTES),
)
batches = st.lists(entries, min_size=1, max_size=16, unique_by=lambda entry: entry.slot).map(
    lambda found: Batch(tuple(sorted(found, key=lambda entry: entry.slot)))
)
ENTRY = BatchEntry(3, b"d" * 32, b"b" * 32, b"s" * 65)


@given(batches)
def test_a_batch_comes_back(batch):
    again = unpack_batch(batch.pack())
    assert again == batch
    assert [again.entry(slot) is not None for slot in range(16)] == [
        bool(batch.slots >> slot & 1) for slot in range(16)
    ]


def test_the_root_is_that_of_the_contract():
    batch = Batch((ENTRY, BatchEntry(5, b"e" * 32, b"c" * 32, b"t" * 70)))
    hashes = [keccak(entry.signature) for entry in batch.entries]
    assert batch.root == keccak(encode(["bytes32[]", "bytes32[]"], [list(batch.digests), hashes]))
    assert batch.slots == 0b101000


@pytest.mark.parametrize(
    "made",
    [
        (),
        (ENTRY, ENTRY),
        (BatchEntry(16, b"d" * 32, b"b" * 32, b"s"),),
        (BatchEntry(-1, b"d" * 32, b"b" * 32, b"s"),),
        (BatchEntry(5, b"d" * 32, b"b" * 32, b"s"), ENTRY),
        (BatchEntry(0, b"d" * 31, b"b" * 32, b"s"),),
        (BatchEntry(0, b"d" * 32, b"b" * 33, b"s"),),
        (BatchEntry(0, b"d" * 32, b"b" * 32, b""),),
        (BatchEntry(0, b"d" * 32, b"b" * 32, b"s" * (MAX_SIGNATURE_BYTES + 1)),),
    ],
)
def test_other_batches_are_not_made(made):
    with pytest.raises(FairshareError) as refusal:
        Batch(made)
    assert refusal.value.reason is Reason.BAD_INPUT


def changed(**fields):
    document = json.loads(Batch((ENTRY,)).pack())
    document["entries"][0] |= fields
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'{"entries":3,"version":1}',
        b'{"entries":[3],"version":1}',
        b'{"entries":[],"version":1}',
        b"[" * 5000,
        '{"entries":"é"}'.encode(),
        changed(slot=True),
        changed(slot="3"),
        changed(slot=3.0),
        changed(digest="zz" * 32),
        changed(digest=7),
        changed(more=1),
        changed(signature="AB"),
        Batch((ENTRY,)).pack() + b"\n",
        Batch((ENTRY,)).pack().replace(b'"version":1', b'"version":2'),
        b" " * 100_000,
    ],
)
def test_files_that_are_no_list_are_refused(data):
    with pytest.raises(FairshareError) as refusal:
        unpack_batch(data)
    assert refusal.value.reason is Reason.INTEGRITY
