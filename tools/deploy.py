#!/usr/bin/env python3
"""Deploys the market to the chain behind an endpoint, and writes its deployment file (docs/deploying.md).

The key comes from a keystore, its password from a file, from FAIRSHARE_PASSWORD or from the terminal. What was sent is
on disk before it goes out: run again after a failure, with the same --state, it goes on where it was.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from market_on_chain import Plan, carry_out
from rehearsal import estimate, rehearse

from marketplace.chain import keystore, verification
from marketplace.chain.chain_client import ChainClient
from marketplace.chain.compile import project_root
from marketplace.chain.deployment import DEFAULT_UNBONDING_DELAY_S
from marketplace.chain.local import LOCAL_CHAIN_IDS
from marketplace.chain.sender import TransactionSender
from marketplace.chain.srs_rule import require_srs
from marketplace.errors import FairshareError, Reason
from marketplace.node.journal import Journal
from marketplace.node.options import Settings
from marketplace.node.session import password
from zk import keys
from zk.files import CircuitFiles
from zk.shape import CircuitShape


def run(options: argparse.Namespace) -> list[str]:
    """Deploys, or only says what it would cost; returns what to print."""
    client = ChainClient(options.rpc, expected_chain_id=options.chain_id).connect()
    payer = keystore.address_in(options.keystore)
    plan = Plan(options.unbonding_delay, _circuits(options, client.chain_id))
    if options.dry_run:
        return estimate(rehearse(plan), client, payer)
    account = keystore.load(options.keystore, _password(options))
    options.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (
        Journal(options.state / "deploy.sqlite") as journal,
        TransactionSender(client, account, journal) as sender,
    ):
        deployment = carry_out(sender, plan)
    path: Path = options.out / f"{deployment.chain_id}-{deployment.version}.json"
    deployment.save(path)
    verification.write(deployment.client(options.rpc).connect(), options.verification)
    return [str(path)]


def _circuits(options: argparse.Namespace, chain_id: int) -> list[CircuitFiles]:
    if options.circuit and options.srs is None and chain_id not in LOCAL_CHAIN_IDS:
        raise FairshareError(
            Reason.BAD_INPUT,
            "circuits on a public chain rest on the powers of tau ceremony",
            "give its file for the circuits' size with --srs",
        )
    circuits = [keys.build(shape, options.circuits, srs_file=options.srs) for shape in options.circuit]
    for files in circuits:
        require_srs(files.srs_kind, chain_id)
    return circuits


def _password(options: argparse.Namespace) -> str:
    return password(
        Settings(
            rpc=(options.rpc,),
            market=None,
            storage=None,
            peers=(),
            keystore=options.keystore,
            password_file=options.password_file,
            state_dir=options.state,
            cache_dir=options.circuits,
        )
    )


def _shape(text: str) -> CircuitShape:
    found = re.fullmatch(r"(\d{1,3})x(\d{1,7})", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} is not SLOTSxLENGTH, such as 11x650")
    return CircuitShape(int(found[1]), int(found[2]))


def main() -> int:
    """Where something is refused: one line on stderr, and the reason's exit status."""
    root = project_root()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rpc", required=True, help="URL of the chain's JSON-RPC endpoint")
    parser.add_argument("--keystore", required=True, type=Path, help="of the account that pays")
    parser.add_argument("--password-file", type=Path)
    parser.add_argument("--state", required=True, type=Path, help="folder of the journal of what was sent")
    parser.add_argument("--chain-id", type=int, help="refuse any other chain")
    parser.add_argument("--dry-run", action="store_true", help="send nothing: say what it would cost")
    parser.add_argument("--unbonding-delay", type=int, default=DEFAULT_UNBONDING_DELAY_S, help="seconds")
    parser.add_argument(
        "--circuit", type=_shape, action="append", default=[], metavar="KxD", help="register this one too"
    )
    parser.add_argument("--srs", type=Path, help="the powers of tau, for the circuits' number of rows")
    parser.add_argument(
        "--circuits", type=Path, default=root / "build" / "circuits", help="where they are kept"
    )
    parser.add_argument("--out", type=Path, default=root / "deployments")
    parser.add_argument("--verification", type=Path, default=root / "build" / "verification")
    try:
        options = parser.parse_args()
        print("\n".join(run(options)))
    except FairshareError as error:
        print(f"{error.reason.name}: {error.message} ({error.hint})", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
