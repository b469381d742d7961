"""`fairshare trainer explain ID`: why was I paid this."""

from typing import Annotated

import typer

from marketplace.node import console
from marketplace.node.options import ProjectId, Settings, with_settings

Round = Annotated[int | None, typer.Option("--round", min=1, help="One round; default: all that ended.")]
Trainer = Annotated[
    str | None, typer.Option("--trainer", metavar="0x..", help="Another trainer than your keystore's.")
]


@with_settings
def explain(settings: Settings, project: ProjectId, round: Round = None, trainer: Trainer = None) -> None:
    """Explain a payment: G, scores, mask, share and amount, each with the transaction that shows it."""
    from marketplace.audit.explain import explain as explain_pay
    from marketplace.audit.history import read_history
    from marketplace.chain import keystore
    from marketplace.chain.types import address
    from marketplace.errors import FairshareError, Reason
    from marketplace.node.session import connect

    try:
        who = keystore.address_in(settings.keystore) if trainer is None else address(trainer)
    except ValueError as error:
        raise FairshareError(
            Reason.BAD_INPUT, f"{trainer!r} is no address", "give 0x and 40 hex digits"
        ) from error
    client = connect(settings)
    with console.working(f"reading the history of project {project}"):
        history = read_history(client, project)
    explained = explain_pay(history, who, round)
    console.result(explained.to_dict(), str(explained))
