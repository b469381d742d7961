"""The [privacy] section: in the file, in the posted spec, and refused where it promises nothing."""

from __future__ import annotations

import json

import pytest

from marketplace.errors import FairshareError, Reason
from marketplace.spec import ChainSection, CircuitSection, ProjectFile, ProjectSpec, template
from marketplace.spec.sections import PrivacySection

SECTION = "\n[privacy]\nepsilon = 8\ndelta = 1e-5\n"
CID = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"


def posted(text: str, circuit: CircuitSection, chain: ChainSection) -> ProjectSpec:
    return ProjectFile.from_toml(text).post(
        circuit=circuit,
        chain=chain,
        initial_model=CID,
        evaluation_sha256="cd" * 32,
        validation="0x" + "ef" * 32,
    )


def test_a_project_asks_for_none_unless_it_says_so(circuit: CircuitSection, chain: ChainSection) -> None:
    spec = posted(template("softmax"), circuit, chain)
    assert spec.privacy is None
    assert json.loads(spec.to_bytes())["privacy"] is None
    assert ProjectSpec.from_bytes(spec.to_bytes()) == spec


@pytest.mark.parametrize("more", ["", "max_grad_norm = 0.5\nnoise_multiplier = 1.1\n"])
def test_it_is_posted_with_its_defaults_written_out(
    more: str, circuit: CircuitSection, chain: ChainSection
) -> None:
    text = template("softmax") + SECTION + more
    file = ProjectFile.from_toml(text)
    assert ProjectFile.from_toml(file.to_toml()) == file
    spec = posted(text, circuit, chain)
    assert ProjectSpec.from_bytes(spec.to_bytes()) == spec
    norm, noise = (0.5, 1.1) if more else (1.0, None)
    assert spec.privacy == PrivacySection(epsilon=8.0, delta=1e-5, max_grad_norm=norm, noise_multiplier=noise)
    assert json.loads(spec.to_bytes())["privacy"] == {
        "epsilon": 8.0,
        "delta": 1e-5,
        "max_grad_norm": norm,
        "noise_multiplier": noise,
    }


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("epsilon = 0", "privacy.epsilon"),
        ("epsilon = inf", "privacy.epsilon"),
        ("epsilon = 1001", "privacy.epsilon"),
        ("delta = 1.0", "privacy.delta"),
        ("delta = 0.0", "privacy.delta"),
        ("max_grad_norm = 0.0", "privacy.max_grad_norm"),
        ("noise_multiplier = 0.0", "privacy.noise_multiplier"),
        ('accountant = "prv"', "privacy.accountant"),
    ],
)
def test_a_field_that_promises_nothing_is_named(line: str, field: str) -> None:
    name = line.split(" =")[0]
    kept = "\n".join(other for other in SECTION.split("\n") if not other.startswith(name))
    with pytest.raises(FairshareError) as caught:
        ProjectFile.from_toml(f"{template('softmax')}{kept}{line}\n")
    assert caught.value.reason is Reason.BAD_SPEC
    assert caught.value.message.startswith(field)
