from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hexbytes import HexBytes
from web3.types import RPCEndpoint

from marketplace.chain import keystore
from marketplace.chain.artifacts import Artifact
from marketplace.chain.client import MarketClient
from marketplace.chain.compile import compile_contracts, compile_standard, project_root
from marketplace.chain.deployment import Deployment, code_on_chain, deploy, verify_code
from marketplace.chain.linking import linked, matches
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import address
from marketplace.chain.verification import SourceProof, source_proofs, write
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.errors import FairshareError, Reason


def test_the_code_on_chain_is_this_checkouts(client: MarketClient, deployment: Deployment) -> None:
    assert verify_code(client) == deployment.code_hashes
    libraries = {link.split(":")[1] for link in compile_contracts()["TrainingMarket"].links}
    assert libraries
    assert libraries <= deployment.libraries.keys()
    assert deployment.libraries.keys() < deployment.code_hashes.keys()


def test_a_second_run_deploys_nothing(anvil: Anvil, senders: Callable[..., TransactionSender]) -> None:
    sender = senders(anvil, 13)
    account = sender.client.web3.to_checksum_address(sender.address)
    count = sender.client.web3.eth.get_transaction_count
    before = count(account)
    first = deploy(sender)
    assert count(account) == before + len(first.libraries) + 3
    assert deploy(sender) == first
    assert count(account) == before + len(first.libraries) + 3
    assert deploy(sender, unbonding_delay_s=60).market != first.market
    assert deploy(sender, label="other").libraries.keys() == first.libraries.keys()


@pytest.mark.parametrize("name", ["StakeVault", "TrainingMarket", "Membership"])
def test_other_code_is_named(
    fresh_anvil: Anvil, senders: Callable[..., TransactionSender], name: str
) -> None:
    client = deploy(senders(fresh_anvil)).client(fresh_anvil.url).connect()
    place = code_on_chain(client)[name].place
    code = bytearray(client.code(place))
    code[-1] ^= 1  # the end of the metadata: the contract works as before
    client.web3.provider.make_request(RPCEndpoint("anvil_setCode"), [place, "0x" + code.hex()])
    with pytest.raises(FairshareError, match=f"code of {name}") as caught:
        verify_code(client)
    assert caught.value.reason is Reason.INTEGRITY


def test_deployments_on_disk(deployment: Deployment, tmp_path: Path) -> None:
    path = tmp_path / "chain" / "deployment.json"
    named = deployment.with_circuit(b"c" * 32).with_circuit(b"c" * 32)
    assert named.circuits == ["0x" + "63" * 32]
    named.save(path)
    assert Deployment.load(path) == named
    good = json.loads(path.read_text())
    for change, words in (
        ({"format": 1}, "format"),
        ({"valut": "0x"}, "valut"),
        ({"libraries": {"Membership": "0x12"}}, "libraries.Membership"),
        ({"circuits": ["0x12"]}, "circuits.0"),
        ({"block": -1}, "block"),
    ):
        path.write_text(json.dumps(good | change))
        with pytest.raises(FairshareError, match=words) as caught:
            Deployment.load(path)
        assert caught.value.reason is Reason.BAD_INPUT
    path.write_text("{")
    with pytest.raises(FairshareError) as caught:
        Deployment.load(path)
    assert caught.value.reason is Reason.BAD_INPUT
    with pytest.raises(FairshareError) as caught:
        Deployment.load(tmp_path / "none")
    assert caught.value.reason is Reason.NOT_FOUND


def test_the_schema_is_that_of_the_class() -> None:
    schema = json.loads((project_root() / "deployments" / "schema.json").read_text("utf8"))
    assert schema == Deployment.model_json_schema()


def test_checked_in_deployments_can_be_read() -> None:
    files = set((project_root() / "deployments").glob("*.json"))
    for path in files - {project_root() / "deployments" / "schema.json"}:
        assert path.name == f"{(found := Deployment.load(path)).chain_id}-{found.version}.json"


@pytest.fixture(scope="module")
def proofs(deployment: Deployment, anvil: Anvil) -> dict[str, SourceProof]:
    return source_proofs(deployment.client(anvil.url).connect())


def compiled(proof: SourceProof) -> Artifact:
    (found,) = compile_standard(proof.standard_json_input).values()
    assert found.key == proof.contract
    return found


# The one that is linked with all the others, one that the market made, and one that neither is.
_SOME, _OTHERS = (
    ("TrainingMarket", "StakeVault", "GramVerifier"),
    ("RoundJudge", "ReputationRegistry", "Membership"),
)


@pytest.mark.parametrize("name", [*_SOME, *(pytest.param(name, marks=pytest.mark.deep) for name in _OTHERS)])
def test_a_source_proof_gives_the_code_on_chain(
    client: MarketClient, proofs: dict[str, SourceProof], name: str
) -> None:
    proof = proofs[name]
    artifact = compiled(proof)
    assert artifact.compiler == proof.compiler == "0.8.30+commit.73712a01"
    assert matches(artifact, client.code(address(proof.address)), address(proof.address))
    code = linked(artifact, {key: address(place) for key, place in proof.libraries.items()})
    created = creation_code(client, address(proof.address))
    if created is not None:  # by a transaction, not by the market's constructor
        assert created == code + bytes.fromhex(proof.constructor_arguments)


def creation_code(client: MarketClient, place: str) -> bytes | None:
    for number in range(client.latest_block().number + 1):
        for transaction in client.web3.eth.get_block(number)["transactions"]:
            if client.web3.eth.get_transaction_receipt(HexBytes(transaction))["contractAddress"] == place:  # type: ignore[arg-type]
                return bytes(client.web3.eth.get_transaction(HexBytes(transaction))["input"])  # type: ignore[arg-type]
    return None


@pytest.mark.deep
def test_explorers_that_link_by_settings_get_the_same_code(proofs: dict[str, SourceProof]) -> None:
    proof = proofs["TrainingMarket"]
    assert proof.libraries
    (by_settings,) = compile_standard(proof.explorer_input()).values()
    by_hand = linked(compiled(proof), {key: address(place) for key, place in proof.libraries.items()})
    assert not by_settings.links
    assert without_metadata_hashes(bytes.fromhex(by_settings.bytecode)) == without_metadata_hashes(by_hand)


def without_metadata_hashes(code: bytes) -> bytes:
    """The market's own, and those of the contracts that it creates, are in its creation code."""
    marked = re.compile(rb"(?<=\xa2dipfsX\x22\x12\x20).{32}", re.DOTALL)
    plain, found = marked.subn(bytes(32), code)
    assert found == 3
    return plain


def test_the_script_deploys_and_goes_on_where_it_was(anvil: Anvil, tmp_path: Path) -> None:
    account = public_account(12)
    keystore.save(tmp_path / "key.json", account, "a password", scrypt_work=2)
    (tmp_path / "password").write_text("a password\n")
    options = {
        "rpc": anvil.url,
        "keystore": tmp_path / "key.json",
        "password-file": tmp_path / "password",
        "state": tmp_path / "state",
        "out": tmp_path / "out",
        "verification": tmp_path / "verification",
        "unbonding-delay": 3600,
    }

    def run(**others: object) -> subprocess.CompletedProcess[str]:
        given = [str(word) for name, value in (options | others).items() for word in (f"--{name}", value)]
        script = project_root() / "tools" / "deploy.py"
        return subprocess.run([sys.executable, str(script), *given], capture_output=True, text=True)

    first = run()
    assert first.returncode == 0, first.stderr
    written = Path(first.stdout.strip())
    deployment = Deployment.load(written)
    assert written == tmp_path / "out" / f"{deployment.chain_id}-{deployment.version}.json"
    assert verify_code(deployment.client(anvil.url).connect()) == deployment.code_hashes
    assert {path.stem for path in (tmp_path / "verification").iterdir()} == deployment.code_hashes.keys()
    text = written.read_bytes()
    written.unlink()
    assert run().returncode == 0
    assert written.read_bytes() == text  # the same contracts
    refused = run(**{"chain-id": 1})
    assert (refused.returncode, refused.stdout) == (FairshareError(Reason.WRONG_CHAIN, "").exit_status, "")
    assert refused.stderr.startswith("WRONG_CHAIN: the endpoint serves chain 31337")


def test_source_proofs_on_disk(client: MarketClient, tmp_path: Path) -> None:
    paths = write(client, tmp_path / "verification")
    assert {path.stem for path in paths} == verify_code(client).keys()
    for path in paths:
        proof = SourceProof.model_validate(json.loads(path.read_text("utf8")))
        assert proof.contract.endswith(f":{path.stem}")
        assert proof.contract.split(":")[0] in proof.standard_json_input["sources"]
