"""A devnet comes up, says where it is, and takes exactly its own processes with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from marketplace.chain import token as tokens
from marketplace.chain.deployment import Deployment, verify_code
from marketplace.chain.keystore import load
from marketplace.chain.types import NATIVE_COIN, address
from marketplace.devnet import background
from marketplace.devnet.local import keystore_of, running_devnet
from marketplace.devnet.processes import ProcessMark
from marketplace.devnet.record import NAME, DevnetRecord
from marketplace.errors import FairshareError, Reason

FAIRSHARE = [sys.executable, "-m", "marketplace.cli.main"]


def test_up_status_down(tmp_path: Path) -> None:
    directory = tmp_path / "net"
    up = [*FAIRSHARE, "devnet", "up", "--dir", str(directory), "--port", "0", "--trainers", "2", "--json"]
    record = json.loads(subprocess.run(up, capture_output=True, check=True, timeout=120).stdout)
    loaded = DevnetRecord.load(directory)
    try:
        assert record["rpc"].startswith("http://127.0.0.1:")
        assert "/ip4/127.0.0.1/" in record["storage_rpc"]
        assert set(record["accounts"]) == {"owner", "aggregator-0", "aggregator-1", "trainer-0", "trainer-1"}

        deployment = Deployment.load(directory / "deployment.json")
        client = deployment.client(record["rpc"]).connect()
        verify_code(client)
        password = (directory / record["password_file"]).read_text().strip()
        holder = load(keystore_of(directory, "owner"), password)
        assert holder.address == record["accounts"]["owner"]
        assert tokens.balance(client.web3, NATIVE_COIN, address(holder.address)) > 10**20
        before = client.latest_block().number
        time.sleep(2.5)
        assert client.latest_block().number > before, "time stands still"

        again = subprocess.run(up, capture_output=True, check=False, timeout=120)
        assert json.loads(again.stdout)["error"]["code"] == "refused"
        status = subprocess.run(
            [*FAIRSHARE, "devnet", "status", "--dir", str(directory), "--json"],
            capture_output=True,
            check=True,
            timeout=60,
        )
        assert json.loads(status.stdout)["running"] is True
    finally:
        background.stop(directory)
    assert not any(process.runs() for process in loaded.processes())
    assert not (directory / NAME).exists()
    for path in directory.rglob("*"):
        assert path.stat().st_mode & 0o007 == 0 or not path.is_file() or "keys" not in path.parts, path


def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    record = background.start(tmp_path / "net", ["--port", "0", "--trainers", "1"])
    os.kill(record.supervisor.pid, signal.SIGKILL)
    give_up_at = time.monotonic() + 30
    while any(process.runs() for process in record.processes()) and time.monotonic() < give_up_at:
        time.sleep(0.1)
    assert not any(process.runs() for process in record.processes())
    assert background.stop(tmp_path / "net") == ()
    with pytest.raises(FairshareError) as caught:
        background.stop(tmp_path / "net")
    assert caught.value.reason is Reason.NOT_FOUND


def test_a_devnet_can_come_up_again_where_one_was(tmp_path: Path) -> None:
    with running_devnet(tmp_path, trainers=1, aggregators=1) as first:
        pass
    with running_devnet(tmp_path, trainers=1, aggregators=1) as second:
        assert second.accounts == first.accounts
        assert second.market == first.market  # the same deployer on a new chain


def test_a_process_is_known_by_its_start_too() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    mark = ProcessMark.of(child.pid)
    try:
        assert mark.runs()
        assert not ProcessMark(child.pid, "another start").runs()
        ProcessMark(child.pid, "another start").end(1.0)
        assert child.poll() is None, "a process that only shares the number was ended"
        mark.end(5.0)
        assert not mark.runs()
    finally:
        child.kill()
        child.wait()
    with pytest.raises(ValueError, match="no process"):
        ProcessMark.of(child.pid)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"rpc": 1}', "\udcff"])
def test_a_damaged_record_is_bad_input(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).write_bytes(content.encode("utf8", "surrogateescape"))
    with pytest.raises(FairshareError) as caught:
        DevnetRecord.load(tmp_path)
    assert caught.value.reason is Reason.BAD_INPUT
