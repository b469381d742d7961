"""The sealed update: opens for its recipient in its own context, and for nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt

from marketplace.errors import FairshareError, Reason
from marketplace.protocol.digests import update_digest
from marketplace.updates.codec import pack_model, pack_update
from marketplace.updates.envelope import (
    SealedUpdate,
    UpdateContext,
    commitment_from_bytes,
    commitment_of,
    open_update,
    reseal,
    seal,
    sealed_update_bytes,
)
from marketplace.updates.sealing import EncryptionKey, seal_key
from zk import curve
from zk.curve import Point

AGGREGATOR = EncryptionKey.generate()
RESERVE = EncryptionKey.generate()
CONTEXT = UpdateContext(31337, "0x" + "ab" * 20, 7, 3, "0x" + "cd" * 20)
COMMITMENT = Point(1, 2)  # the curve's generator; that it is the update's is not for the envelope to know
OTHER = curve.add(COMMITMENT, COMMITMENT)
DIGEST = update_digest(*COMMITMENT, CONTEXT.trainer)
UPDATE = np.arange(-50, 50, dtype=np.int16)
SEALED = seal(pack_update(UPDATE), COMMITMENT, AGGREGATOR.public, CONTEXT)


def refused(blob, key=AGGREGATOR, context=CONTEXT, digest=DIGEST, length=100, sealed_key=None):
    with pytest.raises(FairshareError) as refusal:
        open_update(blob, key, context, digest, length, sealed_key)
    assert refusal.value.reason is Reason.INTEGRITY
    assert "\n" not in refusal.value.message
    return refusal.value.message


@given(st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=30))
def test_an_update_opens_for_its_recipient(values):
    update = np.array(values, dtype=np.int16)
    sealed = seal(pack_update(update), COMMITMENT, AGGREGATOR.public, CONTEXT)
    assert len(sealed.blob) == sealed_update_bytes(len(values))
    opened = open_update(sealed.blob, AGGREGATOR, CONTEXT, DIGEST, len(values))
    assert opened.update.tolist() == values
    assert opened.commitment == COMMITMENT == commitment_of(sealed.blob)


def test_the_associated_data_is_that_of_the_document():
    assert CONTEXT.associated_data(COMMITMENT) == (
        b"fairshare/update/v2"
        + (31337).to_bytes(8, "big")
        + b"\xab" * 20
        + (7).to_bytes(32, "big")
        + (3).to_bytes(2, "big")
        + b"\xcd" * 20
        + (1).to_bytes(32, "big")
        + (2).to_bytes(32, "big")
    )
    mixed_case = replace(CONTEXT, trainer="0x" + "cD" * 20)
    assert mixed_case.associated_data(COMMITMENT) == CONTEXT.associated_data(COMMITMENT)


@pytest.mark.parametrize(
    "change",
    [
        {"trainer": "0x" + "ce" * 20},  # the copy attack: another trainer posts the same blob
        {"round": 4},
        {"project": 8},
        {"chain_id": 1},
        {"market": "0x" + "ac" * 20},
    ],
)
def test_a_blob_opens_in_no_other_context(change):
    other = replace(CONTEXT, **change)
    refused(SEALED.blob, context=other)
    assert "another trainer" in refused(
        SEALED.blob, context=other, digest=update_digest(*COMMITMENT, other.trainer)
    )


def test_a_blob_opens_with_no_other_commitment_than_the_one_submitted():
    assert "not the one submitted" in refused(SEALED.blob, digest=update_digest(*OTHER, CONTEXT.trainer))
    swapped = SEALED.blob[:4] + curve.to_bytes(OTHER) + SEALED.blob[68:]
    assert "not the one submitted" in refused(swapped)
    assert "another trainer, round or commitment" in refused(
        swapped, digest=update_digest(*OTHER, CONTEXT.trainer)
    )


@pytest.mark.parametrize("root", [0, 1, 2**256 - 1])
def test_a_root_stands_for_the_commitment_where_there_are_chunks(root):
    commitment = Point(root, 245)
    sealed = seal(pack_update(UPDATE), commitment, AGGREGATOR.public, CONTEXT)
    assert commitment_of(sealed.blob, chunks=245) == commitment
    digest = update_digest(*commitment, CONTEXT.trainer)
    opened = open_update(sealed.blob, AGGREGATOR, CONTEXT, digest, len(UPDATE), chunks=245)
    assert opened.commitment == commitment
    for chunks in (0, 244, 246):
        with pytest.raises(FairshareError) as refusal:
            open_update(sealed.blob, AGGREGATOR, CONTEXT, digest, len(UPDATE), chunks=chunks)
        assert refusal.value.reason is Reason.INTEGRITY
    with pytest.raises(FairshareError, match="root of 245"):
        commitment_from_bytes(curve.to_bytes(commitment)[:-1], 245)


@pytest.mark.parametrize("point", [Point(1, 3), Point(curve.BASE_FIELD + 1, 2), Point(2**256 - 1, 0)])
def test_a_commitment_off_the_curve_is_refused(point):
    blob = SEALED.blob[:4] + curve.to_bytes(point) + SEALED.blob[68:]
    assert "curve" in refused(blob, digest=update_digest(*point, CONTEXT.trainer))
    with pytest.raises(FairshareError, match="curve"):
        commitment_of(blob)
    with pytest.raises(FairshareError):
        commitment_of(blob[:60])


def test_a_blob_opens_for_no_other_key():
    refused(SEALED.blob, key=RESERVE)


def test_a_resealed_key_opens_the_same_blob_for_the_reserve():
    box = reseal(SEALED.content_key, RESERVE.public)
    assert len(box) == 80
    assert (open_update(SEALED.blob, RESERVE, CONTEXT, DIGEST, 100, box).update == UPDATE).all()
    refused(SEALED.blob, sealed_key=box)
    refused(SEALED.blob, key=RESERVE, sealed_key=b"\0" * 80)
    refused(SEALED.blob, key=RESERVE, sealed_key=b"")


def test_every_seal_has_a_key_and_a_nonce_of_its_own():
    again = seal(pack_update(UPDATE), COMMITMENT, AGGREGATOR.public, CONTEXT)
    assert again.content_key != SEALED.content_key
    assert again.blob[148:172] != SEALED.blob[148:172]
    assert SEALED.content_key.hex() not in repr(SEALED)


@given(st.integers(0, len(SEALED.blob) - 1), st.integers(1, 255))
def test_a_blob_with_one_byte_changed_is_refused(at, mask):
    blob = bytearray(SEALED.blob)
    blob[at] ^= mask
    refused(bytes(blob))


@given(st.one_of(st.binary(max_size=400), st.binary(min_size=388, max_size=404)), st.integers(1, 200))
def test_arbitrary_bytes_are_refused(data, length):
    refused(data, length=length)
    body = (
        data[:4] and data[4:].ljust(sealed_update_bytes(length) - 4, b"\0")[: sealed_update_bytes(length) - 4]
    )
    refused(b"FSE2" + body, length=length)
    refused(b"FSE2" + (curve.to_bytes(COMMITMENT) + body[64:])[: len(body)], length=length)


def test_a_blob_of_another_length_is_refused():
    for length in (99, 101):
        refused(SEALED.blob, length=length)
    refused(SEALED.blob + b"\0")
    refused(SEALED.blob[:-1])


def sealed_by_hand(packed: bytes) -> SealedUpdate:
    """What a trainer can make that does not keep to the format inside."""
    key, nonce = b"k" * 32, b"n" * 24
    ciphertext = crypto_aead_xchacha20poly1305_ietf_encrypt(
        packed, CONTEXT.associated_data(COMMITMENT), nonce, key
    )
    head = b"FSE2" + curve.to_bytes(COMMITMENT) + seal_key(key, AGGREGATOR.public) + nonce
    return SealedUpdate(head + ciphertext, key)


@pytest.mark.parametrize(
    "packed",
    [
        bytes(12 + 200),
        pack_model(np.zeros(50, dtype=np.int32)),
        pack_update(UPDATE).replace(b"FSA1", b"FSA2"),
        pack_update(UPDATE)[:8] + b"\x63" + pack_update(UPDATE)[9:],
    ],
)
def test_a_well_sealed_blob_with_something_else_inside_is_refused(packed):
    assert "packed array" in refused(sealed_by_hand(packed).blob)


@pytest.mark.parametrize(
    "change",
    [
        {"chain_id": -1},
        {"chain_id": 2**64},
        {"round": 2**16},
        {"project": 2**256},
        {"market": "ab" * 20},
        {"trainer": "0x" + "zz" * 20},
        {"trainer": "0x" + "ab" * 19},
        {"trainer": "0x" + "ab" * 20 + "\n"},
    ],
)
def test_a_context_out_of_range_is_refused(change):
    with pytest.raises(FairshareError) as refusal:
        replace(CONTEXT, **change)
    assert refusal.value.reason is Reason.BAD_INPUT
