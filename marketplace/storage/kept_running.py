"""An embedded storage node that is started again when its process dies: killed for memory, or by a full disk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from marketplace.errors import FairshareError
from marketplace.storage.embedded import EmbeddedNode

_EVERY_S = 1.0
_LONGEST_PAUSE_S = 60.0


@contextmanager
def kept_running(node: EmbeddedNode, say: Callable[[str], None]) -> Iterator[EmbeddedNode]:
    """Starts `node`, and again whenever it is gone, until the end of the block; `say` is told.

    Clients meanwhile get STORAGE_UNREACHABLE. Raises it where the node does not come up the first time.
    """
    node.start()
    stopped = threading.Event()
    thread = threading.Thread(target=_watch, args=(node, say, stopped), name="storage-node", daemon=True)
    thread.start()
    try:
        yield node
    finally:
        stopped.set()
        thread.join()
        node.stop()


def _watch(node: EmbeddedNode, say: Callable[[str], None], stopped: threading.Event) -> None:
    pause_s = _EVERY_S
    while not stopped.wait(pause_s):
        if node.running:
            pause_s = _EVERY_S
            continue
        say("the storage node is gone: starting it again")
        try:
            node.start()
            pause_s = _EVERY_S
        except FairshareError as error:
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            say(f"{error}; the next attempt follows in {pause_s:.0f} s")
