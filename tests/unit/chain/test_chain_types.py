from __future__ import annotations

import dataclasses
import re
from enum import IntEnum
from typing import Any, get_args, get_type_hints

import pytest
from eth_abi.abi import decode, encode
from eth_utils.abi import collapse_if_tuple
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.chain import events
from marketplace.chain.abi_struct import AbiStruct
from marketplace.chain.compile import source_text
from marketplace.chain.contracts import abi_entry, interface_abi
from marketplace.chain.events.reading import field_name
from marketplace.chain.names import snake_case
from marketplace.chain.types import (
    NATIVE_COIN,
    Account,
    Address,
    Arrivals,
    Challenge,
    ChallengeKind,
    ChunkFacts,
    Circuit,
    Cohort,
    LeafPath,
    Member,
    Opening,
    Outcome,
    Permit,
    Project,
    Record,
    RoundResult,
    ScoreRule,
    Settlement,
    ShownChunk,
    SketchEvidence,
    SketchFacts,
    SketchQuestion,
    SketchResult,
    SketchStatement,
    Status,
    Terms,
    UpdateChunk,
    address,
)
from zk.curve import G2, Point


def returned(contract: str, view: str) -> dict[str, Any]:
    return dict(abi_entry(contract, "function", view)["outputs"][0])


def taken(call: str, place: int) -> dict[str, Any]:
    return dict(abi_entry("ITrainingMarket", "function", call)["inputs"][place])


STRUCTS: dict[type[AbiStruct], dict[str, Any]] = {
    Terms: returned("ITrainingMarket", "termsOf"),
    Project: returned("ITrainingMarket", "projectOf"),
    Cohort: returned("ITrainingMarket", "cohortOf"),
    Challenge: returned("ITrainingMarket", "challengeOf"),
    Account: returned("ITrainingMarket", "trainerOf"),
    Member: returned("ITrainingMarket", "membershipOf"),
    Arrivals: taken("complain", 4),
    RoundResult: taken("postResult", 1),
    Outcome: taken("undo", 1) | {"type": "tuple"},
    Opening: taken("answerModel", 1),
    Permit: taken("create", 1),
    SketchResult: taken("postSketchResult", 2),
    SketchQuestion: taken("challengeSketch", 2),
    SketchStatement: taken("challengeSketch", 2)["components"][3] | {"type": "tuple"},
    ChunkFacts: taken("showChunk", 1),
    ShownChunk: taken("showChunk", 2),
    LeafPath: taken("showChunk", 2)["components"][0],
    UpdateChunk: taken("answerChunk", 4),
    SketchFacts: taken("answerSketch", 1),
    SketchEvidence: taken("refuteSketch", 4),
    Circuit: returned("IGramVerifier", "circuitOf"),
    Record: returned("IReputationRegistry", "trainerRecord"),
}


@pytest.mark.parametrize(("struct", "abi"), STRUCTS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_structs_have_the_contracts_fields(struct: type[AbiStruct], abi: dict[str, Any]) -> None:
    names = [field.name for field in dataclasses.fields(struct)]  # type: ignore[arg-type]
    assert names == [snake_case(component["name"]) for component in abi["components"]]


def test_every_event_has_its_class_with_the_contracts_fields() -> None:
    by_contract = {
        "ITrainingMarket": events.MARKET_EVENTS,
        "IStakeVault": events.VAULT_EVENTS,
        "IReputationRegistry": events.REPUTATION_EVENTS,
        "IGramVerifier": events.GRAM_VERIFIER_EVENTS,
    }
    for contract, kinds in by_contract.items():
        declared = {
            entry["name"]: [field_name(parameter["name"]) for parameter in entry["inputs"]]
            for entry in interface_abi(contract)
            if entry["type"] == "event"
        }
        base = {field.name for field in dataclasses.fields(events.Event)}
        ours = {
            kind.__name__: [field.name for field in dataclasses.fields(kind) if field.name not in base]
            for kind in kinds
        }
        assert ours == declared
        assert {kind.contract for kind in kinds} == {contract}


@pytest.mark.parametrize("enum", [Status, ScoreRule, Settlement, ChallengeKind])
def test_enums_have_the_contracts_numbers(enum: type[IntEnum]) -> None:
    text = source_text("contracts/interfaces/ITrainingMarket.sol")
    found = re.search(rf"^enum {enum.__name__} {{(.*?)^}}", text, re.DOTALL | re.MULTILINE)
    assert found
    names = re.findall(r"^ +(\w+)", found[1], re.MULTILINE)
    assert [(snake_case(name).upper(), number) for number, name in enumerate(names)] == [
        (member.name, member.value) for member in enum
    ]


LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    Address: st.binary(min_size=20, max_size=20).map(lambda raw: address("0x" + raw.hex())),
}


def values_of(struct: type[AbiStruct]) -> st.SearchStrategy[Any]:
    """Any value of a struct that its ABI can hold."""
    return strategy(struct, STRUCTS[struct])


def strategy(kind: Any, abi: dict[str, Any]) -> st.SearchStrategy[Any]:
    solidity = abi["type"]
    if solidity.endswith("[]"):
        item = abi | {"type": solidity.removesuffix("[]")}
        return st.lists(strategy(get_args(kind)[0], item), max_size=4).map(tuple)
    if solidity == "tuple":
        hints = get_type_hints(kind)
        parts = zip(hints, abi["components"], strict=True)
        return st.builds(kind, **{name: strategy(hints[name], part) for name, part in parts})
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        return st.sampled_from(kind)
    if solidity.startswith("uint"):
        return st.integers(0, 2 ** int(solidity.removeprefix("uint")) - 1)
    if solidity.startswith("bytes"):
        return st.binary(min_size=32, max_size=32) if solidity == "bytes32" else st.binary(max_size=80)
    return LEAVES[kind]


@pytest.mark.parametrize("struct", STRUCTS)
@given(data=st.data())
@settings(max_examples=25)
def test_structs_survive_the_abi(struct: type[AbiStruct], data: st.DataObject) -> None:
    value = data.draw(values_of(struct))
    kind = collapse_if_tuple(STRUCTS[struct])
    encoded = encode([kind], [value.to_abi()])
    (decoded,) = decode([kind], encoded)
    assert type(value).from_abi(checksummed(decoded, STRUCTS[struct])) == value
    # As web3 decodes calldata: mappings by the contracts' names.
    assert type(value).from_abi(named(checksummed(decoded, STRUCTS[struct]), STRUCTS[struct])) == value


def checksummed(value: Any, abi: dict[str, Any]) -> Any:
    """eth_abi's addresses are lower case; web3, which reads for us, checksums them."""
    if abi["type"] == "tuple":
        return tuple(checksummed(part, of) for part, of in zip(value, abi["components"], strict=True))
    return address(value) if abi["type"] == "address" else value


def named(value: Any, abi: dict[str, Any]) -> Any:
    if abi["type"] != "tuple":
        return value
    return {of["name"]: named(part, of) for part, of in zip(value, abi["components"], strict=True)}


def test_what_is_no_such_struct() -> None:
    with pytest.raises(ValueError, match="2 fields"):
        Account.from_abi((NATIVE_COIN,))
    with pytest.raises(ValueError, match="9 is not a valid ChallengeKind"):
        Challenge.from_abi((9, NATIVE_COIN, 0, 0, 0, 0, bytes(32)))


def test_lists_may_have_a_fixed_length() -> None:
    @dataclasses.dataclass(frozen=True)
    class Pair(AbiStruct):
        numbers: tuple[int, int]
        point: Point
        line: G2

    pair = Pair((1, 2), Point(3, 4), G2(5, 6, 7, 8))
    assert Pair.from_abi(([1, 2], [3, 4], (5, 6, 7, 8))) == pair
    assert Pair.from_abi({"numbers": [1, 2], "point": {"x": 3, "y": 4}, "line": [5, 6, 7, 8]}) == pair


def test_membership_in_words() -> None:
    stranger = Member(number=0, index=0, left=False, locked=0, claimed=0)
    assert (stranger.trainer_number, stranger.aggregator_index) == (None, None)
    both = dataclasses.replace(stranger, number=1, index=3)
    assert (both.trainer_number, both.aggregator_index) == (0, 2)


@given(st.text(st.characters(whitelist_categories=["Lu", "Ll"], max_codepoint=127), min_size=1))
def test_snake_case_is_lower(name: str) -> None:
    assert snake_case(name) == snake_case(name).lower()
