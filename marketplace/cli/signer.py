"""`fairshare signer`: run."""

from typing import Annotated

import typer

from marketplace.node import console
from marketplace.node.options import DEFAULT_PEER_RATE, PeerRate, Settings, amount_of, with_settings

app = typer.Typer(help="A key in a process of its own.", no_args_is_help=True)

ROLE = "signer"
Listen = Annotated[
    str | None,
    typer.Option(
        "--listen",
        metavar="PLACE",
        help="unix:PATH or 127.0.0.1:PORT; default: a socket in the state directory.",
    ),
]
Tokens = Annotated[
    list[str] | None,
    typer.Option("--token", metavar="0x..", help="A token that the market may be let take (repeatable)."),
]
Limit = Annotated[
    str | None,
    typer.Option(
        "--project-limit", metavar="AMOUNT", help='What a project may take, gas and coins, such as "0.5 eth".'
    ),
]
OtherLimit = Annotated[
    str | None,
    typer.Option("--other-limit", metavar="AMOUNT", help="What all that is for no project may take."),
]
Create = Annotated[
    bool,
    typer.Option("--allow-creation", help="Sign contract creations: owners post verifiers of new circuits."),
]


@app.callback()
def signer() -> None:
    """A key in a process of its own."""  # without a second command, typer needs this to keep `run` a command


@app.command()
@with_settings
def run(
    settings: Settings,
    listen: Listen = None,
    token: Tokens = None,
    project_limit: Limit = None,
    other_limit: OtherLimit = None,
    allow_creation: Create = False,
    peer_rate: PeerRate = DEFAULT_PEER_RATE,
) -> None:
    """Sign for one market with the keystore's key until stopped; nodes use it by --signer-url."""
    from eth_account.signers.local import LocalAccount

    from marketplace.chain.remote_signer import UNIX
    from marketplace.chain.signing_rules import Rules
    from marketplace.chain.types import address
    from marketplace.errors import FairshareError, Reason
    from marketplace.node import logging
    from marketplace.node.journal import Journal
    from marketplace.node.request_rate import Rate
    from marketplace.node.session import connect, role_home, unlock
    from marketplace.node.signer_server import serve
    from marketplace.node.signer_service import SignerService

    if settings.signer_url is not None:
        raise FairshareError(
            Reason.BAD_INPUT, "a signer does not sign by another", "leave --signer-url out, or unset it"
        )
    rate = Rate.of(peer_rate)
    client = connect(settings)
    account = unlock(settings)
    if not isinstance(account, LocalAccount):
        raise FairshareError(Reason.INTERNAL, "a keystore's key is expected here")
    try:
        tokens = frozenset(address(place) for place in token or ())
    except ValueError as error:
        raise FairshareError(Reason.BAD_INPUT, f"--token: {error}", "give 0x and 40 hex digits") from error
    own = address(account.address)
    rules = Rules(
        chain_id=client.chain_id,
        account=own,
        contracts=frozenset([client.address, client.vault.address, client.gram_verifier_address]),
        tokens=tokens,
        may_create=allow_creation,
        project_limit=amount_of("project_limit", project_limit),
        other_limit=amount_of("other_limit", other_limit),
    )
    home = role_home(settings, client, ROLE, own)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Not in `home`: a socket's path has 107 bytes at most.
    place = listen or f"{UNIX}{settings.state_dir.absolute() / f'signer-{own.lower()[2:12]}.sock'}"
    url = place if place.startswith(UNIX) else f"http://{place}"
    logging.configure(role=ROLE, account=own)
    with Journal(home / "journal.sqlite") as journal:
        serve(
            SignerService(account, rules, journal, logging.logger()),
            place,
            lambda: console.result({"url": url, "address": own}, f"signing for {own} at {url}"),
            rate,
        )
