"""Blocks of files: those that Kubo makes are read, others are refused, and nothing else is ever raised."""

import time
from contextlib import suppress

import pytest
from blocks_by_hand import digest, field, file_block
from hypothesis import given
from hypothesis import strategies as st

from marketplace.storage.cid import cid_of, digest_of
from marketplace.storage.dag import MAX_BLOCK_BYTES, MAX_LINKS, FileBlock, Link, MalformedBlock, parse_block


@given(st.binary(max_size=2000))
def test_a_leaf_as_kubo_makes_it(data):
    block = file_block(data)
    assert digest(block) == digest_of(cid_of(data))
    assert parse_block(block) == FileBlock(data, (), len(data))


def test_a_node_as_kubo_makes_it():
    leaves = [file_block(bytes([i]) * 262_144) for i in range(2)] + [file_block(b"end")]
    sizes = [262_144, 262_144, 3]
    block = file_block(b"", tuple(zip(leaves, sizes, strict=True)))
    assert digest(block) == digest_of(cid_of(b"\0" * 262_144 + b"\1" * 262_144 + b"end"))
    assert parse_block(block) == FileBlock(b"", tuple(map(Link, map(digest, leaves), sizes)), 524_291)


LEAF = file_block(b"abc")


@pytest.mark.parametrize(
    ("block", "cause"),
    [
        (b"", "not a file"),
        (field(1, b""), "not a file"),
        (file_block(b"", kind=1), "not a file"),
        (file_block(b"", kind=5), "not a file"),
        (file_block(b"abc", size=4), "add up"),
        (file_block(b"abc", size=2**62), "add up"),
        (file_block(b"", ((LEAF, 3),), size=2), "add up"),
        (file_block(b"", ((LEAF, 0),)), "add up"),
        (file_block(b"ab", ((LEAF, 3),)), "do not match"),
        (file_block(b"abc") + file_block(b"abc"), "not a dag-pb node"),
        (file_block(b"", ((LEAF, 3),) * (MAX_LINKS + 1)), "not a dag-pb node"),
        (field(1, field(1, 2) + field(3, 1) + field(4, 1)), "do not match"),
        (field(2, field(1, bytes(34))) + file_block(b""), "CIDv0"),
        (field(2, field(1, b"\x01\x55\x12\x20" + bytes(32))) + file_block(b""), "CIDv0"),
        (field(2, field(2, b"name")) + file_block(b""), "without a hash"),
        (field(1, field(1, 2))[:-1], "truncated"),
        (
            field(2, field(1, b"\x12\x20" + bytes(32)) + field(2, b"n" * 17_000))
            + field(1, field(1, 2) + field(3, 1) + field(4, 1)),
            "with links",
        ),
        (b"\x0d\x00\x00\x00\x00", "wire type"),
        (b"\xff" * 20, "does not end"),
        (bytes(MAX_BLOCK_BYTES + 1), "a block of"),
    ],
)
def test_other_blocks_are_refused(block, cause):
    with pytest.raises(MalformedBlock, match=cause):
        parse_block(block)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_else(block):
    try:
        parsed = parse_block(block)
    except MalformedBlock:
        return
    assert parsed.size == len(parsed.data) + sum(link.size for link in parsed.links)


@given(st.integers(0, len(file_block(b"", ((LEAF, 3), (LEAF, 3)))) - 1), st.integers(0, 255))
def test_a_damaged_node_raises_nothing_else(at, byte):
    block = bytearray(file_block(b"", ((LEAF, 3), (LEAF, 3))))
    block[at] = byte
    with suppress(MalformedBlock):
        parse_block(bytes(block))


def test_a_block_of_a_million_fields_is_not_looked_through():
    fields = field(1, 2) * 500_000
    for block in (field(1, fields), field(2, field(3, 1) * 500_000), fields):
        started = time.thread_time()
        with pytest.raises(MalformedBlock):
            parse_block(block)
        assert time.thread_time() - started < 0.1
