"""The storekeeper of a session, on the terms that its settings give."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from marketplace.errors import FairshareError, Reason
from marketplace.node.logging import logger
from marketplace.node.options import Settings
from marketplace.node.remote_pins import RemotePins
from marketplace.node.secret_file import secret_in
from marketplace.node.session import Session
from marketplace.node.storekeeper import DAY_S, Retention, Storekeeper
from marketplace.storage.pinning_service import PinningService

TOKEN = "FAIRSHARE_PINNING_TOKEN"


@contextmanager
def storekeeping(session: Session, settings: Settings, *, of_owner: bool = False) -> Iterator[None]:
    """Looks after the session's storage until the end of the block. `of_owner`: see `retention.ends`.

    Raises BAD_INPUT for a pinning service's address or token that cannot be used.
    """
    ledger = session.store.ledger
    if ledger is None:
        raise FairshareError(Reason.INTERNAL, "this session's storage has no ledger")
    log = logger(part="storage")
    with ExitStack() as stack:
        remote = None
        if settings.pinning_service is not None:
            service = PinningService(settings.pinning_service, _token(settings))
            stack.callback(service.close)
            remote = RemotePins(service, session.store, ledger, log)
        retention = Retention(settings.keep_days * DAY_S, of_owner)
        keeper = Storekeeper(session.store, ledger, session.client, retention, log, remote=remote)
        with keeper.at_work():
            yield
        if not session.stop.is_set():
            keeper.tidy()


def _token(settings: Settings) -> str:
    """From its file, or from the environment."""
    if settings.pinning_token_file is not None:
        return secret_in(settings.pinning_token_file, "pinning service's token")
    return os.environ.get(TOKEN, "")
