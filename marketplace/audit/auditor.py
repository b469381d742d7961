"""The audit of a project, from the chain and IPFS alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from marketplace.audit import contracts, merges, money, project_files, reputation, state, transactions
from marketplace.audit.history import Progress, read_history
from marketplace.audit.replay import replay
from marketplace.audit.report import AuditReport, Check, failed, run_check
from marketplace.audit.round_checks import last_model, model_check, round_checks
from marketplace.audit.rounds import Outcome, Theme
from marketplace.audit.run import Run
from marketplace.chain.client import MarketClient
from marketplace.chain.types import Status
from marketplace.errors import FairshareError, Reason
from marketplace.storage.store import ContentStore
from marketplace.updates.sealing import EncryptionKey

FETCH_S = 60.0
RUNNING = (Status.OPEN, Status.DRAWING, Status.ACTIVE, Status.CLOSING)

Checks = Iterator[Check]


def audit(
    client: MarketClient,
    store: ContentStore,
    project: int,
    cache_dir: Path,
    *,
    on_progress: Progress | None = None,
    block: int | None = None,
    from_block: int | None = None,
    fetch_timeout_s: float = FETCH_S,
    keys: tuple[EncryptionKey, ...] = (),
) -> AuditReport:
    """Checks everything about a project up to `block` (None: the newest), trusting no server.

    `cache_dir`: where circuit files are kept; `from_block`: no event of the market is older (None: the client's);
    `fetch_timeout_s`: for each blob; `keys`: members', for models that are sealed to them. `on_progress` is called with
    one line as each step begins.

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
                keys=keys,
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
    from_block: int | None = None,
    fetch_timeout_s: float = FETCH_S,
    keys: tuple[EncryptionKey, ...] = (),
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
    run = Run(client, store, cache_dir, say, from_block, fetch_timeout_s, history, replay(history), keys)
    yield from _events(run)
    yield from _project_files(run)
    for round_ in run.replayed.rounds:
        yield from round_checks(run, round_)
    yield from _money(run)
    yield _final_model(run)


def _events(run: Run) -> Checks:
    client, history = run.client, run.history
    yield run.check("events", lambda: transactions.check_receipts(client, history))
    yield run.check("calldata", lambda: transactions.check_calldata(client, history))
    yield run.check("timeline", run.holds(Theme.TIMELINE, None, _story(run)))
    for theme in run.untold(0):
        yield run.check(f"before the rounds: {theme}", run.holds(theme, 0, ""))


def _project_files(run: Run) -> Checks:
    client, history = run.client, run.history
    yield run.check("spec", lambda: _load_spec(run))
    yield run.check("circuit files", lambda: _load_files(run))
    yield run.check("circuit", lambda: contracts.check_circuit(client, history, run.need_files(), run.say))
    yield run.check("srs", lambda: _check_srs(run))
    yield run.check("initial model", lambda: _check_initial_model(run))
    if any(history.terms.aggregators):
        yield run.check("aggregators", lambda: project_files.check_aggregators(history, run.need_spec()))


def _money(run: Run) -> Checks:
    client, history, replayed = run.client, run.history, run.replayed
    yield run.check("conservation", lambda: money.check_conservation(history, replayed))
    yield run.check("state", lambda: state.check_state(client, history, replayed))
    yield run.check("claims", lambda: money.check_claims(client, history, replayed))
    yield run.check("stakes", lambda: money.check_stakes(client, history, replayed, run.need_ledger()))
    yield run.check("solvency", lambda: money.check_solvency(client, history, run.need_ledger()))
    yield run.check("reputation", lambda: money.check_reputation(history, replayed))
    if history.terms.min_reputation:
        yield run.check("reputation floor", lambda: reputation.check_floor(client, history, run.from_block))


def _final_model(run: Run) -> Check:
    round_, last = last_model(run)
    name = "model so far" if run.history.state.status in RUNNING else "final model"

    def make() -> str:
        if round_ is None or last is None:
            return _unmoved(run)
        if run.is_sketched:
            return merges.check_final(run.need_shelf(), last, run.history.state.model)
        return model_check(run, round_, last)

    return run.check(name, make)


def _unmoved(run: Run) -> str:
    if run.history.state.model != run.history.terms.initial_model:
        raise failed("the model's commitment moved, but no result stands")
    return "no result stands: it is the initial model"


def _load_spec(run: Run) -> str:
    run.spec = project_files.load_spec(run.client, run.store, run.history, run.timeout_s)
    return "the spec is canonical and says what the contract's terms say, field by field"


def _load_files(run: Run) -> str:
    run.files = project_files.load_circuit(run.client, run.store, run.need_spec(), run.cache, run.timeout_s)
    return "verifying key and SRS are there and give the registered C_0"


def _check_srs(run: Run) -> str:
    kind = run.need_spec().circuit.srs_kind
    if kind == "ceremony":
        run.need_files()  # whose SRS has its hash
    return project_files.check_srs(kind, run.history.chain_id)


def _check_initial_model(run: Run) -> str:
    spec, history = run.need_spec(), run.history
    if run.is_sketched:  # the first round's checks need its leaves again
        return merges.check_alone(run.need_shelf(), spec.initial_model, history.terms.initial_model)
    return project_files.check_initial_model(run.store, history, spec, run.need_committer(), run.timeout_s)


def _story(run: Run) -> str:
    rounds, history = run.replayed.rounds, run.history
    settled = sum(round_.stands and bool(round_.results) for round_ in rounds)
    undone = sum(round_.outcome is Outcome.UNDONE for round_ in rounds)
    return (
        f"{len(history.events)} events up to block {history.block.number} follow the rules: "
        f"{history.state.status.name}, {len(rounds)} rounds of {run.replayed.state.last_round}, "
        f"{settled} with a result" + (f", {undone} undone" if undone else "")
    )


def _raising(error: FairshareError) -> Callable[[], str]:
    def make() -> str:
        raise error

    return make
