from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from marketplace.chain.compile import compile_contracts
from marketplace.chain.reverts import as_error, decode_revert, in_words, revert_data
from marketplace.errors import Reason

ERRORS = {
    entry["name"]: entry
    for artifact in compile_contracts().values()
    for entry in artifact.abi
    if entry["type"] == "error"
}
ZEROS: dict[str, Any] = {
    "address": "0x" + "11" * 20,
    "bytes32": b"slots".ljust(32, b"\0"),
    "bool": True,
    "string": "no",
}


def encoded(name: str, *values: Any) -> bytes:
    kinds = [collapse_if_tuple(parameter) for parameter in ERRORS[name]["inputs"]]
    return bytes(keccak(text=f"{name}({','.join(kinds)})")[:4] + encode(kinds, values))


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_every_custom_error_is_told_in_one_line(name: str) -> None:
    kinds = [collapse_if_tuple(parameter) for parameter in ERRORS[name]["inputs"]]
    data = encoded(name, *(ZEROS.get(kind, 1) for kind in kinds))
    error = as_error(data, "post")
    assert error.message.startswith("post: ")
    assert "\n" not in error.message
    assert "unknown" not in error.message.lower() or "Unknown" in name
    assert error.hint


def test_reasons_and_words() -> None:
    late = as_error(encoded("DeadlinePassed", 100, 101), "submit")
    assert (late.reason, late.message) == (
        Reason.DEADLINE_PASSED,
        "submit: deadline passed: deadline 100, time 101",
    )
    assert (
        as_error(encoded("InsufficientFree", "0x" + "11" * 20, "0x" + "22" * 20, 1, 2), "join").reason
        is Reason.NO_FUNDS
    )
    assert as_error(encoded("WrongStatus", 9, 0), "join").reason is Reason.NOT_FOUND
    wrong = as_error(encoded("WrongStatus", 9, 5), "join")
    assert (wrong.reason, wrong.message) == (Reason.REFUSED, "join: wrong status: project 9, status settled")
    terms = as_error(encoded("InvalidTerms", b"slots".ljust(32, b"\0"), 99), "create")
    assert (terms.reason, terms.message) == (Reason.BAD_INPUT, "create: invalid terms: term slots, value 99")


def test_plain_reverts_and_panics() -> None:
    text = bytes.fromhex("08c379a0") + encode(["string"], ["no way"])
    assert as_error(text, "x").message == "x: no way"
    panic = bytes.fromhex("4e487b71") + encode(["uint256"], [0x11])
    assert "panic code 0x11" in as_error(panic, "x").message
    assert as_error(b"", "x", "out of gas").message == "x: out of gas"
    assert as_error(b"\x01\x02\x03\x04", "x").message == "x: unknown error 0x01020304"


@given(st.sampled_from(sorted(ERRORS)), st.binary(max_size=80))
def test_malformed_arguments_do_no_harm(name: str, tail: bytes) -> None:
    revert = decode_revert(encoded(name, *_ones(name))[:4] + tail)
    assert revert is None or "\n" not in in_words(revert)


def _ones(name: str) -> list[Any]:
    return [ZEROS.get(collapse_if_tuple(parameter), 1) for parameter in ERRORS[name]["inputs"]]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("0x1234", b"\x12\x34"),
        ("Reverted 0x1234", b"\x12\x34"),
        ({"data": "0x12"}, b"\x12"),
        ({"message": "x"}, b""),
        ("0x123", b""),
        (None, b""),
        ("no data", b""),
    ],
)
def test_data_is_found_however_it_is_wrapped(data: Any, expected: bytes) -> None:
    assert revert_data(data) == expected
