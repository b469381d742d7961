"""Whether a node is alive, and whether it is ready: pure, with reasons in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from marketplace.node.telemetry.record import Loop, Snapshot


@dataclass(frozen=True)
class Patience:
    """Seconds after which something counts as stalled.

    A loop that waits looks at the chain every second, or tries again after half a minute; one that has seen a block may
    check large models first; and to train, to prove, to have a transaction mined may take much longer.
    """

    idle_s: float = 120.0
    act_s: float = 1800.0
    work_s: float = 7200.0
    start_s: float = 7200.0  # until the first look: proving keys are made before it
    probe_s: float = 60.0  # since chain and storage last answered


@dataclass(frozen=True)
class Verdict:
    """`reasons`: what speaks against it, a line each; none where `ok`."""

    reasons: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing does."""
        return not self.reasons


@dataclass(frozen=True)
class Probed:
    """One look at what the node needs. `at`: as `time.monotonic`; amounts in wei; a problem: None where all is well."""

    at: float
    chain_problem: str | None = None
    storage_problem: str | None = None
    balance: int | None = None
    needed: int | None = None  # for the gas of the next transactions


def alive(snapshot: Snapshot, patience: Patience) -> Verdict:
    """Whether every loop has turned lately, or is at work that may take as long.

    One that an error with a reason has ended does not count: started again the node would find the same.
    """
    if not snapshot.loops:
        waited = snapshot.at - snapshot.started_at
        late = waited > patience.start_s
        return Verdict((f"no loop runs {waited:.0f} s after the start",) if late else ())
    return Verdict(tuple(_stalled(snapshot.loops, snapshot.at, patience)))


def ready(probed: Probed | None, now: float, patience: Patience) -> Verdict:
    """Whether chain and storage answer, and the account can pay for its next transactions."""
    if probed is None:
        return Verdict(("chain and storage were not looked at yet",))
    reasons = []
    if now - probed.at > patience.probe_s:
        reasons.append(f"chain and storage were last looked at {now - probed.at:.0f} s ago")
    if probed.chain_problem is not None:
        reasons.append(f"chain: {probed.chain_problem}")
    if probed.storage_problem is not None:
        reasons.append(f"storage: {probed.storage_problem}")
    if probed.balance is not None and probed.needed is not None and probed.balance < probed.needed:
        reasons.append(
            f"funds: the account has {probed.balance} wei, its next transactions may need {probed.needed}: send it more"
        )
    return Verdict(tuple(reasons))


def _stalled(loops: Iterable[Loop], now: float, patience: Patience) -> Iterable[str]:
    for loop in loops:
        if loop.error is not None:
            if loop.broken:
                yield f"{loop.name}: ended by a bug: {loop.error}"
        elif loop.busy is not None and now - loop.busy_since > patience.work_s:
            yield f"{loop.name}: {loop.busy} for {now - loop.busy_since:.0f} s"
        elif loop.busy is None and now - loop.turned_at > (
            patience.act_s if loop.acting else patience.idle_s
        ):
            yield f"{loop.name}: has not turned for {now - loop.turned_at:.0f} s"
