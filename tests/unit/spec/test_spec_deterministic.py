"""training.deterministic: an owner may ask for it, and specs that do not have the bytes that they always had."""

from __future__ import annotations

import json

import pytest

from marketplace.errors import FairshareError, Reason
from marketplace.spec import ChainSection, CircuitSection, ProjectFile, ProjectSpec, template

CID = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"
EARLIER = {"epochs", "batch_size", "learning_rate", "momentum", "clip_norm", "seed"}  # version 4 as it came


def posted(line: str, circuit: CircuitSection, chain: ChainSection) -> ProjectSpec:
    text = template("softmax").replace("[training]\n", f"[training]\n{line}\n")
    file = ProjectFile.from_toml(text)
    assert ProjectFile.from_toml(file.to_toml()) == file
    return file.post(
        circuit=circuit,
        chain=chain,
        initial_model=CID,
        evaluation_sha256="cd" * 32,
        validation="0x" + "ef" * 32,
    )


@pytest.mark.parametrize("line", ["", "deterministic = false"])
def test_a_spec_that_does_not_ask_for_it_says_nothing_of_it(
    line: str, circuit: CircuitSection, chain: ChainSection
) -> None:
    spec = posted(line, circuit, chain)
    assert spec.training.deterministic is False
    assert set(json.loads(spec.to_bytes())["training"]) == EARLIER
    assert ProjectSpec.from_bytes(spec.to_bytes()) == spec


def test_a_spec_that_asks_for_it_says_so(circuit: CircuitSection, chain: ChainSection) -> None:
    spec = posted("deterministic = true", circuit, chain)
    assert json.loads(spec.to_bytes())["training"]["deterministic"] is True
    assert ProjectSpec.from_bytes(spec.to_bytes()) == spec
    assert ProjectSpec.from_bytes(spec.to_bytes()).training.deterministic


def test_there_is_one_way_to_write_it(circuit: CircuitSection, chain: ChainSection) -> None:
    document = json.loads(posted("", circuit, chain).to_bytes())
    document["training"]["deterministic"] = False
    data = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(FairshareError, match="canonically"):
        ProjectSpec.from_bytes(data)


@pytest.mark.parametrize("value", ["1", '"yes"'])
def test_it_is_true_or_false(value: str, circuit: CircuitSection, chain: ChainSection) -> None:
    with pytest.raises(FairshareError) as caught:
        posted(f"deterministic = {value}", circuit, chain)
    assert caught.value.reason is Reason.BAD_SPEC
    assert caught.value.message.startswith("training.deterministic")


def test_what_a_trainer_has_paid_for_keeps_its_name(circuit: CircuitSection, chain: ChainSection) -> None:
    """Journals know a training by its recipe's `repr` (trainer_node.privacy_budget)."""
    training = posted("", circuit, chain).training
    assert "deterministic" not in repr(training)
    assert "clip_norm" in repr(training)
