"""Who watches a daemon: the pages of --metrics, the live view on a terminal, systemd's watchdog."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from marketplace.errors import FairshareError, Reason
from marketplace.node import console, logging
from marketplace.node.places import LOOPBACK, read_place
from marketplace.node.session import Session
from marketplace.node.telemetry import view
from marketplace.node.telemetry.health import Patience, alive
from marketplace.node.telemetry.hooks import NO_TELEMETRY, Telemetry
from marketplace.node.telemetry.probe import Probe
from marketplace.node.telemetry.record import Record
from marketplace.node.telemetry.watchdog import Watchdog, watchdog


@dataclass(frozen=True)
class Observing:
    """What is asked for. `place`: HOST and PORT of the pages; `shown`: on this terminal."""

    role: str
    place: tuple[str, int] | None
    shown: bool
    watchdog: Watchdog | None
    log_file: Path | None
    telemetry: Telemetry

    @contextmanager
    def of(self, session: Session) -> Iterator[None]:
        """Configures logging; shows and serves what the session's daemon tells, until the end of the block.

        Raises BAD_INPUT where nothing can listen at the place, TOOL_MISSING.
        """
        record = self.telemetry
        if not isinstance(record, Record):
            self._configure_logging(session)
            yield
            return
        probe = Probe(
            session.client,
            session.store,
            session.journal,
            session.address,
            self.role,
            lambda: tuple(record.snapshot().projects),
            logging.logger(part="probe"),
        )
        with ExitStack() as stack:
            if self.place is not None:
                stack.enter_context(_pages(self.place, self.role, session, record, probe))
            if self.shown:
                title = f"{self.role} {session.address}"
                stack.enter_context(view.live(title, lambda: (record.snapshot(), probe.found)))
            self._configure_logging(session)  # after the view, which takes over stderr: lines scroll above it
            if self.watchdog is not None:
                stack.enter_context(self.watchdog.fed(lambda: alive(record.snapshot(), Patience()).ok))
            stack.enter_context(probe.looking())
            yield

    def _configure_logging(self, session: Session) -> None:
        logging.configure(
            file=self.log_file, role=self.role, account=session.address, verbose=console.is_verbose()
        )


def observing(role: str, metrics: str | None, log_file: Path | None, *, watched: bool = True) -> Observing:
    """From --metrics, [HOST:]PORT. Where nobody watches nothing is kept and nothing asked. Raises BAD_INPUT.

    Configures logging, without the account: before there is a session the node may wait for its chain, and says so.
    """
    place = read_place(metrics, default_host=LOOPBACK) if metrics is not None and watched else None
    shown, dog = watched and view.is_shown(), watchdog() if watched else None
    logging.configure(file=log_file, role=role, verbose=console.is_verbose())
    telemetry = Record() if place is not None or shown or dog is not None else NO_TELEMETRY
    return Observing(role, place, shown, dog, log_file, telemetry)


@contextmanager
def _pages(
    place: tuple[str, int], role: str, session: Session, record: Record, probe: Probe
) -> Iterator[None]:
    from marketplace.node.listening import serving  # a web server's libraries: not for who has no pages

    try:
        from marketplace.node.telemetry.exporter import Identity
        from marketplace.node.telemetry.pages import create_app
    except ImportError as error:
        raise FairshareError(
            Reason.TOOL_MISSING,
            "--metrics needs the package prometheus-client",
            "install fairshare[metrics], or leave --metrics out",
        ) from error
    identity = Identity(role, session.address, session.client.chain_id)
    with serving(create_app(identity, record, probe), *place, name="metrics"):
        yield
