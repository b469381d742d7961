from __future__ import annotations

import pytest

from marketplace.chain.artifacts import Artifact
from marketplace.chain.compile import compile_standard, standard_input
from marketplace.chain.linking import libraries_first, libraries_in, linked, matches
from marketplace.chain.types import NATIVE_COIN, address
from marketplace.errors import FairshareError, Reason

SOURCE = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;
library Inner { function one(uint256 x) external pure returns (uint256) { return x + 1; } }
library Outer { function two(uint256 x) external pure returns (uint256) { return Inner.one(x) * 2; } }
contract Box {
    uint256 public immutable v;
    constructor(uint256 given) { v = given; }
    function both(uint256 x) external view returns (uint256) {
        return Outer.two(x) + Inner.one(x) + Inner.one(v);
    }
}
contract Plain { function zero() external pure returns (uint256) { return 0; } }"""
INNER, OUTER = "Box.sol:Inner", "Box.sol:Outer"
PLACES = {INNER: address("0x" + "1a" * 20), OUTER: address("0x" + "2b" * 20)}
HERE = address("0x" + "3c" * 20)


@pytest.fixture(scope="module")
def artifacts() -> dict[str, Artifact]:
    return compile_standard(standard_input({"Box.sol": SOURCE}))


def runtime(artifact: Artifact) -> bytearray:
    """As it would be on a chain, with immutables of zero."""
    code = artifact.deployed_bytecode
    for library, spans in artifact.deployed_links.items():
        for start, length in spans:
            code = code[: 2 * start] + PLACES[library][2:].lower() + code[2 * (start + length) :]
    return bytearray.fromhex(code)


def test_libraries_come_before_those_that_call_them(artifacts: dict[str, Artifact]) -> None:
    order = [library.key for library in libraries_first(artifacts, [artifacts["Box"], artifacts["Plain"]])]
    assert order == [INNER, OUTER]
    assert libraries_first(artifacts, [artifacts["Plain"], artifacts["Inner"]]) == []


def test_links_are_filled(artifacts: dict[str, Artifact]) -> None:
    code = linked(artifacts["Box"], PLACES)
    assert code.count(bytes.fromhex("1a" * 20)) == len(artifacts["Box"].links[INNER]) == 2
    assert code.count(bytes.fromhex("2b" * 20)) == len(artifacts["Box"].links[OUTER]) == 1
    assert linked(artifacts["Plain"], {}) == bytes.fromhex(artifacts["Plain"].bytecode)
    with pytest.raises(FairshareError, match=r"Box calls Box\.sol:Outer") as caught:
        linked(artifacts["Box"], {INNER: PLACES[INNER]})
    assert caught.value.reason is Reason.BAD_INPUT


def test_deployed_code_matches_up_to_immutables_and_places(artifacts: dict[str, Artifact]) -> None:
    box = artifacts["Box"]
    code = runtime(box)
    for start, length in box.immutable_references:
        code[start : start + length] = b"\x07" * length
    assert matches(box, bytes(code), HERE)
    assert libraries_in(box, bytes(code)) == PLACES
    for place in (0, len(code) // 2, len(code) - 1):
        other = bytearray(code)
        other[place] ^= 1
        assert not matches(box, bytes(other), HERE)
    for wrong in (b"", bytes(code[:-1]), bytes(code) + b"\0"):
        assert not matches(box, wrong, HERE)


def test_one_library_in_two_places_is_none(artifacts: dict[str, Artifact]) -> None:
    box = artifacts["Box"]
    code = runtime(box)
    second = box.deployed_links[INNER][1].start
    code[second] ^= 1
    assert not matches(box, bytes(code), HERE)


def test_a_library_knows_its_own_address(artifacts: dict[str, Artifact]) -> None:
    inner, outer = artifacts["Inner"], artifacts["Outer"]
    assert (inner.is_library, outer.is_library, artifacts["Box"].is_library) == (True, True, False)
    code = runtime(outer)
    code[1:21] = bytes.fromhex("3c" * 20)
    assert matches(outer, bytes(code), HERE)
    assert libraries_in(outer, bytes(code)) == {INNER: PLACES[INNER]}
    assert not matches(outer, bytes(code), NATIVE_COIN)
    assert not matches(inner, bytes(code), HERE)
