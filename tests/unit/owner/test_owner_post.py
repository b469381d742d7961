"""Posting against a real chain and storage node: once under kills, refused before anything is made."""

from __future__ import annotations

import json
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from marketplace.chain import token as tokens
from marketplace.chain.client import MarketClient
from marketplace.chain.compile import compile_source
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import NATIVE_COIN, Address, ScoreRule, Status, address
from marketplace.cli.checks.machine import Proven
from marketplace.cli.checkup import proofs_of
from marketplace.devnet import accounts
from marketplace.devnet.anvil import public_account
from marketplace.devnet.local import keystore_of, running_devnet
from marketplace.devnet.record import DevnetRecord
from marketplace.errors import EXIT_STATUS, FairshareError, Reason
from marketplace.node.journal import Journal
from marketplace.node.options import Settings
from marketplace.owner import circuits
from marketplace.owner.draft import draft
from tests.support.circuits import circuit_cache
from tests.support.command_line import in_process, settings_of
from zk import keys
from zk.shape import CircuitShape

FAIRSHARE = [sys.executable, "-m", "marketplace.cli.main"]
REWARD, REVEAL = 10**18, 5 * 10**16
TOKEN = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;
contract Coin {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;
    uint8 public constant decimals = 6;
    constructor(address holder) { balanceOf[holder] = 1e18; }
    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }
    function transfer(address to, uint256 amount) external returns (bool) { return _move(msg.sender, to, amount); }
    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        allowance[from][msg.sender] -= amount;
        return _move(from, to, amount);
    }
    function _move(address from, address to, uint256 amount) private returns (bool) {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
        return true;
    }
}
contract PermitCoin is Coin {
    string public constant name = "Permit Coin";
    mapping(address => uint256) public nonces;
    constructor(address holder) Coin(holder) {}
    function DOMAIN_SEPARATOR() public view returns (bytes32) {
        bytes32 kind = keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        return keccak256(abi.encode(kind, keccak256(bytes(name)), keccak256("1"), block.chainid, address(this)));
    }
    function permit(address owner, address to, uint256 value, uint256 end, uint8 v, bytes32 r, bytes32 s) external {
        require(block.timestamp <= end);
        bytes32 kind = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 said = keccak256(abi.encode(kind, owner, to, value, nonces[owner]++, end));
        require(ecrecover(keccak256(abi.encodePacked("\\x19\\x01", DOMAIN_SEPARATOR(), said)), v, r, s) == owner);
        allowance[owner][to] = value;
    }
}"""


class Owner:
    """The owner's command line against one devnet."""

    def __init__(self, directory: Path, record: DevnetRecord) -> None:
        self.directory, self.record = directory, record
        self.client = MarketClient(record.rpc, record.market).connect()
        self.address = address(record.accounts["owner"])
        self.environment = {"FAIRSHARE_CACHE_DIR": str(circuit_cache())}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command in a process of its own."""
        return subprocess.Popen(
            [*FAIRSHARE, *arguments, "--json"],
            cwd=self.directory,  # its fairshare.toml says the rest
            env=settings_of(self.environment, self.directory),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, dict[str, object]]:
        """Status and document of a command."""
        said = in_process([*arguments, "--json"], self.environment, self.directory)
        assert said.stdout, said.stderr
        return said.status, json.loads(said.stdout)

    def project(self, name: str, **changes: str) -> str:
        """A small project's file; `changes` replace text by key."""
        folder = self.directory / name
        folder.mkdir()
        text = draft("softmax", 5, 2).replace("My project", name).replace("features = 64", "features = 4")
        text = text.replace("classes = 10", "classes = 3")
        for key, value in changes.items():
            (line,) = [line for line in text.splitlines() if line.startswith(f"{key} = ")]
            text = text.replace(line, f"{key} = {value}")
        (folder / "project.toml").write_text(text)
        for shift, stem in enumerate(("evaluation", "validation")):
            rows = np.eye(3, int(changes.get("features", 4)), dtype=np.float32) + shift
            np.savez(folder / f"{stem}.npz", X=rows, y=np.arange(3, dtype=np.int64))
        return f"{name}/project.toml"


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    directory = tmp_path_factory.mktemp("net")
    with running_devnet(directory, trainers=1, aggregators=1) as record:
        yield Owner(directory, record)


def test_a_project_is_posted_once_however_often_it_is_asked_for(owner: Owner) -> None:
    file = owner.project("plain")
    before, money = (
        owner.client.project_count(),
        tokens.balance(owner.client.web3, NATIVE_COIN, owner.address),
    )
    status, preview = owner.run("project", "post", file, "--dry-run")
    assert status == 0, preview
    assert preview["reward"] == str(REWARD)
    assert owner.client.project_count() == before

    _, first = owner.run("project", "post", file)
    _, second = owner.run("project", "post", file)
    assert (first["already"], second["already"]) == (False, True)
    assert first["project"] == second["project"] == before + 1
    assert owner.client.project(before + 1).status is Status.OPEN
    assert owner.client.project(before + 1).escrow == REWARD
    spent = money - tokens.balance(owner.client.web3, NATIVE_COIN, owner.address)
    assert REWARD + REVEAL <= spent < REWARD + REVEAL + 10**17
    terms = owner.client.terms(before + 1)
    assert (terms.score_rule, terms.reveal_bond) == (ScoreRule.REFERENCE, REVEAL)
    assert any(terms.validation)

    _, again = owner.run("project", "post", file, "--again")
    assert again["project"] == before + 2

    _, cancelled = owner.run("project", "cancel", str(before + 2))
    assert cancelled["credit"] == str(REWARD + REVEAL)
    _, refunded = owner.run("project", "refund", str(before + 2))
    assert refunded["claimed"] == str(REWARD + REVEAL)
    _, nothing = owner.run("project", "refund", str(before + 2))
    assert nothing["claimed"] == "0"


def test_the_owners_node_gets_its_money_back_where_nobody_joins(owner: Owner) -> None:
    file = owner.project("lonely", join_window="5")
    _, posted = owner.run("project", "post", file)
    before = tokens.balance(owner.client.web3, NATIVE_COIN, owner.address)
    status, said = owner.run("project", "serve", str(posted["project"]))
    assert status == 0, said
    assert said == {"project": posted["project"], "rounds": []}
    assert owner.client.project(int(str(posted["project"]))).status is Status.CANCELLED
    gained = tokens.balance(owner.client.web3, NATIVE_COIN, owner.address) - before
    assert REWARD + REVEAL - 10**17 < gained <= REWARD + REVEAL


def test_a_large_model_is_posted_by_the_root_of_its_chunks(owner: Owner) -> None:
    file = owner.project("large", features="300", path='"sketch"\nwidth = 256\nchunk_length = 512')
    status, preview = owner.run("project", "post", file, "--dry-run")
    assert status == 0, preview
    assert (preview["path"], preview["parameters"], preview["length"]) == ("sketch", 903, 256)
    assert (preview["chunks"], preview["chunk_length"]) == (2, 512)
    assert str(preview["large_model"]).startswith("1,024 numbers")

    status, posted = owner.run("project", "post", file)
    assert status == 0, posted
    project = int(str(posted["project"]))
    terms = owner.client.terms(project)
    assert (terms.chunks, terms.chunk_length, terms.initial_model.y) == (2, 512, 2)
    assert owner.client.project(project).model == terms.initial_model
    _, shown = owner.run("project", "show", str(project))
    assert (shown["path"], shown["chunks"], shown["chunk_length"]) == ("sketch", 2, 512)
    assert owner.run("project", "post", file)[1]["already"] is True

    # whoever looks at it takes the circuit, the spec and the model from storage, and holds them against the chain
    status, fetched = owner.run("project", "model", str(project), "-o", "large.npz")
    assert status == 0, fetched
    assert fetched["commitment"] == [str(part) for part in terms.initial_model]
    with np.load(owner.directory / "large.npz", allow_pickle=False) as found:
        assert found["weights"].shape == (903,)


@pytest.mark.deep
def test_kills_while_posting_neither_lose_nor_repeat_it(owner: Owner) -> None:
    file, before = owner.project("killed"), owner.client.project_count()
    chance = random.Random(5)
    for _ in range(8):
        process = owner.start("project", "post", file)
        time.sleep(chance.uniform(1.0, 5.0))
        process.kill()
        process.communicate()
    status, posted = owner.run("project", "post", file)
    assert status == 0, posted
    assert posted["project"] == before + 1
    assert owner.client.project_count() == before + 1


@pytest.mark.parametrize(("kind", "transactions"), [("Coin", 2), ("PermitCoin", 1)])
def test_a_reward_in_a_token_is_approved_and_taken(
    owner: Owner, tmp_path: Path, kind: str, transactions: int
) -> None:
    owner.run("project", "post", owner.project(f"first-{kind}"))  # the circuit is there
    nonce = owner.client.web3.eth.get_transaction_count(public_checksum(owner.address))
    coin = _deploy_coin(owner, tmp_path, kind)
    file = owner.project(
        f"token-{kind}",
        token=f'"{coin}"',
        amount='"5000"',
        aggregator_fee='"10"',
        trainer='"100"',
        aggregator='"100"',
        complaint_deposit='"5"',
        reveal='"7"',
    )
    status, posted = owner.run("project", "post", file)
    assert status == 0, posted
    assert tokens.balance(owner.client.web3, coin, owner.client.address) == 5007
    sent = owner.client.web3.eth.get_transaction_count(public_checksum(owner.address)) - nonce
    assert sent == transactions
    _, posted_again = owner.run("project", "post", file)
    assert posted_again["already"] is True

    poor = owner.project(f"poor-{kind}", token=f'"{coin}"', amount=f'"{10**19}"', aggregator_fee='"10"')
    (owner.directory / poor).write_text(
        (owner.directory / poor)
        .read_text()
        .replace("0.1 eth", "1")
        .replace("0.2 eth", "1")
        .replace("0.001 eth", "0")
        .replace("0.05 eth", "0")
    )
    status, refused = owner.run("project", "post", poor)
    assert status == EXIT_STATUS[Reason.NO_FUNDS], refused


@pytest.mark.parametrize(
    ("changes", "reason", "named"),
    [
        ({"amount": '"2000 eth"'}, Reason.NO_FUNDS, "coins"),
        ({"submit_window": "10000000"}, Reason.BAD_SPEC, "rounds.submit_window"),
        ({"features": "100000"}, Reason.TOO_LARGE, "100000"),
    ],
)
def test_what_cannot_be_posted_changes_nothing(
    owner: Owner, changes: dict[str, str], reason: Reason, named: str
) -> None:
    file = owner.project(f"refused-{next(iter(changes))}", **changes)
    nonce = owner.client.web3.eth.get_transaction_count(public_checksum(owner.address))
    status, said = owner.run("project", "post", file)
    assert status == EXIT_STATUS[reason]
    assert said["error"]["code"] == reason  # type: ignore[index]
    assert named in said["error"]["message"]  # type: ignore[index]
    assert owner.client.web3.eth.get_transaction_count(public_checksum(owner.address)) == nonce


def test_a_wrong_password_opens_nothing(owner: Owner, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("wrong")
    status, said = owner.run("project", "list", "--password-file", str(tmp_path / "wrong"))
    assert status == 0, "reading needs no key"
    status, said = owner.run("project", "refund", "1", "--password-file", str(tmp_path / "wrong"))
    assert status == EXIT_STATUS[Reason.WRONG_PASSWORD], said


@pytest.mark.parametrize("command", ["show", "watch", "serve", "cancel", "refund", "settle", "reveal"])
def test_an_unknown_project_is_not_found(owner: Owner, command: str) -> None:
    status, said = owner.run("project", command, "999")
    assert status == EXIT_STATUS[Reason.NOT_FOUND], said


def test_a_test_srs_is_refused_on_any_chain_that_is_not_local(tmp_path: Path) -> None:
    public, shape = 11155111, CircuitShape(3, 4)
    made = tmp_path / "made.srs"
    made.write_bytes(keys.build(shape, circuit_cache()).srs.read_bytes())
    for given, reason in (
        (None, Reason.REFUSED),
        (made, Reason.REFUSED),
        (tmp_path / "none", Reason.NOT_FOUND),
    ):
        with pytest.raises(FairshareError) as caught:
            circuits.srs_for(public, shape, tmp_path, given)
        assert caught.value.reason is reason
    assert circuits.srs_for(31337, shape, tmp_path, made) == made


def test_the_doctor_finds_a_working_devnet_healthy(owner: Owner) -> None:
    keystore = str(keystore_of(owner.directory, "trainer-0"))
    status, said = owner.run("doctor", "--keystore", keystore)
    states = {check["name"]: check["state"] for check in said["checks"]}  # type: ignore[attr-defined]
    assert status == 0, said
    assert {states[name] for name in ("chain", "market", "storage", "key", "funds")} == {"ok"}


def test_the_owners_node_is_watched_over_http(owner: Owner) -> None:
    _, posted = owner.run("project", "post", owner.project("watched"))
    number = int(str(posted["project"]))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = owner.start("project", "serve", str(number), "--metrics", str(port))
    try:
        found = _scraped(process, port, f'fairshare_project_status{{project="{number}",status="open"}} 1.0')
        assert f'fairshare_node{{address="{owner.address}",chain_id="{owner.client.chain_id}"' in found
        assert re.search(r"fairshare_fetched_bytes_total [1-9]", found), (
            "spec, keys and model came from storage"
        )
        for page in ("healthz", "readyz"):
            answer = httpx.get(f"http://127.0.0.1:{port}/{page}", trust_env=False)
            assert (answer.status_code, answer.json()["reasons"]) == (200, [])
    finally:
        process.terminate()
        said, problems = process.communicate(timeout=60)
    assert process.returncode == 0, problems
    assert json.loads(said) == {"project": number, "rounds": []}
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False)


def _scraped(process: subprocess.Popen[str], port: int, wanted: str) -> str:
    """The metrics, once they hold what is wanted and what the probe found."""
    give_up_at = time.monotonic() + 120
    while time.monotonic() < give_up_at and process.poll() is None:
        try:
            text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        except httpx.ConnectError:
            text = ""
        if wanted in text and "fairshare_ready 1.0" in text:
            return text
        time.sleep(0.2)
    raise AssertionError(f"the node did not show {wanted}: {process.poll()}")


def test_the_doctor_reads_the_shape_of_a_projects_proofs(owner: Owner, tmp_path: Path) -> None:
    _, posted = owner.run("project", "post", owner.project("measured"))
    number = int(str(posted["project"]))
    settings = Settings(
        rpc=owner.record.rpc,
        market=owner.record.market,
        storage=None,
        peers=(),
        keystore=tmp_path / "none",
        password_file=None,
        state_dir=tmp_path,
        cache_dir=tmp_path,
    )
    circuit = owner.client.circuit(owner.client.terms(number).circuit)
    assert proofs_of(settings, (number,)) == [
        Proven(f"project {number}", CircuitShape(circuit.slots, circuit.length))
    ]
    with pytest.raises(FairshareError) as refused:
        proofs_of(settings, (number + 1,))
    assert refused.value.reason is Reason.NOT_FOUND


def public_checksum(account: Address) -> str:
    return str(account)


def _deploy_coin(owner: Owner, folder: Path, kind: str) -> Address:
    artifact = compile_source(kind, TOKEN)
    factory = owner.client.web3.eth.contract(abi=list(artifact.abi), bytecode=artifact.bytecode)
    deployer = public_account(3)
    accounts.fund(owner.client, address(deployer.address))
    with (
        Journal(folder / "j.sqlite") as journal,
        TransactionSender(owner.client, deployer, journal, lock_directory=folder) as sender,
    ):
        receipt = sender.send("coin", factory.constructor(owner.address))
    assert receipt.contract_address is not None
    return receipt.contract_address
