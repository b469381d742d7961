"""`fairshare signer run` as a process, and a command that signs by it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from marketplace.chain import keystore
from marketplace.chain.remote_signer import RemoteSigner
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import NATIVE_COIN, address
from marketplace.devnet.anvil import public_account
from marketplace.errors import FairshareError, Reason
from marketplace.node.journal import Journal
from tests.support.deployed import deployed_market

OWN = address(public_account(1).address)


def fairshare(*arguments: str, **environment: str) -> Any:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FAIRSHARE_", "XDG_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "marketplace.cli.main", *arguments],
        env=clean | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.deep
def test_a_key_in_a_process_of_its_own(tmp_path: Path) -> None:
    keystore.save(tmp_path / "key.json", public_account(1), "secret", scrypt_work=2)
    with deployed_market(tmp_path, accounts=2) as (url, deployed):
        here = {
            "HOME": str(tmp_path),
            "FAIRSHARE_RPC": url,
            "FAIRSHARE_MARKET": deployed.market,
            "FAIRSHARE_STATE_DIR": str(tmp_path / "state"),
        }
        own = {"FAIRSHARE_KEYSTORE": str(tmp_path / "key.json"), "FAIRSHARE_PASSWORD": "secret"}
        running = fairshare("signer", "run", "--json", "--other-limit", "1 eth", **here, **own)
        try:
            document = ""
            while not document.endswith("}\n"):
                document += running.stdout.readline() or pytest.fail(running.stderr.read())
            said = json.loads(document)
            assert said["address"] == OWN
            shown = fairshare(
                *("wallet", "show", "--json", "--signer-url", said["url"], "--address", OWN), **here
            )
            assert json.loads(shown.communicate(timeout=60)[0])["address"] == OWN
            client = deployed.client(url).connect()
            with (
                Journal(tmp_path / "journal.sqlite") as journal,
                TransactionSender(
                    client, RemoteSigner(said["url"], OWN), journal, lock_directory=tmp_path, poll_s=0.02
                ) as sender,
            ):
                sender.send("deposit", client.vault.deposit(NATIVE_COIN, 7), 7)
                with pytest.raises(FairshareError, match="may take") as caught:
                    sender.send("too much", client.vault.deposit(NATIVE_COIN, 10**18), 10**18)
            assert caught.value.reason is Reason.BAD_INPUT
            assert client.vault.free(NATIVE_COIN, OWN) == 7
        finally:
            running.send_signal(signal.SIGTERM)
            running.communicate(timeout=30)
        assert running.returncode == 0
        assert not Path(said["url"].removeprefix("unix:")).exists()
