"""Many `eth_call`s at once, as JSON-RPC batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import requests

from marketplace.chain.reverts import Revert, decode_revert

_BATCH = 200

Call = tuple[str, bytes]  # contract, call data


def call_all(url: str, calls: Iterable[Call]) -> list[bytes | Revert]:
    """What each call returns, or the custom error that it ends in, in order. Takes `calls` a batch at a time."""
    remaining = iter(calls)
    answers: list[bytes | Revert] = []
    with requests.Session() as session:
        while batch := list(islice(remaining, _BATCH)):
            answers += _batch(session, url, batch)
    return answers


def _batch(session: requests.Session, url: str, calls: Sequence[Call]) -> list[bytes | Revert]:
    asked = [
        {
            "jsonrpc": "2.0",
            "id": number,
            "method": "eth_call",
            "params": [{"to": to, "data": "0x" + data.hex()}, "latest"],
        }
        for number, (to, data) in enumerate(calls)
    ]
    response = session.post(url, json=asked, timeout=120)
    response.raise_for_status()
    by_number = {answer["id"]: answer for answer in response.json()}
    return [_read(by_number[number]) for number in range(len(calls))]


def _read(answer: dict[str, Any]) -> bytes | Revert:
    if "error" not in answer:
        return bytes.fromhex(answer["result"][2:])
    revert = decode_revert(bytes.fromhex(answer["error"]["data"][2:]))
    assert revert is not None, answer["error"]
    return revert
