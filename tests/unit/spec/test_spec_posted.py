"""The posted spec: canonical bytes, and a stranger's bytes refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from marketplace.spec import ProjectSpec, SpecTerms, terms

Edit = Callable[[dict[str, Any]], object]


def canonical(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def refusal(data: bytes) -> FairshareError:
    with pytest.raises(FairshareError) as caught:
        ProjectSpec.from_bytes(data)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()
    return caught.value


def test_bytes_are_canonical_json(spec: ProjectSpec) -> None:
    data = spec.to_bytes()
    assert data == canonical(json.loads(data))
    assert ProjectSpec.from_bytes(data) == spec
    document = json.loads(data)
    assert document["reward"]["amount"] == str(10**18)
    assert document["circuit"]["length"] == 650
    assert document["arithmetic"]["max_norm_squared"] == spec.arithmetic.max_norm_squared


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        (lambda d: d.update(code="import os"), "code"),
        (lambda d: d["scoring"].update(strike_facto=300), "scoring.strike_facto"),
        (lambda d: d.pop("circuit"), "circuit"),
        (lambda d: d.update(cohort={"faults": 1}), "cohort.slots"),
        (lambda d: d.update(stakes={"trainer": "1"}), "stakes.aggregator"),
        (lambda d: d["scoring"].update(rule="none") or d["scoring"].pop("reference_share"), "scoring.rule"),
        (lambda d: d.update(rounds={"count": 1}), "rounds.join_window"),
        (lambda d: d.update(version=2), "version"),
        (lambda d: d["reward"].pop("amount"), "reward.amount"),
        (lambda d: d["reward"].update(amount=True), "reward.amount"),
        (lambda d: d["reward"].update(token="0x" + "zz" * 20), "reward.token"),
        (lambda d: d["cohort"].update(slots=9), "circuit.slots"),
        (lambda d: d["cohort"].update(trainers=9), "cohort.trainers"),
        (lambda d: d.update(validation=None), "validation"),
        (lambda d: d["validation"].update(commitment="0x"), "validation.commitment"),
        (lambda d: d["aggregators"].update(allowed=["0x12"]), "aggregators.allowed"),
        (lambda d: d["reputation"].update(floor=2**32), "reputation.floor"),
        (lambda d: d["rounds"].update(challenge_window=3601), "rounds.challenge_window"),
        (lambda d: d["cohort"].update(faults=4), "cohort.faults"),
        (lambda d: d["circuit"].update(vk="Qm/../../etc/passwd"), "circuit.vk"),
        (lambda d: d["circuit"].update(srs_kind="trusted"), "circuit.srs_kind"),
        (lambda d: d["circuit"].update(digest="0x12"), "circuit.digest"),
        (lambda d: d["chain"].update(chain_id=0), "chain.chain_id"),
        (lambda d: d["storage"].update(peers=["/ip4/1.2.3.4"] * 17), "storage.peers"),
        (lambda d: d["arithmetic"].update(max_norm_squared=1), "arithmetic.max_norm_squared"),
        (lambda d: d["arithmetic"].update(max_norm_squared=2**63), "arithmetic.max_norm_squared"),
        (lambda d: d["task"].update(code={"evil": 1}), "task.code"),
        (lambda d: d["training"].update(learning_rate="0.5"), "training.learning_rate"),
        (lambda d: d["project"].update(name="\x1b[2J"), "project.name"),
        (lambda d: d.update({"x\n\x1b" * 100: 1}), "x??"),
    ],
)
def test_a_wrong_field_is_named(spec: ProjectSpec, edit: Edit, field: str) -> None:
    document = json.loads(spec.to_bytes())
    edit(document)
    error = refusal(canonical(document))
    assert error.reason is Reason.BAD_SPEC
    assert error.message.startswith(field)


def test_a_task_s_lists_are_written_as_they_were_read(spec: ProjectSpec) -> None:
    document = json.loads(spec.to_bytes())
    document["task"] |= {"mean": [1, 2.5, -0.0], "scale": [1e-300, 0.1, 1e300], "none": []}
    data = canonical(document)
    read = ProjectSpec.from_bytes(data)
    assert read.to_bytes() == data
    assert read.task.options["mean"] == (1, 2.5, 0)


@pytest.mark.parametrize("value", [[True], ["1"], [[1]], [None], [1] * 4097, {"0": 1}, "x" * 81, None])
def test_a_task_s_option_is_a_scalar_or_a_list_of_numbers(spec: ProjectSpec, value: object) -> None:
    document = json.loads(spec.to_bytes())
    document["task"]["mean"] = value
    error = refusal(canonical(document))
    assert error.reason is Reason.BAD_SPEC
    assert error.message.startswith("task.mean")


def test_beyond_the_exact_path(spec: ProjectSpec) -> None:
    document = json.loads(spec.to_bytes())
    document["circuit"]["length"] = 100_000 // 11 + 1
    assert refusal(canonical(document)).reason is Reason.TOO_LARGE


@pytest.mark.parametrize(
    "edit",
    [
        lambda data: data + b" ",
        lambda data: data.replace(b":", b": ", 1),
        lambda data: data.replace(b'"amount":"1', b'"amount":"01'),
        lambda data: data.replace(b'"amount":"1000000000000000000"', b'"amount":"1 eth"'),
        lambda data: data.replace(b'"version":4', b'"version":4,"version":4'),
        lambda data: data.replace(b'"momentum":0.0', b'"momentum":0'),
        lambda data: data.replace(b'"momentum":0.0', b'"momentum":NaN'),
        lambda data: data.replace(b'"momentum":0.0', b'"momentum":1e999'),
        lambda data: data.replace(b"My project", b"My\\u0020project"),
        lambda data: data.replace(b'"challenge_window":1800,', b""),
        lambda data: data.replace(b"My project", b"\\ud800"),
        lambda data: data.replace(b"My project", b"\xff"),
        lambda data: data.replace(b'"epochs":10', b'"epochs":' + b"9" * 5000),
        lambda data: b"[" * 60_000,
        lambda data: b'{"a":' * 12_000,
        lambda data: b"",
        lambda data: b"null",
        lambda data: b"[]",
    ],
)
def test_other_bytes_are_refused(spec: ProjectSpec, edit: Callable[[bytes], bytes]) -> None:
    data = edit(spec.to_bytes())
    assert data != spec.to_bytes()
    assert refusal(data).reason is Reason.BAD_SPEC


def test_size_is_checked_first() -> None:
    assert refusal(b"[" * 65_537).reason is Reason.TOO_LARGE


@given(st.binary(max_size=200))
def test_rubbish_is_refused(data: bytes) -> None:
    assert refusal(data).reason is Reason.BAD_SPEC


def test_terms_are_the_spec_in_the_contracts_words(spec: ProjectSpec) -> None:
    result = terms(spec, b"\x07" * 32, (1, 2))
    assert result.token == "0x" + "00" * 20
    assert (result.slots, result.faults, result.rounds) == (10, 2, 5)
    assert result.reward == 10**18
    assert result.circuit == bytes.fromhex("ab" * 32)
    assert (result.score_rule, result.fallback_rule, result.reference_share) == (2, 0, 8000)
    assert (result.cohorts, result.trainers, result.settlement) == (1, 10, 0)
    assert (result.answer_window, result.challenge_window, result.batch_window) == (1800, 1800, 0)
    assert result.validation == bytes.fromhex("ef" * 32)
    assert (result.aggregators, result.min_reputation) == (bytes(32), 0)
    assert (result.complaint_deposit, result.reveal_bond) == (10**15, 5 * 10**16)
    assert result.max_norm_squared == spec.arithmetic.max_norm_squared
    with pytest.raises(ValueError, match="32"):
        terms(spec, b"\x07", (1, 2))


def test_terms_have_the_fields_of_the_chains_struct() -> None:
    from marketplace.chain.types import Terms

    assert [field.name for field in fields(SpecTerms)] == [field.name for field in fields(Terms)]
