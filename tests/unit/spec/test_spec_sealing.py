"""Models sealed to members: the spec's part of it, and that public specs are what they were."""

from __future__ import annotations

import hashlib
import json

import pytest

from marketplace.errors import FairshareError, Reason
from marketplace.spec import ChainSection, CircuitSection, ProjectFile, ProjectSpec, template
from marketplace.spec.rules import MAX_AGGREGATORS, MAX_SEALED_TO
from marketplace.updates.sealed_model import MAX_RECIPIENTS

CID = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"
OWNER_KEY = bytes(range(32))
MEMBERS = template("softmax").replace('visibility = "public"', 'visibility = "members"')
# Of the `spec` fixture, as it was posted before there were sealed models.
POSTED_BEFORE = "466a8731b9ea3c18827d212d9597a17f39d2ad309acaaf8acb90492c96af65e3"


def posted(
    text: str, circuit: CircuitSection, chain: ChainSection, owner_key: bytes | None = OWNER_KEY
) -> ProjectSpec:
    return ProjectFile.from_toml(text).post(
        circuit=circuit,
        chain=chain,
        initial_model=CID,
        evaluation_sha256="cd" * 32,
        validation="0x" + "ef" * 32,
        owner_key=owner_key,
    )


def refused(text: str) -> str:
    with pytest.raises(FairshareError) as caught:
        ProjectFile.from_toml(text)
    assert caught.value.reason is Reason.BAD_SPEC
    return caught.value.message


def test_public_specs_keep_the_bytes_that_they_were_posted_with(spec: ProjectSpec) -> None:
    assert hashlib.sha256(spec.to_bytes()).hexdigest() == POSTED_BEFORE
    assert not spec.is_sealed
    assert spec.sealing is None
    assert ProjectSpec.from_bytes(spec.to_bytes()) == spec


def test_a_sealed_project_names_its_owners_key(circuit: CircuitSection, chain: ChainSection) -> None:
    spec = posted(MEMBERS, circuit, chain)
    assert json.loads(spec.to_bytes())["sealing"] == {"owner_key": "0x" + OWNER_KEY.hex()}
    assert ProjectSpec.from_bytes(spec.to_bytes()) == spec
    assert spec.is_sealed
    assert spec.sealing is not None
    assert spec.sealing.key == OWNER_KEY


@pytest.mark.parametrize(("text", "key"), [(MEMBERS, None), (template("softmax"), OWNER_KEY)])
def test_key_and_visibility_go_together(
    text: str, key: bytes | None, circuit: CircuitSection, chain: ChainSection
) -> None:
    with pytest.raises(FairshareError) as caught:
        posted(text, circuit, chain, key)
    assert caught.value.reason is Reason.BAD_SPEC
    assert "visibility" in caught.value.message


@pytest.mark.parametrize("sealing", [None, {}, {"owner_key": "0x12"}, {"owner_key": "0x" + "AB" * 32}, "key"])
def test_a_strangers_spec_says_it_as_it_must_be_said(
    sealing: object, circuit: CircuitSection, chain: ChainSection
) -> None:
    document = json.loads(posted(MEMBERS, circuit, chain).to_bytes()) | {"sealing": sealing}
    data = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(FairshareError) as caught:
        ProjectSpec.from_bytes(data)
    assert caught.value.reason is Reason.BAD_SPEC


def test_a_public_spec_does_not_say_that_it_is_not_sealed(spec: ProjectSpec) -> None:
    document = json.loads(spec.to_bytes()) | {"sealing": None}
    with pytest.raises(FairshareError) as caught:
        ProjectSpec.from_bytes(json.dumps(document, sort_keys=True, separators=(",", ":")).encode())
    assert "canonically" in caught.value.message


def test_models_on_the_sketch_path_cannot_be_sealed() -> None:
    assert refused(MEMBERS.replace('path = "exact"', 'path = "sketch"')).startswith("project.visibility")


def test_it_is_sealed_to_no_more_members_than_a_model_has_envelopes_for() -> None:
    assert MAX_SEALED_TO + MAX_AGGREGATORS + 1 <= MAX_RECIPIENTS
    most = MEMBERS.replace("trainers = 10 ", f"trainers = {MAX_SEALED_TO} ")
    assert ProjectFile.from_toml(most).cohort.trainers == MAX_SEALED_TO
    more = MEMBERS.replace("trainers = 10 ", f"trainers = {MAX_SEALED_TO + 1} ")
    assert refused(more).startswith("cohort.trainers")
