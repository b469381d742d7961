"""The chain's time in a market of processes: a block a second, and a leap where only time is waited for."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from web3.types import RPCEndpoint

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.types import Cohort, Project, Status

BLOCK_S = 1  # of chain time
_EVERY_S = 1.0  # of this machine's time


def awaited_deadline(
    project: Project,
    cohorts: Sequence[Cohort],
    now: int,
    awaited: int,
    *,
    reveals: bool,
    refers: bool | None = None,
    full: bool = False,
    posts: bool = True,
) -> int | None:
    """The deadline that everybody only waits for, if that is so at block time `now`.

    `awaited`: mask of a cohort's slots; `reveals`: whether the owner has to, before the end, and so refers each round
    (`refers`: whether in this one). `full`: the window is not to close early; nor does it with a batch. `posts`:
    whether the aggregator in turn is to post a result.
    """
    if project.challenged:
        return None
    if project.status is Status.CLOSING:
        done = project.revealed or not reveals
        return project.challenge_deadline if done and now < project.challenge_deadline else None
    if project.status is not Status.ACTIVE:
        return None
    if now >= project.submit_deadline:
        return None if posts or now >= project.result_deadline else project.result_deadline
    all_there = all(
        cohort.round == project.round and (cohort.submitted | cohort.batched) & awaited == awaited
        for cohort in cohorts
    )
    referenced = project.reference_round == project.round or not (reveals if refers is None else refers)
    batched = any(cohort.batched for cohort in cohorts) and referenced
    closed_early = project.submit_deadline == project.challenge_deadline
    closes_late = full and referenced
    return project.submit_deadline if all_there and (closed_early or batched or closes_late) else None


class Pace:
    """Mines a chain's blocks in a thread of its own; a context manager. `client`: of the chain itself.

    Blocks come whether anything waits or not, each `BLOCK_S` after the one before, however slow this machine is.
    """

    def __init__(self, client: ChainClient) -> None:
        self._client = client
        self._one_at_a_time = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pace", daemon=True)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """No block comes meanwhile."""
        with self._one_at_a_time:
            yield

    def leap(self, timestamp: int) -> None:
        """A block of this time, which must be ahead."""
        with self.standing_still():
            self._ask("evm_setNextBlockTimestamp", timestamp)
            self._ask("evm_mine")

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_S):
            with self.standing_still():
                self._ask("evm_mine")

    def _ask(self, method: str, *parameters: Any) -> None:
        self._client.web3.manager.request_blocking(RPCEndpoint(method), list(parameters))

    def __enter__(self) -> Self:
        self._ask("evm_setAutomine", False)
        self._ask("anvil_setBlockTimestampInterval", BLOCK_S)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(10)
