"""The deployment scripts as a user runs them: reproducible, cut off at any moment, and told what they will cost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from web3 import Web3

from marketplace.chain import keystore
from marketplace.chain.chain_client import ChainClient
from marketplace.chain.compile import project_root
from marketplace.chain.deployment import Deployment, verify_code
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.errors import FairshareError, Reason

PASSWORD = "a password"
PAYER = 3  # of the public accounts
SHAPE = "3x20"


def script(name: str, *options: object) -> list[str]:
    return [sys.executable, str(project_root() / "tools" / name), *map(str, options)]


def run(name: str, *options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(script(name, *options), capture_output=True, text=True)


@pytest.fixture(scope="module")
def anew(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The development deployment's file, made here."""
    folder = tmp_path_factory.mktemp("anew")
    done = run("development_deployment.py", "--out", folder)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def test_the_checked_in_deployment_is_what_this_checkout_deploys(anew: Path) -> None:
    written = project_root() / "deployments" / anew.name
    assert written.exists(), "run `make deployment` and check the file in"
    assert anew.read_text("utf8") == written.read_text("utf8"), (
        "contracts, settings or circuit changed: run `make deployment` and check the file in"
    )
    deployment = Deployment.load(written)
    assert len(deployment.circuits) == 1
    assert set(deployment.code_hashes) > set(deployment.libraries)


def test_the_check_names_what_changed(anew: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deployments"
    folder.mkdir()
    path = shutil.copy(anew, folder)
    check = ("development_deployment.py", "--check", "--out", folder)
    same = run(*check)
    assert (same.returncode, same.stderr) == (0, "")
    document = json.loads(Path(path).read_text("utf8"))
    document["code_hashes"]["Settling"] = "0x" + "00" * 32
    document["circuits"] = []
    Path(path).write_text(json.dumps(document), "utf8")
    changed = run(*check)
    assert changed.returncode == 1
    assert "code_hashes.Settling: 0x0000" in changed.stderr
    assert "circuits: [] in the file" in changed.stderr
    assert changed.stderr.splitlines()[-1].endswith("renew it, `make deployment`")


@pytest.fixture
def chain() -> Iterator[Anvil]:
    with Anvil() as running:
        yield running


@pytest.fixture
def options(tmp_path: Path) -> list[object]:
    keystore.save(tmp_path / "key.json", public_account(PAYER), PASSWORD, scrypt_work=2)
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    given = {
        "keystore": tmp_path / "key.json",
        "password-file": tmp_path / "password",
        "state": tmp_path / "state",
        "out": tmp_path / "out",
        "verification": tmp_path / "verification",
        "circuits": project_root() / "build" / "test-circuits",
        "circuit": SHAPE,
    }
    return [word for name, value in given.items() for word in (f"--{name}", value)]


def sent(chain: Anvil) -> int:
    client = ChainClient(chain.url)
    return int(client.web3.eth.get_transaction_count(Web3.to_checksum_address(public_account(PAYER).address)))


def test_a_killed_deployment_goes_on_where_it_was(options: list[object], tmp_path: Path) -> None:
    with Anvil(block_time_s=0.3) as chain:
        command = script("deploy.py", "--rpc", chain.url, *options)
        for stop_at in (1, 4, 9):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while sent(chain) < stop_at:
                assert process.poll() is None
                time.sleep(0.1)
            process.kill()
            process.wait()
            assert not (tmp_path / "out").exists()  # a file appears whole, at the end
        done = run("deploy.py", "--rpc", chain.url, *options)
        assert done.returncode == 0, done.stderr
        deployment = Deployment.load(Path(done.stdout.strip()))
        assert verify_code(deployment.client(chain.url).connect()) == deployment.code_hashes
        # libraries, GramVerifier, judge, market, the circuit's verifier and its registration: none twice
        assert sent(chain) == len(deployment.libraries) + 5


def test_a_dry_run_says_the_costs_and_sends_nothing(
    chain: Anvil, options: list[object], tmp_path: Path
) -> None:
    (tmp_path / "password").unlink()  # no key is opened
    told = run("deploy.py", "--rpc", chain.url, *options, "--dry-run")
    assert told.returncode == 0, told.stderr
    assert sent(chain) == 0
    assert ChainClient(chain.url).latest_block().number == 0
    assert not (tmp_path / "state").exists()
    gas = {line[:28].strip(): int(line[28:41].replace(",", "")) for line in told.stdout.splitlines()[:-3]}
    assert {"TrainingMarket", "Settling", "a circuit's verifier", "register a circuit"} < gas.keys()
    assert gas["total"] == sum(cost for name, cost in gas.items() if name != "total")
    assert f"{public_account(PAYER).address} holds 10000.000000" in told.stdout

    (tmp_path / "password").write_text(PASSWORD)
    done = run("deploy.py", "--rpc", chain.url, *options)
    assert done.returncode == 0, done.stderr
    eth = ChainClient(chain.url).web3.eth
    used = sum(
        int(receipt["gasUsed"])
        for number in range(1, eth.block_number + 1)
        for receipt in eth.get_block_receipts(number)
    )
    assert gas["total"] == pytest.approx(used, rel=0.001)  # addresses hold other numbers of zero bytes


def test_one_journal_serves_two_markets(chain: Anvil, options: list[object]) -> None:
    first = run("deploy.py", "--rpc", chain.url, *options)
    second = run("deploy.py", "--rpc", chain.url, *options, "--unbonding-delay", 3600)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    deployment = Deployment.load(Path(second.stdout.strip()))
    client = deployment.client(chain.url).connect()
    assert client.circuit(bytes.fromhex(deployment.circuits[0][2:])).slots == 3


def test_no_password_in_sight(chain: Anvil, options: list[object]) -> None:
    where = options.index("--password-file")
    without = options[:where] + options[where + 2 :]
    command = script("deploy.py", "--rpc", chain.url, *without)
    bare = {name: value for name, value in os.environ.items() if name != "FAIRSHARE_PASSWORD"}
    nobody = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=bare)
    assert nobody.returncode == FairshareError(Reason.BAD_INPUT, "").exit_status
    assert "FAIRSHARE_PASSWORD" in nobody.stderr
    told = bare | {"FAIRSHARE_PASSWORD": PASSWORD}
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=told)
    assert done.returncode == 0, done.stderr


def test_what_a_public_chain_would_regret_is_refused(options: list[object]) -> None:
    with Anvil(chain_id=4242) as public:
        refused = run("deploy.py", "--rpc", public.url, *options)
        assert refused.returncode == FairshareError(Reason.BAD_INPUT, "").exit_status
        assert "powers of tau" in refused.stderr
        assert sent(public) == 0
    old = Anvil()
    old._arguments += ["--hardfork", "shanghai"]
    with old:
        refused = run("deploy.py", "--rpc", old.url, *options)
        assert refused.returncode == FairshareError(Reason.REFUSED, "").exit_status, refused.stderr
        assert "Cancun" in refused.stderr
        assert sent(old) == 0
