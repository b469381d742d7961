"""A running Kubo node, shared by many threads, that can be closed and started again under them."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from marketplace.storage.kubo_library import KuboLibrary

_T = TypeVar("_T")
_REMEMBERED_PEERS = 64


class KuboNode:
    """The library's node behind a gate.

    A waiting download cannot be called off in Go; closing the node ends all of them. `recycle` does that and
    starts the node again (about 30 ms). Calls that this broke are made again, so callers do not notice.
    """

    def __init__(self, library: KuboLibrary) -> None:
        self._library = library
        self._changing = threading.Lock()
        self._gate = threading.Condition()
        self._inside = 0
        self._open = False
        self._generation = 0
        self._dialled: OrderedDict[str, None] = OrderedDict()
        self.downloads = 0  # begun since the node started: each leaves some 40 kB behind in the library
        self.peer_id = ""
        self.addresses: list[str] = []

    def start(self) -> None:
        """Start the node. Raises STORAGE_UNREACHABLE."""
        self._library.run()
        self.downloads = 0
        self.peer_id = self._library.peer_id()
        self.addresses = self._library.addresses()
        with self._gate:
            self._open = True
            self._gate.notify_all()

    def stop(self) -> None:
        """Stop the node: waiting calls end with a failure, new ones wait at the gate."""
        with self._gate:
            self._open = False
            self._generation += 1
        self._library.close()
        with self._gate:
            # On its way out a call releases the node by its path: it must not find a new one there.
            self._gate.wait_for(lambda: self._inside == 0)

    def recycle(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Stop and start the node, then dial again whom it was connected to; `meanwhile` is called in between.

        Who had dialled us is dialled where it came from: libp2p dials from the port that it listens on.

        Raises STORAGE_UNREACHABLE.
        """
        with self._changing:
            came = [f"{address}/p2p/{peer}" for address, peer in self.peers()[:_REMEMBERED_PEERS]]
            self.stop()
            try:
                meanwhile()
            finally:
                self.start()
            peers = dict.fromkeys((*self._dialled, *came))
        for multiaddress in peers:  # a dead peer takes seconds to be found dead: nobody waits for it
            threading.Thread(target=self._dial_again, args=(multiaddress,), daemon=True).start()

    def add_file(self, path: Path, *, only_hash: bool) -> str:
        """CID of the file at `path`, stored and pinned unless `only_hash`; empty if that failed."""
        return self._call(lambda: self._library.add_file(path, only_hash=only_hash))

    def download(self, cid: str, *, wanted: Callable[[], bool]) -> bool:
        """Bring `cid` into the repo.

        Waits until it comes, or until the node is recycled while it is not `wanted()`.
        """
        with self._gate:
            self.downloads += 1
        return self._call(lambda: self._library.download(cid), wanted)

    def pin(self, cid: str) -> bool:
        """Pin `cid`, whose blocks are all here."""
        return self._call(lambda: self._library.pin(cid))

    def unpin(self, cid: str) -> bool:
        """Remove a recursive pin; False if there is none."""
        return self._call(lambda: self._library.unpin(cid))

    def pins(self) -> list[str]:
        """All pinned CIDs, the indirect ones among them."""
        return self._call(self._library.pins)

    def connect(self, multiaddress: str) -> bool:
        """Dial a peer; False if it cannot be reached."""
        done = self._call(lambda: self._library.connect(multiaddress))
        if done:
            with self._gate:
                self._dialled[multiaddress] = None
                self._dialled.move_to_end(multiaddress)
                while len(self._dialled) > _REMEMBERED_PEERS:
                    self._dialled.popitem(last=False)
        return done

    def peers(self) -> list[tuple[str, str]]:
        """Address and peer ID of every connected peer."""
        return self._call(self._library.peers)

    def _dial_again(self, multiaddress: str) -> None:
        for pause_s in (0.0, 0.5, 2.0, 10.0):  # the peer may still hold the connection that was just closed
            time.sleep(pause_s)
            if self._call(lambda: self._library.connect(multiaddress)):
                return

    def _call(self, call: Callable[[], _T], wanted: Callable[[], bool] = lambda: True) -> _T:
        """The call's result; a call that failed because the node was closed meanwhile is made again."""
        while True:
            generation = self._generation
            with self._passage():
                result = call()
            if result or generation == self._generation or not wanted():
                return result

    @contextmanager
    def _passage(self) -> Iterator[None]:
        with self._gate:
            self._gate.wait_for(lambda: self._open)
            self._inside += 1
        try:
            yield
        finally:
            with self._gate:
                self._inside -= 1
                self._gate.notify_all()
