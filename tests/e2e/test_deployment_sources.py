"""Hardhat compiles the same code as everything else, and an explorer that compiles for itself agrees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from web3.types import RPCEndpoint

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.compile import compile_contracts, project_root
from marketplace.chain.deployment import Deployment, deploy
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import Address, address
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.errors import FairshareError, Reason
from marketplace.node.journal import Journal
from tests.support.explorer import Explorer, explorer_of

pytestmark = pytest.mark.timeout(600)


def test_hardhat_makes_the_same_code() -> None:
    root = project_root()
    hardhat = root / "node_modules" / ".bin" / "hardhat"
    subprocess.run([str(hardhat), "compile", "--quiet"], cwd=root, check=True)
    ours = compile_contracts()
    own = [artifact for artifact in ours.values() if artifact.source.startswith("contracts/")]
    assert {"TrainingMarket", "Membership", "StakeVault"} <= {artifact.name for artifact in own}
    for artifact in own:
        path = root / "build" / "hardhat" / "artifacts" / artifact.source / f"{artifact.name}.json"
        made = json.loads(path.read_text("utf8"))
        assert made["bytecode"] == f"0x{artifact.bytecode}", artifact.name
        assert made["deployedBytecode"] == f"0x{artifact.deployed_bytecode}", artifact.name
        links = {f"{path}:{name}" for path, names in made["linkReferences"].items() for name in names}
        assert links == artifact.links.keys(), artifact.name


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Anvil, Path]]:
    """A chain with a market on it, and its file."""
    folder = tmp_path_factory.mktemp("deployed")
    with (
        Anvil() as chain,
        Journal(folder / "journal.sqlite") as journal,
        TransactionSender(
            ChainClient(chain.url), public_account(0), journal, lock_directory=folder, poll_s=0.02
        ) as sender,
    ):
        deploy(sender, unbonding_delay_s=3600).save(folder / "deployment.json")
        yield chain, folder / "deployment.json"


def verify(chain: Anvil, file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(project_root() / "tools" / "verify.py"), str(file), "--rpc", chain.url]
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return subprocess.run([*command, *options], capture_output=True, text=True, env=environment)


def at_explorer(explorer: Explorer) -> tuple[str, ...]:
    return "--explorer", "etherscan", "--explorer-url", explorer.url


def names_by_place(deployment: Deployment) -> dict[Address, str]:
    return {
        address(deployment.market): "TrainingMarket",
        address(deployment.gram_verifier): "GramVerifier",
        address(deployment.judge): "RoundJudge",
        address(deployment.vault): "StakeVault",
        address(deployment.reputation): "ReputationRegistry",
    } | {address(place): name for name, place in deployment.libraries.items()}


@pytest.mark.deep
def test_an_explorer_verifies_every_contract(deployed: tuple[Anvil, Path]) -> None:
    chain, file = deployed
    deployment = Deployment.load(file)
    with explorer_of(chain.url) as explorer:
        done = verify(chain, file, *at_explorer(explorer))
        assert done.returncode == 0, done.stdout + done.stderr
        assert explorer.verified == names_by_place(deployment)
        assert len(explorer.requests) == len(deployment.code_hashes)  # each at the first attempt


@pytest.mark.deep
def test_an_explorer_verifies_what_is_linked_and_what_another_contract_made(
    deployed: tuple[Anvil, Path],
) -> None:
    chain, file = deployed
    three = ("TrainingMarket", "StakeVault", "Settling")
    only = [word for name in three for word in ("--only", name)]
    with explorer_of(chain.url) as explorer:
        done = verify(chain, file, *at_explorer(explorer), *only)
        assert done.returncode == 0, done.stdout + done.stderr
        names = names_by_place(Deployment.load(file))
        assert explorer.verified == {place: name for place, name in names.items() if name in three}
        assert len(explorer.requests) == len(three)
        assert verify(chain, file, *at_explorer(explorer), *only).returncode == 0
        assert len(explorer.requests) == len(three)  # what is verified is not sent again
        refuses_what_differs(explorer)


def refuses_what_differs(explorer: Explorer) -> None:
    """The same submissions with one thing changed."""
    by_name = {fields["contractname"].split(":")[1]: fields for fields in explorer.requests}
    vault, market = by_name["StakeVault"], by_name["TrainingMarket"]
    assert explorer.judge(vault) == "Pass - Verified"
    source = json.loads(vault["sourceCode"])
    text = source["sources"]["contracts/StakeVault.sol"]["content"]
    at = text.index("{", text.index("contract StakeVault")) + 1
    source["sources"]["contracts/StakeVault.sol"]["content"] = (
        text[:at] + "function more() external pure returns (uint256) { return 1; }" + text[at:]
    )
    arguments = bytearray.fromhex(vault["constructorArguements"])
    arguments[-1] ^= 1
    linked_elsewhere = json.loads(market["sourceCode"])
    for places in linked_elsewhere["settings"]["libraries"].values():
        for name in places:
            places[name] = "0x" + "11" * 20
    unoptimised = json.loads(vault["sourceCode"])
    unoptimised["settings"]["optimizer"] = {"enabled": False}
    for changed in (
        vault | {"sourceCode": json.dumps(source)},
        vault | {"sourceCode": json.dumps(unoptimised)},
        vault | {"constructorArguements": arguments.hex()},
        vault | {"compilerversion": "v0.8.29+commit.ab55807c"},
        vault | {"contractaddress": market["contractaddress"]},
        market | {"sourceCode": json.dumps(linked_elsewhere)},
    ):
        assert explorer.judge(changed) == "Fail - Unable to verify"


def test_an_auditor_compares_without_an_explorer(deployed: tuple[Anvil, Path], tmp_path: Path) -> None:
    chain, file = deployed
    good = verify(chain, file)
    assert good.returncode == 0, good.stderr
    deployment = Deployment.load(file)
    assert len(good.stdout.splitlines()) == len(deployment.code_hashes) + 1
    assert "unbonding delay: 3600 s" in good.stdout
    assert all(found in good.stdout for found in deployment.code_hashes.values())
    for change, words in (
        ({"judge": deployment.vault}, "RoundJudge is at"),
        ({"code_hashes": deployment.code_hashes | {"Settling": "0x" + "00" * 32}}, "Settling runs code"),
        ({"circuits": ["0x" + "12" * 32]}, "no circuit is registered"),
        ({"chain_id": 5}, "the endpoint serves chain 31337"),
    ):
        other = tmp_path / "other.json"
        deployment.model_copy(update=change).save(other)
        refused = verify(chain, other)
        assert refused.returncode not in (0, 1)
        assert words in refused.stderr
    key = verify(chain, file, "--explorer", "etherscan")
    assert (key.returncode, "FAIRSHARE_EXPLORER_KEY" in key.stderr) == (
        FairshareError(Reason.BAD_INPUT, "").exit_status,
        True,
    )
    unknown = verify(chain, file, "--explorer", "etherscan", "--only", "Market")
    assert "there is no contract Market" in unknown.stderr


def test_other_code_on_the_chain_is_not_sent(deployed: tuple[Anvil, Path]) -> None:
    chain, file = deployed
    deployment = Deployment.load(file)
    client = ChainClient(chain.url).connect()
    place = deployment.libraries["Settling"]
    code = client.code(address(place))
    ask = client.web3.provider.make_request
    with explorer_of(chain.url) as explorer:
        ask(RPCEndpoint("anvil_setCode"), [place, "0x" + (code[:-1] + bytes([code[-1] ^ 1])).hex()])
        try:
            refused = verify(chain, file, *at_explorer(explorer))
        finally:
            ask(RPCEndpoint("anvil_setCode"), [place, "0x" + code.hex()])
    assert refused.returncode == FairshareError(Reason.INTEGRITY, "").exit_status
    assert "the code of Settling" in refused.stderr
    assert explorer.requests == []
