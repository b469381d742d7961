"""The sealed model: opens for each of its members in its own context, and for nobody else."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt

from marketplace.errors import FairshareError, Reason
from marketplace.updates.codec import pack_model, pack_update
from marketplace.updates.sealed_model import (
    ENVELOPE_BYTES,
    MAX_RECIPIENTS,
    NONCE_BYTES,
    TAG_BYTES,
    ModelContext,
    Seal,
    can_be_sealed_to,
    most_sealed_bytes,
    new_seal,
    open_model,
    recipients_of,
    seal_model,
)
from marketplace.updates.sealing import EncryptionKey, seal_key

MEMBERS = [EncryptionKey.generate() for _ in range(3)]
OUTSIDER = EncryptionKey.generate()
CONTEXT = ModelContext(31337, "0x" + "ab" * 20, 7, 3)
MODEL = np.arange(-50, 50, dtype=np.int32)
PACKED = pack_model(MODEL)
SEAL = new_seal(key.public for key in MEMBERS)
BLOB = seal_model(PACKED, SEAL, CONTEXT)
SMALL_ORDER = bytes(32)  # every sealed box to it would have the same secret


def refusal(blob, key=MEMBERS[0], context=CONTEXT, length=100):
    with pytest.raises(FairshareError) as refused:
        open_model(blob, key, context, length)
    assert "\n" not in refused.value.message
    return refused.value


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=30), st.integers(1, 5))
def test_a_model_opens_for_each_member(values, members):
    model = np.array(values, dtype=np.int32)
    keys = [EncryptionKey.generate() for _ in range(members)]
    blob = seal_model(pack_model(model), new_seal(key.public for key in keys), CONTEXT)
    assert len(blob) <= most_sealed_bytes(len(values))
    assert len(blob) == 6 + members * ENVELOPE_BYTES + NONCE_BYTES + len(pack_model(model)) + TAG_BYTES
    assert recipients_of(blob) == tuple(sorted(key.public for key in keys))
    for key in keys:
        assert open_model(blob, key, CONTEXT, len(values)).tolist() == values


def test_a_key_without_an_envelope_is_told_so():
    assert refusal(BLOB, OUTSIDER).reason is Reason.NOT_FOUND


def test_the_same_seal_makes_the_same_bytes_and_another_one_others():
    kept = Seal.from_bytes(SEAL.to_bytes())
    assert seal_model(PACKED, kept, CONTEXT) == BLOB
    assert seal_model(PACKED, new_seal(key.public for key in MEMBERS), CONTEXT) != BLOB
    assert SEAL.content_key.hex() not in repr(SEAL)


@pytest.mark.parametrize(
    "change", [{"round": 4}, {"project": 8}, {"chain_id": 1}, {"market": "0x" + "ac" * 20}]
)
def test_it_opens_in_its_own_context_only(change):
    assert refusal(BLOB, context=replace(CONTEXT, **change)).reason is Reason.INTEGRITY


@pytest.mark.parametrize("change", [{"round": 2**16}, {"project": -1}, {"chain_id": 2**64}, {"market": "0x"}])
def test_what_cannot_be_bound_to_is_refused(change):
    with pytest.raises(FairshareError) as refused:
        replace(CONTEXT, **change)
    assert refused.value.reason is Reason.BAD_INPUT


@given(st.integers(0, len(BLOB) - 1), st.integers(1, 255))
def test_no_byte_of_it_can_be_changed(place, by):
    """Not of another member's envelope either: all of the head is associated data."""
    damaged = bytearray(BLOB)
    damaged[place] ^= by
    assert refusal(bytes(damaged)).reason in (Reason.INTEGRITY, Reason.NOT_FOUND)


def test_an_envelope_cannot_be_added_for_an_outsider():
    """Even by a member, who has the content key, without sealing all of it anew: then it is another file."""
    added = sorted((*MEMBERS, OUTSIDER), key=lambda key: key.public)
    envelopes = b"".join(key.public + seal_key(SEAL.content_key, key.public) for key in added)
    longer = struct.pack(">4sH", b"FSM1", 4) + envelopes + SEAL.head[-NONCE_BYTES:] + BLOB[len(SEAL.head) :]
    assert refusal(longer).reason is refusal(longer, OUTSIDER).reason is Reason.INTEGRITY


@given(st.binary(max_size=400))
def test_anything_else_is_refused(data):
    assert refusal(data).reason is Reason.INTEGRITY
    assert refusal(b"FSM1" + data).reason in (Reason.INTEGRITY, Reason.NOT_FOUND)


@pytest.mark.parametrize("count", [0, 2, 4, MAX_RECIPIENTS + 1, 2**16 - 1])
def test_a_false_number_of_envelopes_is_refused(count):
    blob = BLOB[:4] + struct.pack(">H", count) + BLOB[6:]
    assert refusal(blob).reason is Reason.INTEGRITY


def test_envelopes_stand_in_order_and_once():
    first, second = SEAL.head[6 : 6 + ENVELOPE_BYTES], SEAL.head[6 + ENVELOPE_BYTES : 6 + 2 * ENVELOPE_BYTES]
    for pair in (second + first, first + first):
        blob = BLOB[:6] + pair + BLOB[6 + 2 * ENVELOPE_BYTES :]
        assert "in order" in refusal(blob).message


@pytest.mark.parametrize(
    "packed", [pack_model(MODEL[:99]), pack_update(MODEL.astype(np.int16)), b"", PACKED[:-1] + b"!!"]
)
def test_what_it_holds_must_be_a_model_of_that_length(packed):
    assert refusal(seal_model(packed, SEAL, CONTEXT)).reason is Reason.INTEGRITY


def test_a_member_notices_that_its_envelope_holds_another_key():
    """What an aggregator can do to one member: its commitment cannot be opened, which that member challenges."""
    victim, rest = MEMBERS[0], MEMBERS[1:]
    envelopes = sorted(
        [victim.public + seal_key(bytes(32), victim.public)]
        + [key.public + seal_key(SEAL.content_key, key.public) for key in rest]
    )
    head = b"".join((struct.pack(">4sH", b"FSM1", 3), *envelopes, bytes(NONCE_BYTES)))
    blob = head + crypto_aead_xchacha20poly1305_ietf_encrypt(
        PACKED, CONTEXT.associated_data(head), bytes(NONCE_BYTES), SEAL.content_key
    )
    assert refusal(blob, victim).reason is Reason.INTEGRITY
    assert all((open_model(blob, key, CONTEXT, 100) == MODEL).all() for key in rest)


def test_an_envelope_for_a_key_that_it_is_not_sealed_to_does_not_open():
    public, other = MEMBERS[0].public, OUTSIDER.public
    head = struct.pack(">4sH", b"FSM1", 1) + public + seal_key(SEAL.content_key, other) + bytes(NONCE_BYTES)
    blob = head + crypto_aead_xchacha20poly1305_ietf_encrypt(
        PACKED, CONTEXT.associated_data(head), bytes(NONCE_BYTES), SEAL.content_key
    )
    assert refusal(blob).reason is Reason.INTEGRITY
    assert refusal(blob, OUTSIDER).reason is Reason.NOT_FOUND


def test_who_registers_what_is_no_key_keeps_nobody_else_out():
    seal = new_seal([SMALL_ORDER, b"short", *(key.public for key in MEMBERS), MEMBERS[0].public])
    assert recipients_of(seal.head) == tuple(sorted(key.public for key in MEMBERS))
    assert not can_be_sealed_to(SMALL_ORDER)
    assert can_be_sealed_to(OUTSIDER.public)


def test_there_are_at_most_so_many_members_and_at_least_one():
    with pytest.raises(FairshareError) as refused:
        new_seal(
            EncryptionKey.from_bytes(n.to_bytes(16, "big") + bytes(16)).public
            for n in range(MAX_RECIPIENTS + 1)
        )
    assert refused.value.reason is Reason.TOO_LARGE
    with pytest.raises(FairshareError) as refused:
        new_seal([SMALL_ORDER])
    assert refused.value.reason is Reason.BAD_INPUT
