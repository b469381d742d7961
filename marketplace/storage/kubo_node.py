"""A storage node as a process: Kubo in-process, its RPC on 127.0.0.1.

    python -m marketplace.storage.kubo_node --repo DIR [--api-port N] [--swarm-port N] [--listen IP]

Prints `ready MULTIADDRESS` and writes it to DIR/api when it serves; ends at SIGTERM, SIGINT, RPC `shutdown`,
and with --until-stdin-closes when its parent is gone. Exit status 0, or that of the error's reason.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import signal
import sys
import threading
from pathlib import Path

from marketplace.errors import FairshareError, Reason
from marketplace.storage.blocks import Blocks
from marketplace.storage.kubo_library import KuboLibrary
from marketplace.storage.node import KuboNode
from marketplace.storage.repo import Repo, RepoLock
from marketplace.storage.rpc import Rpc
from marketplace.storage.rpc_server import RpcServer

_WATCH_S = 1.0
_POLL_S = 3600.0  # the server need not look whether it is to stop: it ends with the process


def run_node(
    repo_path: Path, *, api_port: int, swarm_port: int, listen: str, until_stdin_closes: bool
) -> None:
    """Serve until told to stop. Raises REFUSED, TOOL_MISSING, STORAGE_UNREACHABLE, BAD_INPUT."""
    repo = Repo(repo_path.absolute())
    repo.prepare()
    with RepoLock(repo.path):
        repo.clear()
        library = KuboLibrary(repo.path)
        if not repo.config.exists():
            from marketplace.storage.new_repo import write_new_repo  # its cryptography is needed but once

            write_new_repo(repo.path)
        repo.configure(listen=listen, swarm_port=swarm_port)
        node = KuboNode(library)
        node.start()
        stopped, failed = threading.Event(), threading.Event()
        # Go takes the signals when the library is loaded and again when the node starts: Python's come after.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        try:
            rpc = Rpc(node, Blocks(node, repo.inventory), repo, stopped.set)
            with _bind(api_port, rpc, repo, failed) as server:
                threading.Thread(target=server.serve_forever, args=(_POLL_S,), daemon=True).start()
                if until_stdin_closes:
                    threading.Thread(target=_wait_for_end_of_stdin, args=(stopped,), daemon=True).start()
                repo.announce_api(server.multiaddress)
                print("ready", server.multiaddress, flush=True)
                while not stopped.wait(_WATCH_S) and not failed.is_set():
                    pass
        finally:
            repo.api.unlink(missing_ok=True)
            node.stop()
        if failed.is_set():
            raise FairshareError(Reason.STORAGE_UNREACHABLE, "the storage node failed", "start it again")


def _bind(port: int, rpc: Rpc, repo: Repo, failed: threading.Event) -> RpcServer:
    try:
        return RpcServer(port, rpc, repo.temporary, failed)
    except OSError as error:
        raise FairshareError(
            Reason.BAD_INPUT,
            f"API port {port} cannot be used: {error.strerror}",
            "name another, or 0 for any",
        ) from error


def _wait_for_end_of_stdin(stopped: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    stopped.set()


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 0xFFFF:
        raise ValueError(text)
    return port


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m marketplace.storage.kubo_node", description=__doc__)
    parser.add_argument("--repo", type=Path, required=True, help="folder of the node's data, made if missing")
    parser.add_argument("--api-port", type=_port, default=0, help="RPC port; 0: any")
    parser.add_argument(
        "--swarm-port", type=_port, default=0, help="peers' port; 0: that of the last start, or any"
    )
    parser.add_argument(
        "--listen",
        type=lambda text: str(ipaddress.ip_address(text)),
        default="127.0.0.1",
        help="IP for peers",
    )
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when the parent is gone")
    arguments = parser.parse_args()
    try:
        run_node(
            arguments.repo,
            api_port=arguments.api_port,
            swarm_port=arguments.swarm_port,
            listen=arguments.listen,
            until_stdin_closes=arguments.until_stdin_closes,
        )
    except FairshareError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
