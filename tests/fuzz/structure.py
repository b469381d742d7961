"""Mutates JSON by its structure: bytes alone seldom leave a document that is looked at beyond its syntax."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import atheris

from tests.fuzz.target import Target

_BYTES_SHARE = 0.3  # of mutations that libFuzzer makes
_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 2**256, -(2**255), 10**400, 0.5, 1e308),
    *("", "0", "-1", "0x", "0x0", "0x" + "f" * 64, "0x" + "f" * 40, "x" * 300, "\ud800", "\0", "\u200b"),
    *([], {}, [[]], [{}], {"": None}),
)


def mutate(target: Target, data: bytes, most: int, seed: int) -> bytes:
    """Another input of at most `most` bytes, decided by `seed`."""
    start, rng = target.json_at or 0, random.Random(seed)
    try:
        document = json.loads(data[start:])
    except (ValueError, RecursionError):
        document = None
    if document is None or rng.random() < _BYTES_SHARE:
        return bytes(atheris.Mutate(data, most))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        document = _altered(document, rng)
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return (data[:start] + text.encode("utf8", "surrogatepass"))[:most]


def _altered(document: Any, rng: random.Random) -> Any:
    """One node is another, gone, twice there, or under another name."""
    places = list(_places(document))
    if not places:
        return copy.deepcopy(rng.choice(_ODD))
    holder, key = rng.choice(places)
    other, its = rng.choice(places)
    match rng.randrange(5):
        case 0:
            holder[key] = copy.deepcopy(rng.choice(_ODD))
        case 1:
            holder[key] = json.loads(json.dumps(other[its]))  # a copy: not a circle
        case 2:
            del holder[key]
        case 3 if isinstance(holder, dict):
            holder[rng.choice((str(its), "", f"{key}s"))] = holder.pop(key)
        case _:
            holder[key] = [holder[key], holder[key]]
    return document


def _places(node: Any) -> Any:
    """(holder, key or index) of everything in a document."""
    if isinstance(node, dict | list):
        for key in node if isinstance(node, dict) else range(len(node)):
            yield node, key
            yield from _places(node[key])
