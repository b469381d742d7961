"""How a daemon starts, keeps going through passing failures, and stops."""

from __future__ import annotations

import contextlib
import queue
import random
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TypeVar

from marketplace.chain.sender import Stopped
from marketplace.errors import FairshareError, Reason
from marketplace.node.logging import Logger

# What may be different the next time without anybody doing anything.
TRANSIENT = frozenset(
    {Reason.CHAIN_UNREACHABLE, Reason.STORAGE_UNREACHABLE, Reason.STORAGE_FULL, Reason.UNAVAILABLE}
)
# What has answered before, and will again: a start waits for it.
_OUT_OF_REACH = frozenset({Reason.CHAIN_UNREACHABLE, Reason.STORAGE_UNREACHABLE})
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0

T = TypeVar("T")


@contextlib.contextmanager
def stop_on_signals(stop: threading.Event | None = None) -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second SIGINT ends the process at once. Main thread only.

    `Stopped` ends the block without a word: it was asked for. Start libraries that install handlers of their own (the
    embedded IPFS node) before this.
    """
    event = stop or threading.Event()
    # A handler runs between two steps of the main thread, which may hold the event's lock just then: to set the event
    # there would wait for itself. A SimpleQueue may be put to anywhere.
    requests: queue.SimpleQueue[bool] = queue.SimpleQueue()
    asked = False

    def request_stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked = True
        requests.put(True)

    def pass_on() -> None:
        while requests.get():
            event.set()

    watcher = threading.Thread(target=pass_on, name="stop-on-signals", daemon=True)
    watcher.start()
    earlier = {number: signal.signal(number, request_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    except Stopped:
        pass
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
        requests.put(False)
        watcher.join()


def is_transient(error: FairshareError) -> bool:
    """Whether trying again later may help."""
    return error.reason in TRANSIENT


def is_out_of_reach(error: FairshareError) -> bool:
    """Whether chain or storage do not answer just now; unlike what is transient, nothing that a user could have named
    falsely."""
    return error.reason in _OUT_OF_REACH


def keep_going(
    step: Callable[[], bool],
    *,
    stop: threading.Event,
    log: Logger,
    first_pause_s: float = _FIRST_PAUSE_S,
    longest_pause_s: float = _LONGEST_PAUSE_S,
) -> None:
    """Calls `step` until it returns False or `stop` is set.

    `step` waits for work by itself and returns True to be called again. After a transient FairshareError it is
    called again as `patiently` does; any other error ends the loop.
    """
    try:
        while patiently(
            step, stop=stop, log=log, first_pause_s=first_pause_s, longest_pause_s=longest_pause_s
        ):
            pass
    except Stopped:
        log.info("stopped")
    except FairshareError as error:
        log.error("failed", reason=error.reason, problem=error.message, hint=error.hint)
        raise


def patiently(
    attempt: Callable[[], T],
    *,
    stop: threading.Event,
    log: Logger,
    passes: Callable[[FairshareError], bool] = is_transient,
    first_pause_s: float = _FIRST_PAUSE_S,
    longest_pause_s: float = _LONGEST_PAUSE_S,
) -> T:
    """What `attempt` returns, which is called again after a FairshareError that `passes`; any other is raised.

    Pauses double from first_pause_s to longest_pause_s, and vary, so that daemons do not all return at once.
    Raises Stopped where `stop` is set before.
    """
    pause = first_pause_s
    while not stop.is_set():
        try:
            return attempt()
        except FairshareError as error:
            if not passes(error):
                raise
            log.warning(
                "will retry",
                reason=error.reason,
                problem=error.message,
                hint=error.hint,
                pause_s=round(pause, 1),
            )
            stop.wait(pause * random.uniform(0.75, 1.25))
            pause = min(2 * pause, longest_pause_s)
    raise Stopped("stopped before it could be done")
