"""The key: who can read it, whether its password opens it, and whether it can pay."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from marketplace.chain import token as tokens
from marketplace.chain.chain_client import ChainClient
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.types import NATIVE_COIN
from marketplace.cli.checks.finding import Finding, State
from marketplace.node import session
from marketplace.node.costs import next_cost
from marketplace.node.options import Settings
from marketplace.node.project_keys import kept_keys

_WEI = 10**18


def key(settings: Settings) -> Finding:
    """That the keystore is one, and that its password opens it, where that is known without asking."""
    holder = session.own_address(settings)
    if settings.signer_url is not None:
        session.unlock(settings)
        return Finding("key", State.OK, f"{holder}, which the signer has")
    if settings.password_file is None and "FAIRSHARE_PASSWORD" not in os.environ:
        return Finding("key", State.OK, f"{holder} in {settings.keystore}; its password will be asked for")
    session.unlock(settings)
    return Finding("key", State.OK, f"{holder}, which its password opens")


def secrecy(settings: Settings) -> Finding:
    """Who else on this machine can read the keystore and its password."""
    if settings.signer_url is not None:
        return Finding("secrecy", State.OK, "the signer keeps the key")
    password = settings.password_file
    if password is not None and is_open_to_others(password):
        return Finding(
            "secrecy",
            State.PROBLEM,
            f"others on this machine can read or change {password}, which holds the password",
            f"chmod 600 {password}",
        )
    if is_open_to_others(settings.keystore):
        return Finding(
            "secrecy",
            State.WARNING,
            f"others on this machine can read or change {settings.keystore}: its password alone protects the key",
            f"chmod 600 {settings.keystore}",
        )
    return Finding("secrecy", State.OK, "nobody else on this machine can read keystore or password")


def encryption_keys(settings: Settings) -> Finding:
    """Which the account's nodes have, of which projects; that each can be read, and by its user only."""
    kept = [key for _, key in kept_keys(settings, session.connect(settings))]
    projects = sorted({key.project for key in kept if key.project is not None})
    others = sum(key.project is None for key in kept)
    said = f"of projects {', '.join(map(str, projects))}" if projects else "of no project"
    if others:
        said += f", and {others} of projects posted, or joined with the key that they once shared"
    return Finding("encryption keys", State.OK, said)


def funds(settings: Settings, client: ChainClient) -> Finding:
    """That the account can pay for the gas of what a node sends next."""
    holder = session.own_address(settings)
    held = tokens.balance(client.web3, NATIVE_COIN, holder)
    with translated_errors("read the gas price"):
        price = int(client.web3.eth.gas_price)
    needed = {role: next_cost(role, price) for role in ("trainer", "aggregator")}
    said = f"{held / _WEI:.6g} coins; gas of a trainer's next transactions may take {needed['trainer'] / _WEI:.6g}"
    said += f", of an aggregator's {needed['aggregator'] / _WEI:.6g}"
    if held < needed["trainer"]:
        return Finding(
            "funds", State.WARNING, said, f"send some to {holder}, for gas and, in the native coin, stake"
        )
    return Finding("funds", State.OK, said)


def is_open_to_others(path: Path, top: Path = Path("/")) -> bool:
    """Whether users who are neither its owner nor in its group can get at the file: by its mode, and the modes of its
    folders below `top`.
    """
    above = [folder for folder in path.absolute().parents if folder != top and folder.is_relative_to(top)]
    try:
        mode = path.stat().st_mode
        reachable = all(folder.stat().st_mode & stat.S_IXOTH for folder in above)
    except OSError:
        return False  # other checks say so
    return reachable and bool(mode & (stat.S_IROTH | stat.S_IWOTH))
