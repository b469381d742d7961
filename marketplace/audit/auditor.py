"""The audit of a project, from the chain and IPFS alone."""

from __future__ import annotations

from collections.abc import Callable
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
    run = _Audit(client, store, project, cache_dir, on_progress or (lambda step: None), fetch_timeout_s)
    run.all(block, from_block)
    return AuditReport(tuple(run.checks))


class _Audit:
    """One run: what earlier checks found is there for later ones, or a reason why it is not."""

    def __init__(
        self,
        client: MarketClient,
        store: ContentStore,
        project: int,
        cache: Path,
        on_progress: Progress,
        timeout_s: float,
    ) -> None:
        self.client, self.store, self.project, self.cache = client, store, project, cache
        self.say, self.timeout_s = on_progress, timeout_s
        self.checks: list[Check] = []
        self.spec: ProjectSpec | None = None
        self.files: CircuitFiles | None = None
        self.ledger: Ledger | None = None

    def all(self, block: int | None, from_block: int) -> None:
        self.check("contracts", lambda: contracts.check_contracts(self.client))
        try:
            history = read_history(
                self.client, self.project, block=block, from_block=from_block, on_progress=self.say
            )
        except FairshareError as error:
            if error.reason is Reason.NOT_FOUND:
                raise
            self.check("history", _raising(error))
            return
        replayed = replay(history)
        self._events(history, replayed)
        self._project_files(history)
        for round_ in replayed.rounds:
            self._round(history, replayed, round_)
        self._money(history, replayed, from_block)
        self._final_model(history, replayed)

    def check(self, name: str, make: Callable[[], str]) -> None:
        self.say(name)
        self.checks.append(run_check(name, make))

    def _events(self, history: History, replayed: Replay) -> None:
        self.check("events", lambda: transactions.check_receipts(self.client, history))
        self.check("calldata", lambda: transactions.check_calldata(self.client, history))
        self.check("timeline", lambda: _none_wrong(replayed, Theme.TIMELINE, None, _story(history, replayed)))
        self.check("state", lambda: state.check_state(self.client, history, replayed))

    def _project_files(self, history: History) -> None:
        def spec() -> str:
            self.spec = project_files.load_spec(self.client, self.store, history, self.timeout_s)
            return "the spec is canonical and says what the contract's terms say, field by field"

        def files() -> str:
            self.files = project_files.load_circuit(
                self.client, self.store, self._need_spec(), self.cache, self.timeout_s
            )
            return "verifying key and SRS are there and give the registered C_0"

        self.check("spec", spec)
        self.check("circuit files", files)
        self.check(
            "circuit",
            lambda: contracts.check_circuit(self.client, history, self._need_files(), self.say),
        )
        self.check(
            "srs", lambda: project_files.check_srs(self._need_spec().circuit.srs_kind, history.chain_id)
        )
        self.check(
            "initial model",
            lambda: project_files.check_initial_model(
                self.store, history, self._need_spec(), self._need_files(), self.timeout_s
            ),
        )

    def _round(self, history: History, replayed: Replay, round_: RoundReplay) -> None:
        name = f"round {round_.number}"

        def holds(theme: Theme, detail: str) -> Callable[[], str]:
            return lambda: _none_wrong(replayed, theme, round_.number, detail)

        count = len(round_.submissions)
        self.check(
            f"{name}: submissions",
            holds(Theme.SUBMISSIONS, f"{count} of {history.terms.slots} slots submitted as they may"),
        )
        if round_.outcome is not Outcome.PROVED:
            self.check(f"{name}: payments", holds(Theme.PAYMENTS, f"nothing was paid: {round_.outcome}"))
            return
        self.check(f"{name}: proof", lambda: proofs.check_proof(round_, self._need_files()))
        settled = round_.settlement
        if settled is None and round_.result is None:
            self.check(f"{name}: judgement", _raising(unchecked(round_.unread)))
            return
        merged = len(settled.judgement.merged) if settled else 0
        self.check(
            f"{name}: judgement",
            holds(Theme.JUDGEMENT, f"G gives the same {merged} merged and the same strikes"),
        )
        paid = sum(payment.amount for payment in round_.payments)
        self.check(
            f"{name}: payments",
            holds(Theme.PAYMENTS, f"{len(round_.payments)} payments of {paid} in all are what G gives"),
        )
        self.check(
            f"{name}: model commitment",
            holds(Theme.COMMITMENT, "it moved by exactly the merged commitments"),
        )
        if round_.posted is not None and round_ is not _last_proved(replayed):
            digest, commitment = round_.posted.model, round_.model
            self.check(
                f"{name}: model",
                lambda: models.check_model(
                    self.store, digest, commitment, self._need_files(), self.timeout_s
                ),
            )

    def _money(self, history: History, replayed: Replay, from_block: int) -> None:
        def ledger() -> Ledger:
            if self.ledger is None:
                self.ledger = read_ledger(self.client, block=history.block.number, from_block=from_block)
            return self.ledger

        self.check("conservation", lambda: money.check_conservation(history, replayed))
        self.check("credits", lambda: money.check_credits(self.client, history, ledger()))
        self.check("stakes", lambda: money.check_stakes(self.client, history, replayed, ledger()))
        self.check("solvency", lambda: money.check_solvency(self.client, history, ledger()))
        self.check("reputation", lambda: money.check_reputation(self.client, history, replayed))

    def _final_model(self, history: History, replayed: Replay) -> None:
        last = _last_proved(replayed)
        name = "model so far" if history.state.status is Status.ACTIVE else "final model"
        if last is None or last.posted is None:
            if history.state.model == history.terms.initial_model:
                self.check(name, lambda: "no round was proved: it is the initial model")
            else:
                self.check(name, _raising(failed("it moved, but no round was proved")))
            return
        digest = last.posted.model
        self.check(
            name,
            lambda: models.check_model(
                self.store, digest, history.state.model, self._need_files(), self.timeout_s
            ),
        )

    def _need_spec(self) -> ProjectSpec:
        if self.spec is None:
            raise unchecked("it needs the project's spec")
        return self.spec

    def _need_files(self) -> CircuitFiles:
        if self.files is None:
            raise unchecked("it needs the circuit's files")
        return self.files


def _none_wrong(replayed: Replay, theme: Theme, round_: int | None, detail: str) -> str:
    wrong = replayed.about(theme, round_)
    if wrong:
        raise failed(str(wrong[0]) + (f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""))
    return detail


def _story(history: History, replayed: Replay) -> str:
    count = len(replayed.rounds)
    proved = sum(round_.outcome is Outcome.PROVED for round_ in replayed.rounds)
    return (
        f"{len(history.events)} events up to block {history.block.number} follow the rules: "
        f"{history.state.status.name}, "
        f"{count} of {history.terms.rounds} rounds, {proved} proved"
    )


def _last_proved(replayed: Replay) -> RoundReplay | None:
    proved = [round_ for round_ in replayed.rounds if round_.outcome is Outcome.PROVED]
    return proved[-1] if proved else None


def _raising(error: FairshareError) -> Callable[[], str]:
    def make() -> str:
        raise error

    return make
