from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from eth_abi.abi import decode, encode
from eth_utils.abi import collapse_if_tuple
from hypothesis import given
from hypothesis import strategies as st

from marketplace.chain import events
from marketplace.chain.contracts import abi_entry, interface_abi
from marketplace.chain.names import snake_case
from marketplace.chain.types import (
    NATIVE_COIN,
    AbiStruct,
    Circuit,
    Project,
    Record,
    RoundResult,
    ScoreRule,
    Status,
    Terms,
    address,
)
from zk.curve import Point

STRUCTS: list[tuple[type[AbiStruct], dict[str, Any]]] = [
    (Terms, abi_entry("ITrainingMarket", "function", "termsOf")["outputs"][0]),
    (Project, abi_entry("ITrainingMarket", "function", "projectOf")["outputs"][0]),
    (RoundResult, abi_entry("ITrainingMarket", "function", "postResult")["inputs"][1]),
    (Circuit, abi_entry("IGramVerifier", "function", "circuitOf")["outputs"][0]),
    (Record, abi_entry("IReputationRegistry", "function", "trainerRecord")["outputs"][0]),
]


@pytest.mark.parametrize(("struct", "abi"), STRUCTS, ids=lambda value: getattr(value, "__name__", ""))
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
            entry["name"]: [snake_case(parameter["name"]) for parameter in entry["inputs"]]
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


words = st.integers(0, 2**256 - 1)
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: address("0x" + raw.hex()))
points = st.builds(Point, words, words)
terms = st.builds(
    Terms,
    token=addresses,
    **{
        name: st.integers(0, 2**128 - 1)
        for name in ("reward", "trainer_stake", "aggregator_bond", "aggregator_fee")
    },
    spec=st.binary(min_size=32, max_size=32),
    circuit=st.binary(min_size=32, max_size=32),
    slots=st.integers(0, 255),
    faults=st.integers(0, 255),
    **{name: st.integers(0, 2**32 - 1) for name in ("join_window", "submit_window", "result_window")},
    score_rule=st.sampled_from(ScoreRule),
    **{
        name: st.integers(0, 65535)
        for name in ("rounds", "strike_factor", "strike_slash", "duplicate_cosine")
    },
    max_norm_squared=st.integers(0, 2**64 - 1),
    initial_model=points,
)
results = st.builds(
    RoundResult,
    **{name: st.integers(0, 65535) for name in ("round", "omitted", "merged")},
    **{name: st.integers(0, 255) for name in ("median_score_slot", "median_norm_slot")},
    model=st.binary(min_size=32, max_size=32),
    neighbours=st.lists(st.integers(0, 65535), max_size=16).map(tuple),
    gram=st.lists(words, max_size=136).map(tuple),
    proof=st.binary(max_size=200),
)


@given(terms)
def test_terms_survive_the_abi(value: Terms) -> None:
    kind = collapse_if_tuple(STRUCTS[0][1])
    (decoded,) = decode([kind], encode([kind], [value.to_abi()]))
    back = Terms.from_abi(decoded)
    assert dataclasses.replace(back, token=address(back.token)) == value


@given(results)
def test_results_survive_the_abi(value: RoundResult) -> None:
    kind = collapse_if_tuple(STRUCTS[2][1])
    (decoded,) = decode([kind], encode([kind], [value.to_abi()]))
    assert RoundResult.from_abi(decoded) == value


def test_statuses_and_rules_are_typed() -> None:
    project = Project.from_abi((NATIVE_COIN, 2, *range(12), (1, 2)))
    assert project.status is Status.ACTIVE
    assert project.model == Point(1, 2)
    with pytest.raises(ValueError, match="15 fields"):
        Project.from_abi((1, 2))


@given(st.text(st.characters(whitelist_categories=["Lu", "Ll"], max_codepoint=127), min_size=1))
def test_snake_case_is_lower(name: str) -> None:
    assert snake_case(name) == snake_case(name).lower()
