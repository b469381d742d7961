#!/usr/bin/env python3
"""Compares a deployment with this checkout, and has an explorer verify its source (docs/deploying.md).

Without --explorer: for an auditor. Recompiles the contracts, reads the code on the chain, and prints what was compared.
With it: Hardhat sends each contract's source to the explorer; an API key comes from FAIRSHARE_EXPLORER_KEY only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from marketplace.chain.client import MarketClient
from marketplace.chain.compile import project_root
from marketplace.chain.deployment import Deployment, code_on_chain
from marketplace.chain.verification import SourceProof, source_proofs
from marketplace.errors import FairshareError, Reason

EXPLORERS = ("etherscan", "blockscout", "sourcify")


def compare(deployment: Deployment, client: MarketClient) -> list[str]:
    """What the chain runs, one line a contract. Raises INTEGRITY where chain, file and checkout do not agree,
    NOT_FOUND for a circuit that is not registered.
    """
    lines = []
    found = code_on_chain(client)
    for name, code in sorted(found.items()):
        written = deployment.code_hashes.get(name)
        if written != code.code_hash:
            raise _differs(f"{name} runs code {code.code_hash}, the file says {written}")
        lines.append(f"{name} at {code.place}: this checkout's code, {code.code_hash}")
    places = {name: code.place for name, code in found.items()}
    named = {
        "TrainingMarket": deployment.market,
        "GramVerifier": deployment.gram_verifier,
        "RoundJudge": deployment.judge,
        "StakeVault": deployment.vault,
        "ReputationRegistry": deployment.reputation,
    } | deployment.libraries
    for name in sorted(named.keys() | places.keys()):
        if named.get(name) != places.get(name):
            raise _differs(f"{name} is at {places.get(name)}, the file says {named.get(name)}")
    lines.append(f"unbonding delay: {client.vault.unbonding_delay()} s")
    for digest in deployment.circuits:
        circuit = client.circuit(bytes.fromhex(digest[2:]))
        lines.append(f"circuit {digest}: registered, {circuit.slots} x {circuit.length}")
    return lines


def send(proofs: list[SourceProof], options: argparse.Namespace, chain_id: int) -> int:
    """Hardhat's exit status, after it has sent all of them to the explorer; its words go to the terminal."""
    root = project_root()
    settings = {
        "FAIRSHARE_RPC": options.rpc,
        "FAIRSHARE_CHAIN_ID": str(chain_id),
        "FAIRSHARE_EXPLORER": options.explorer,
        "FAIRSHARE_EXPLORER_URL": options.explorer_url or "",
        "HARDHAT_DISABLE_TELEMETRY_PROMPT": "true",
    }
    with TemporaryDirectory(prefix="fairshare-") as scratch:
        path = Path(scratch) / "proofs.json"
        path.write_text(json.dumps([proof.model_dump() for proof in proofs]), "utf8")
        command = [
            str(root / "node_modules" / ".bin" / "hardhat"),
            *("--network", "deployed", "verify-deployment", "--proofs", str(path)),
        ]
        return subprocess.run(command, cwd=root, env=os.environ | settings, check=False).returncode


def run(options: argparse.Namespace) -> int:
    """Compares; then sends, where an explorer is named."""
    deployment = Deployment.load(options.deployment)
    client = deployment.client(options.rpc).connect()
    print("\n".join(compare(deployment, client)), flush=True)
    if options.explorer is None:
        return 0
    proofs = source_proofs(client)
    unknown = [name for name in options.only if name not in proofs]
    if unknown:
        raise FairshareError(
            Reason.BAD_INPUT,
            f"there is no contract {unknown[0]}",
            f"name some of {', '.join(sorted(proofs))}",
        )
    if options.explorer == "etherscan" and not options.explorer_url and not _key():
        raise FairshareError(
            Reason.BAD_INPUT, "Etherscan wants an API key", "put yours into FAIRSHARE_EXPLORER_KEY"
        )
    return send([proofs[name] for name in options.only or sorted(proofs)], options, client.chain_id)


def _key() -> str:
    return os.environ.get("FAIRSHARE_EXPLORER_KEY", "")


def _differs(message: str) -> FairshareError:
    return FairshareError(
        Reason.INTEGRITY, message, "do not use this market, or check out the version that it was made with"
    )


def main() -> int:
    """Where something is refused: one line on stderr, and the reason's exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("deployment", type=Path, help="its file, such as deployments/1-0.1.0.json")
    parser.add_argument("--rpc", required=True, help="URL of the chain's JSON-RPC endpoint")
    parser.add_argument("--explorer", choices=EXPLORERS)
    parser.add_argument(
        "--explorer-url", help="of its API; without it Etherscan's, Blockscout's or Sourcify's own"
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="CONTRACT", help="again for more of them"
    )
    options = parser.parse_args()
    try:
        return run(options)
    except FairshareError as error:
        print(f"{error.reason.name}: {error.message} ({error.hint})", file=sys.stderr)
        return error.exit_status


if __name__ == "__main__":
    raise SystemExit(main())
