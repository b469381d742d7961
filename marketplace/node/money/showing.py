"""The profit view as a command's result."""

from __future__ import annotations

from contextlib import ExitStack

from marketplace.node import console
from marketplace.node.options import Settings


def show_profit(settings: Settings, role: str) -> None:
    """Prints what an account's projects in a role have brought and cost; gas from its journal, where there is one.

    Raises what `connect`, `own_address` and `read_profit` raise.
    """
    from marketplace.node.journal import Journal
    from marketplace.node.money.profit import document, read_profit, table
    from marketplace.node.session import JOURNAL, connect, own_address, role_home

    client, account = connect(settings), own_address(settings)
    path = role_home(settings, client, role, account) / JOURNAL
    with ExitStack() as stack:
        journal = stack.enter_context(Journal(path, read_only=True)) if path.is_file() else None
        found = document(read_profit(client, account, journal, trainer=role == "trainer"))
    console.result(found, table(found))
