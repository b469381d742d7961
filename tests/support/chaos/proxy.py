"""A TCP proxy in front of a chain's endpoint that drops its connections, or lets them wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

_PIECE = 1 << 16


class EndpointProxy:
    """Passes bytes on between `url` and the chain at `127.0.0.1:port`, in a thread of its own; a context manager.

    `drop` cuts all connections and refuses new ones, `stall` keeps every byte back, `heal` ends both.
    """

    def __init__(self, port: int) -> None:
        self._chain_port = port
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()

    @property
    def url(self) -> str:
        """HTTP endpoint; the same for the proxy's life."""
        return f"http://127.0.0.1:{self._port}"

    def drop(self) -> None:
        """Cut all connections and refuse new ones."""
        self._do(self._close())

    def stall(self) -> None:
        """Take connections and keep every byte back."""
        self._do(self._hold())

    def heal(self) -> None:
        """Serve again; what was kept back flows on."""
        self._do(self._serve())

    async def _serve(self) -> None:
        self._flows.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
            self._port = int(self._server.sockets[0].getsockname()[1])

    async def _hold(self) -> None:
        self._flows.clear()

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self._open):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            chain_reader, chain_writer = await asyncio.open_connection("127.0.0.1", self._chain_port)
        except OSError:
            self._end(writer)
            return
        self._open.add(chain_writer)
        await asyncio.gather(self._pump(reader, chain_writer), self._pump(chain_reader, writer))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while piece := await source.read(_PIECE):
                await self._flows.wait()
                sink.write(piece)
                await sink.drain()
        except OSError:
            pass  # one end was cut, so is the other
        finally:
            self._end(sink)

    def _end(self, writer: asyncio.StreamWriter) -> None:
        self._open.discard(writer)
        writer.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def __enter__(self) -> Self:
        self._thread.start()
        self.heal()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._flows.set()
        self._do(self._close())
        self._do(self._cancel_rest())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _cancel_rest(self) -> None:
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
