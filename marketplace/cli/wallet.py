"""`fairshare wallet`: new, show."""

import typer

from marketplace.node import console
from marketplace.node.options import Settings, with_settings

app = typer.Typer(help="Your key, in an encrypted Ethereum keystore.", no_args_is_help=True)


@app.command()
@with_settings
def new(settings: Settings) -> None:
    """Make a key and keep it in a new keystore file (--keystore)."""
    from marketplace.chain import keystore
    from marketplace.node.session import password

    account = keystore.create(settings.keystore, password(settings, confirm=True))
    document = {"address": str(account.address), "keystore": str(settings.keystore)}
    console.result(
        document,
        f"{account.address}\nkept in {settings.keystore}: back it up, nobody can replace it or its password",
    )


@app.command()
@with_settings
def show(settings: Settings) -> None:
    """Show the address and, where a chain answers, its coins, what the market owes it, and its encryption keys."""
    from marketplace.chain import token as tokens
    from marketplace.chain.chain_client import ChainClient
    from marketplace.chain.types import NATIVE_COIN
    from marketplace.node.project_keys import kept_keys
    from marketplace.node.session import connect, connect_chain, own_address

    holder = own_address(settings)
    kept = settings.signer_url or str(settings.keystore)
    document: dict[str, object] = {"address": str(holder), "keystore": kept}
    if settings.market is None:
        client: ChainClient = connect_chain(settings)
    else:
        market = connect(settings)
        client = market
        unbonding = market.vault.unbonding(NATIVE_COIN, holder)
        owed = {
            str(project): amount
            for project in range(1, market.project_count() + 1)
            if (amount := market.claimable(project, holder))
        }
        document |= {
            "claimable": {project: str(amount) for project, amount in owed.items()},
            "stake_free": str(market.vault.free(NATIVE_COIN, holder)),
            "stake_locked": str(market.vault.locked(NATIVE_COIN, holder)),
            "stake_unbonding": str(unbonding.amount),
            "encryption_keys": [
                {
                    "role": role,
                    "project": key.project,
                    "public": "0x" + key.public.hex(),
                    "file": str(key.path),
                }
                for role, key in kept_keys(settings, market)
            ],
        }
    document |= {
        "chain_id": client.chain_id,
        "balance": str(tokens.balance(client.web3, NATIVE_COIN, holder)),
    }
    console.result(document, console.lines(document))
