"""The sealed update: opens for its recipient in its own context, and for nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt

from marketplace.errors import FairshareError, Reason
from marketplace.updates.codec import pack_model, pack_update
from marketplace.updates.envelope import (
    SealedUpdate,
    UpdateContext,
    open_update,
    reseal,
    seal,
    sealed_update_bytes,
)
from marketplace.updates.sealing import EncryptionKey, seal_key

AGGREGATOR = EncryptionKey.generate()
RESERVE = EncryptionKey.generate()
CONTEXT = UpdateContext(31337, "0x" + "ab" * 20, 7, 3, "0x" + "cd" * 20, (11, 12))
UPDATE = np.arange(-50, 50, dtype=np.int16)
SEALED = seal(pack_update(UPDATE), AGGREGATOR.public, CONTEXT)


def refused(blob, key=AGGREGATOR, context=CONTEXT, length=100, sealed_key=None):
    with pytest.raises(FairshareError) as refusal:
        open_update(blob, key, context, length, sealed_key)
    assert refusal.value.reason is Reason.INTEGRITY
    assert "\n" not in refusal.value.message
    return refusal.value.message


@given(st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=30))
def test_an_update_opens_for_its_recipient(values):
    update = np.array(values, dtype=np.int16)
    sealed = seal(pack_update(update), AGGREGATOR.public, CONTEXT)
    assert len(sealed.blob) == sealed_update_bytes(len(values))
    assert open_update(sealed.blob, AGGREGATOR, CONTEXT, len(values)).tolist() == values


def test_the_associated_data_is_that_of_the_document():
    assert CONTEXT.associated_data() == (
        b"fairshare/update/v1"
        + (31337).to_bytes(8, "big")
        + b"\xab" * 20
        + (7).to_bytes(32, "big")
        + (3).to_bytes(2, "big")
        + b"\xcd" * 20
        + (11).to_bytes(32, "big")
        + (12).to_bytes(32, "big")
    )
    mixed_case = replace(CONTEXT, trainer="0x" + "cD" * 20)
    assert mixed_case.associated_data() == CONTEXT.associated_data()


@pytest.mark.parametrize(
    "change",
    [
        {"trainer": "0x" + "ce" * 20},  # the copy attack: another trainer posts the same blob
        {"round": 4},
        {"project": 8},
        {"chain_id": 1},
        {"market": "0x" + "ac" * 20},
        {"commitment": (11, 13)},
        {"commitment": (12, 12)},
        {"commitment": (12, 11)},
    ],
)
def test_a_blob_opens_in_no_other_context(change):
    refused(SEALED.blob, context=replace(CONTEXT, **change))


def test_a_blob_opens_for_no_other_key():
    refused(SEALED.blob, key=RESERVE)


def test_a_resealed_key_opens_the_same_blob_for_the_reserve():
    box = reseal(SEALED.content_key, RESERVE.public)
    assert len(box) == 80
    assert (open_update(SEALED.blob, RESERVE, CONTEXT, 100, box) == UPDATE).all()
    refused(SEALED.blob, sealed_key=box)
    refused(SEALED.blob, key=RESERVE, sealed_key=b"\0" * 80)
    refused(SEALED.blob, key=RESERVE, sealed_key=b"")


def test_every_seal_has_a_key_and_a_nonce_of_its_own():
    again = seal(pack_update(UPDATE), AGGREGATOR.public, CONTEXT)
    assert again.content_key != SEALED.content_key
    assert again.blob[84:108] != SEALED.blob[84:108]
    assert SEALED.content_key.hex() not in repr(SEALED)


@given(st.integers(0, len(SEALED.blob) - 1), st.integers(1, 255))
def test_a_blob_with_one_byte_changed_is_refused(at, mask):
    blob = bytearray(SEALED.blob)
    blob[at] ^= mask
    refused(bytes(blob))


@given(st.one_of(st.binary(max_size=400), st.binary(min_size=324, max_size=340)), st.integers(1, 200))
def test_arbitrary_bytes_are_refused(data, length):
    refused(data, length=length)
    body = (
        data[:4] and data[4:].ljust(sealed_update_bytes(length) - 4, b"\0")[: sealed_update_bytes(length) - 4]
    )
    refused(b"FSE1" + body, length=length)


def test_a_blob_of_another_length_is_refused():
    for length in (99, 101):
        refused(SEALED.blob, length=length)
    refused(SEALED.blob + b"\0")
    refused(SEALED.blob[:-1])


def sealed_by_hand(packed: bytes) -> SealedUpdate:
    """What a trainer can make that does not keep to the format inside."""
    key, nonce = b"k" * 32, b"n" * 24
    ciphertext = crypto_aead_xchacha20poly1305_ietf_encrypt(packed, CONTEXT.associated_data(), nonce, key)
    return SealedUpdate(b"FSE1" + seal_key(key, AGGREGATOR.public) + nonce + ciphertext, key)


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
        {"commitment": (2**256, 0)},
        {"commitment": (0, -1)},
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
