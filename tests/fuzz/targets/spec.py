"""What owners write and post, and the files that users keep."""

from __future__ import annotations

from marketplace.cli import settings_file
from marketplace.spec import ChainSection, CircuitSection, ProjectFile, ProjectSpec, template
from marketplace.spec.allowed_list import ANYONE, root
from marketplace.storage.cid import cid_of
from tests.fuzz.forge import as_file
from tests.fuzz.target import Target

_CID = cid_of(b"a file")


def _spec() -> ProjectSpec:
    file = ProjectFile.from_toml(template("softmax"))
    circuit = CircuitSection(
        digest="0x" + "ab" * 32,
        slots=file.inputs,
        length=file.shape.length,
        srs_kind="test",
        vk=_CID,
        srs=_CID,
    )
    return file.post(
        circuit=circuit,
        chain=ChainSection(chain_id=31337, market="0x" + "12" * 20),
        initial_model=_CID,
        evaluation_sha256="cd" * 32,
        validation="0x" + "ef" * 32,
    )


def _allowed(data: bytes) -> bytes:
    """The list of who may aggregate, in a spec that is sound otherwise, on to the root that goes on chain."""
    listed = b'"allowed":[' + data + b"]"
    spec = ProjectSpec.from_bytes(_SPEC.replace(b'"allowed":[]', listed))
    return root(spec.aggregators.allowed) if spec.aggregators.allowed else ANYONE


_SPEC = _spec().to_bytes()

TARGETS = (
    Target("spec", ProjectSpec.from_bytes, lambda: [_SPEC], largest=8192, share=0.5, json_at=0),
    Target(
        "project-file", ProjectFile.from_toml, lambda: [template("softmax").encode()], largest=8192, share=0.3
    ),
    Target("allowed-list", _allowed, lambda: [b'"0x' + b"12" * 20 + b'","0x' + b"34" * 20 + b'"'], share=0.5),
    Target(
        "settings-file",
        lambda data: settings_file.defaults(as_file(data, "fairshare.toml"), "trainer"),
        lambda: [b'rpc = ["http://127.0.0.1:8545"]\nchain_id = 31337\n[trainer]\nkeystore = "keys/a.json"\n'],
    ),
)
