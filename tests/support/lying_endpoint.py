"""A JSON-RPC endpoint that passes everything on to a chain and alters what a test tells it to."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Lie = Callable[[str, list[Any], Any], Any]
"""(method, params, the chain's result) -> the result to serve."""


@contextmanager
def lying_endpoint(chain_url: str, lie: Lie, port: int = 0) -> Iterator[str]:
    """Serves the chain at `chain_url` through `lie`; gives its own URL. `port`: 0 for any that is free."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = json.loads(body)
            forwarded = urllib.request.Request(chain_url, body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(forwarded) as response:
                reply = json.loads(response.read())
            asked = request if isinstance(request, list) else [request]  # a batch, or one
            by_id = {one["id"]: one for one in asked}
            for answer in reply if isinstance(reply, list) else [reply]:
                if "result" in answer:
                    one = by_id[answer["id"]]
                    answer["result"] = lie(one["method"], one.get("params", []), answer["result"])
            text = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def flipped(hex_text: str, byte: int, bit: int = 0) -> str:
    """0x-hex with one bit of one byte flipped."""
    data = bytearray.fromhex(hex_text[2:])
    data[byte] ^= 1 << bit
    return "0x" + data.hex()


def altered_log(transaction_hash: bytes, log_index: int, byte: int, *, in_receipts: bool = True) -> Lie:
    """Flips a bit of one log's data, everywhere it is served, or in `eth_getLogs` only."""

    def alter(log: dict[str, Any]) -> dict[str, Any]:
        here = (
            int(log["logIndex"], 16) == log_index and log["transactionHash"] == "0x" + transaction_hash.hex()
        )
        return {**log, "data": flipped(log["data"], byte)} if here else log

    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_getLogs":
            return [alter(log) for log in result]
        if method == "eth_getTransactionReceipt" and in_receipts:
            return {**result, "logs": [alter(log) for log in result["logs"]]}
        return result

    return lie


def altered_code(address: str, byte: int) -> Lie:
    """Flips a bit of a contract's code."""

    def lie(method: str, params: list[Any], result: Any) -> Any:
        mine = method == "eth_getCode" and params[0].lower() == address.lower()
        return flipped(result, byte) if mine else result

    return lie


def altered_input(transaction_hash: bytes, byte: int) -> Lie:
    """Flips a bit of a transaction's calldata."""

    def lie(method: str, params: list[Any], result: Any) -> Any:
        mine = method == "eth_getTransactionByHash" and params[0] == "0x" + transaction_hash.hex()
        return {**result, "input": flipped(result["input"], byte)} if mine else result

    return lie


def altered_call(to: str, selector: str, byte: int) -> Lie:
    """Flips a bit of what a view answers; `selector`: 0x and 8 hex digits."""

    def lie(method: str, params: list[Any], result: Any) -> Any:
        mine = (
            method == "eth_call"
            and params[0]["to"].lower() == to.lower()
            and (params[0].get("data") or params[0].get("input", "")).startswith(selector)
        )
        return flipped(result, byte) if mine else result

    return lie
