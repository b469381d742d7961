"""The accounts of a devnet: fresh keys with coins, behind one throw-away password."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from web3.types import RPCEndpoint

from marketplace.chain import keystore
from marketplace.chain.chain_client import ChainClient
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.types import Address, address

COINS_WEI = 1000 * 10**18
_SCRYPT_WORK = 2**10  # the keys are worth nothing: unlocking one should cost nothing
PASSWORD_FILE = "password"


def names(trainers: int, aggregators: int) -> tuple[str, ...]:
    """Names of the accounts: owner, aggregator-0.., trainer-0.."""
    return (
        "owner",
        *(f"aggregator-{i}" for i in range(aggregators)),
        *(f"trainer-{i}" for i in range(trainers)),
    )


def create(client: ChainClient, folder: Path, wanted: Sequence[str]) -> dict[str, Address]:
    """A funded account for each name; keystores and the password file are in `folder`, those there are kept."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    secret = folder / PASSWORD_FILE
    if not secret.exists():
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_urlsafe(16) + "\n", "utf8")
    password = secret.read_text("utf8").strip()
    made: dict[str, Address] = {}
    for name in wanted:
        path = folder / f"{name}.json"
        if path.exists():
            made[name] = keystore.address_in(path)
        else:
            made[name] = address(keystore.create(path, password, scrypt_work=_SCRYPT_WORK).address)
        fund(client, made[name])
    return made


def fund(client: ChainClient, holder: Address) -> None:
    """Gives an account coins, as only a local chain can."""
    with translated_errors("fund an account"):
        client.web3.manager.request_blocking(RPCEndpoint("anvil_setBalance"), [holder, hex(COINS_WEI)])
