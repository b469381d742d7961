"""A local chain: the anvil binary that npm brings, as a process of its own on loopback."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from eth_account import Account
from eth_account.signers.local import LocalAccount

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.compile import project_root
from marketplace.chain.local import DEVNET_CHAIN_ID
from marketplace.devnet.processes import dies_with_parent
from marketplace.errors import FairshareError, Reason

MNEMONIC = "test test test test test test test test test test test junk"  # everybody knows these keys
_PAST_STATES = (
    1000  # on disk, beside some hundred in memory: anvil keeps 3600, for ever and in the user's home
)
_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 10.0
_SYSTEMS = {"linux": "linux", "darwin": "darwin", "win32": "win32"}
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def find_anvil() -> Path:
    """The anvil binary of this platform's npm package; TOOL_MISSING when it is not installed."""
    system = _SYSTEMS.get(sys.platform, sys.platform)
    machine = _MACHINES.get(platform.machine().lower(), platform.machine().lower())
    package = project_root() / "node_modules" / "@foundry-rs" / f"anvil-{system}-{machine}"
    binary = package / "bin" / ("anvil.exe" if system == "win32" else "anvil")
    if not binary.is_file():
        raise FairshareError(
            Reason.TOOL_MISSING,
            f"no anvil for {system} on {machine}: {binary} is missing",
            "run `make setup`",
        )
    return binary


def public_account(index: int) -> LocalAccount:
    """One of the accounts that hold coins on a local chain; their keys are public."""
    Account.enable_unaudited_hdwallet_features()
    account: LocalAccount = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
    return account


class Anvil:
    """An anvil process, as a context manager.

    `block_time_s` None mines a block with each transaction, so that time stands still between them; `at_once`: with
    each transaction as well. `state`: a file from which the chain goes on, and which is written when it stops and every
    few seconds. `past`: a folder for the states of older blocks, up to a gigabyte, which is emptied at the start and
    gone at the end; by default a temporary one. `start` raises TOOL_MISSING, CHAIN_UNREACHABLE (it ended or did not
    answer; see `log`).
    """

    def __init__(
        self,
        *,
        port: int = 0,
        block_time_s: float | None = None,
        at_once: bool = False,
        accounts: int = 10,
        state: Path | None = None,
        past: Path | None = None,
        log: Path | None = None,
        chain_id: int = DEVNET_CHAIN_ID,
    ) -> None:
        self.port = port or free_port()
        self.chain_id = chain_id
        self._arguments = ["--host", "127.0.0.1", "--port", str(self.port), "--chain-id", str(chain_id)]
        self._arguments += ["--accounts", str(accounts), "--mnemonic", MNEMONIC, "--silent"]
        self._arguments += ["--max-persisted-states", str(_PAST_STATES)]
        if block_time_s is not None:
            self._arguments += ["--block-time", str(block_time_s)]
            self._arguments += ["--mixed-mining"] if at_once else []
        if state is not None:
            self._arguments += ["--state", str(state), "--state-interval", "5"]
        self._past_given, self._past = past, past
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """HTTP endpoint."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Process id; ValueError when it is not running."""
        if self._process is None:
            raise ValueError("anvil is not running")
        return self._process.pid

    def start(self) -> Self:
        """Starts the process and waits until it answers."""
        binary = find_anvil()
        self._clear()
        self._past = self._past_given or Path(tempfile.mkdtemp(prefix="fairshare-chain-"))
        output = self._log.open("ab") if self._log else None
        try:
            self._process = subprocess.Popen(
                [str(binary), *self._arguments, "--cache-path", str(self._past)],
                stdin=subprocess.DEVNULL,
                stdout=output or subprocess.DEVNULL,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for whoever started it: the chain ends last
                preexec_fn=dies_with_parent(),
                env={**os.environ, "RUST_LOG": "warn"},
            )
        finally:
            if output is not None:
                output.close()
        give_up_at = time.monotonic() + _START_TIMEOUT_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > give_up_at:
                self.stop()
                raise FairshareError(
                    Reason.CHAIN_UNREACHABLE,
                    f"anvil did not start on port {self.port}",
                    "see its log; is the port free?",
                )
            time.sleep(0.02)
        ChainClient(self.url, expected_chain_id=self.chain_id).connect()
        return self

    def stop(self) -> None:
        """Ends the process, gently at first, and waits for its end."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        self._clear()

    def _clear(self) -> None:
        if self._past is not None:
            shutil.rmtree(self._past, ignore_errors=True)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def free_port() -> int:
    """A TCP port of loopback that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
