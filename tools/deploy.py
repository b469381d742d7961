#!/usr/bin/env python3
"""Deploys the market to the chain behind an endpoint, and writes its deployment file (deployments/README.md).

What was sent is on disk before it goes out: run again after a failure, with the same --state, it goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from marketplace.chain import keystore, verification
from marketplace.chain.chain_client import ChainClient
from marketplace.chain.compile import project_root
from marketplace.chain.deployment import DEFAULT_UNBONDING_DELAY_S, Deployment, deploy
from marketplace.chain.sender import TransactionSender
from marketplace.errors import FairshareError
from marketplace.node.journal import Journal


def run(options: argparse.Namespace) -> Path:
    """Deploys; returns the path of the deployment's file."""
    password = options.password_file.read_text("utf8").rstrip("\n")
    account = keystore.load(options.keystore, password)
    client = ChainClient(options.rpc, expected_chain_id=options.chain_id).connect()
    with (
        Journal(options.state / "deploy.sqlite") as journal,
        TransactionSender(client, account, journal) as sender,
    ):
        deployment: Deployment = deploy(sender, unbonding_delay_s=options.unbonding_delay)
    path: Path = options.out / f"{deployment.chain_id}-{deployment.version}.json"
    deployment.save(path)
    verification.write(deployment.client(options.rpc).connect(), options.verification)
    return path


def main() -> int:
    """Where something is refused: one line on stderr, and the reason's exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rpc", required=True, help="URL of the chain's JSON-RPC endpoint")
    parser.add_argument("--keystore", required=True, type=Path, help="of the account that pays")
    parser.add_argument("--password-file", required=True, type=Path)
    parser.add_argument("--state", required=True, type=Path, help="folder of the journal of what was sent")
    parser.add_argument("--chain-id", type=int, help="refuse any other chain")
    parser.add_argument("--unbonding-delay", type=int, default=DEFAULT_UNBONDING_DELAY_S, help="seconds")
    parser.add_argument("--out", type=Path, default=project_root() / "deployments")
    parser.add_argument("--verification", type=Path, default=project_root() / "build" / "verification")
    options = parser.parse_args()
    options.state.mkdir(parents=True, exist_ok=True)
    try:
        print(run(options))
    except FairshareError as error:
        print(f"{error.reason.name}: {error.message} ({error.hint})", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
