"""The audit of a project, from the chain and IPFS alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from marketplace.audit import contracts, models, money, project_files, proofs, state, transactions
from marketplace.audit.history import History, Progress, read_history
from marketplace.audit.ledger import Ledger, read_ledger
from marketplace.audit.replay import Replay, replay
from marketplace.audit.report import AuditReport, Check, failed, run_check, unchecked
from marketplace.audit.rounds import Outcome, RoundReplay, Theme
from marketplace.chain.client import MarketClient
from marketplace.chain.types import Status
from marketplace.errors import FairshareError, Reason
from marketplace.spec.posted import ProjectSpec
from marketplace.storage.store import ContentStore
from zk.files import CircuitFiles

FETCH_S = 60.0

Checks = Iterator[Check]


def audit(
    client: MarketClient,
    store: ContentStore,
    project: int,
    cache_dir: Path,
    *,
    on_progress: Progress | None = None,
    block: int | None = None,
    from_block: int = 0,
    fetch_timeout_s: float = FETCH_S,
) -> AuditReport:
    """Checks everything about a project up to `block` (None: the newest), trusting no server.

    `cache_dir`: where circuit files are kept; `from_block`: no event of the market is older;
    `fetch_timeout_s`: for each blob. `on_progress` is called with one line as each step begins.

    What does not hold, or cannot be checked, is in the report. Raises NOT_FOUND only: there is no such
    project.
    """
    return AuditReport(
        tuple(
            checks(
                client,
                store,
                project,
                cache_dir,
                on_progress=on_progress,
                block=block,
                from_block=from_block,
                fetch_timeout_s=fetch_timeout_s,
            )
        )
    )


def checks(
    client: MarketClient,
    store: ContentStore,
    project: int,
    cache_dir: Path,
    *,
    on_progress: Progress | None = None,
    block: int | None = None,
    from_block: int = 0,
    fetch_timeout_s: float = FETCH_S,
) -> Checks:
    """The checks of `audit`, each as soon as it is made: whoever wants the first failure only can stop there."""
    say = on_progress or (lambda step: None)
    say("contracts")
    yield run_check("contracts", lambda: contracts.check_contracts(client))
    try:
        history = read_history(client, project, block=block, from_block=from_block, on_progress=say)
    except FairshareError as error:
        if error.reason is Reason.NOT_FOUND:
            raise
        yield run_check("history", _raising(error))
        return
    run = _Audit(client, store, cache_dir, say, from_block, fetch_timeout_s, history, replay(history))
    yield from run.checks()


@dataclass
class _Audit:
    """One run. What an earlier check fetched is there for later ones; where it failed, they cannot be made."""

    client: MarketClient
    store: ContentStore
    cache: Path
    say: Progress
    from_block: int
    timeout_s: float
    history: History
    replayed: Replay
    spec: ProjectSpec | None = None
    files: CircuitFiles | None = None
    ledger: Ledger | None = None

    def checks(self) -> Checks:
        yield from self._events()
        yield from self._project_files()
        for round_ in self.replayed.rounds:
            yield from self._round(round_)
        yield from self._money()
        yield self._final_model()

    def _check(self, name: str, make: Callable[[], str]) -> Check:
        self.say(name)
        return run_check(name, make)

    def _events(self) -> Checks:
        client, history = self.client, self.history
        yield self._check("events", lambda: transactions.check_receipts(client, history))
        yield self._check("calldata", lambda: transactions.check_calldata(client, history))
        yield self._check("timeline", self._holds(Theme.TIMELINE, None, self._story()))

    def _project_files(self) -> Checks:
        yield self._check("spec", self._load_spec)
        yield self._check("circuit files", self._load_files)
        yield self._check(
            "circuit",
            lambda: contracts.check_circuit(self.client, self.history, self._need_files(), self.say),
        )
        yield self._check(
            "srs", lambda: project_files.check_srs(self._need_spec().circuit.srs_kind, self.history.chain_id)
        )
        yield self._check(
            "initial model",
            lambda: project_files.check_initial_model(
                self.store, self.history, self._need_spec(), self._need_files(), self.timeout_s
            ),
        )

    def _round(self, round_: RoundReplay) -> Checks:
        name, number, slots = f"round {round_.number}", round_.number, self.history.terms.slots
        yield self._check(
            f"{name}: submissions",
            self._holds(Theme.SUBMISSIONS, number, f"{len(round_.submissions)} of {slots} slots submitted"),
        )
        if round_.outcome is not Outcome.PROVED:
            unpaid = f"nothing was paid: the round is {round_.outcome}"
            yield self._check(f"{name}: payments", self._holds(Theme.PAYMENTS, number, unpaid))
            return
        yield self._check(f"{name}: proof", lambda: proofs.check_proof(round_, self._need_files()))
        settled = round_.settlement
        merged = len(settled.judgement.merged) if settled else 0
        paid = sum(payment.amount for payment in round_.payments)
        for theme, detail in (
            (Theme.JUDGEMENT, f"G gives the same {merged} merged, and the same strikes"),
            (Theme.PAYMENTS, f"{len(round_.payments)} payments, {paid} in all, are what G gives"),
            (Theme.COMMITMENT, "it moved by exactly the merged commitments"),
        ):
            yield self._check(f"{name}: {theme}", self._holds(theme, number, detail, round_.unread))
        if round_ is not self._last_proved():
            yield self._check(f"{name}: model", lambda: self._model(round_))

    def _money(self) -> Checks:
        client, history, replayed = self.client, self.history, self.replayed
        yield self._check("conservation", lambda: money.check_conservation(history, replayed))
        yield self._check("state", lambda: state.check_state(client, history, replayed))
        yield self._check("credits", lambda: money.check_credits(client, history, self._read_ledger()))
        yield self._check(
            "stakes", lambda: money.check_stakes(client, history, replayed, self._read_ledger())
        )
        yield self._check("solvency", lambda: money.check_solvency(client, history, self._read_ledger()))
        yield self._check("reputation", lambda: money.check_reputation(history, replayed))

    def _final_model(self) -> Check:
        last = self._last_proved()
        name = "model so far" if self.history.state.status is Status.ACTIVE else "final model"
        return self._check(name, lambda: self._model(last) if last else self._unmoved())

    def _load_spec(self) -> str:
        self.spec = project_files.load_spec(self.client, self.store, self.history, self.timeout_s)
        return "the spec is canonical and says what the contract's terms say, field by field"

    def _load_files(self) -> str:
        self.files = project_files.load_circuit(
            self.client, self.store, self._need_spec(), self.cache, self.timeout_s
        )
        return "verifying key and SRS are there and give the registered C_0"

    def _model(self, round_: RoundReplay) -> str:
        if round_.posted is None:
            raise unchecked("the round has no result")
        return models.check_model(
            self.store, round_.posted.model, round_.model, self._need_files(), self.timeout_s
        )

    def _unmoved(self) -> str:
        if self.history.state.model != self.history.terms.initial_model:
            raise failed("the model's commitment moved, but no round was proved")
        return "no round was proved: it is the initial model"

    def _holds(self, theme: Theme, round_: int | None, detail: str, open_: str = "") -> Callable[[], str]:
        """A check of what the replay found; `open_`: why it could not look."""

        def make() -> str:
            wrong = self.replayed.about(theme, round_)
            if wrong:
                more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
                raise failed(f"{wrong[0]}{more}")
            if open_:
                raise unchecked(open_)
            return detail

        return make

    def _story(self) -> str:
        rounds, history = self.replayed.rounds, self.history
        proved = sum(round_.outcome is Outcome.PROVED for round_ in rounds)
        return (
            f"{len(history.events)} events up to block {history.block.number} follow the rules: "
            f"{history.state.status.name}, {len(rounds)} of {history.terms.rounds} rounds, {proved} proved"
        )

    def _last_proved(self) -> RoundReplay | None:
        proved = [round_ for round_ in self.replayed.rounds if round_.outcome is Outcome.PROVED]
        return proved[-1] if proved else None

    def _need_spec(self) -> ProjectSpec:
        if self.spec is None:
            raise unchecked("it needs the project's spec")
        return self.spec

    def _need_files(self) -> CircuitFiles:
        if self.files is None:
            raise unchecked("it needs the circuit's files")
        return self.files

    def _read_ledger(self) -> Ledger:
        if self.ledger is None:
            self.ledger = read_ledger(
                self.client, block=self.history.block.number, from_block=self.from_block
            )
        return self.ledger


def _raising(error: FairshareError) -> Callable[[], str]:
    def make() -> str:
        raise error

    return make
