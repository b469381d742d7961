"""Shares.sol on a chain, behind the contract `Amounts` of this folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.abi import collapse_if_tuple, function_abi_to_4byte_selector

from marketplace.chain.artifacts import Artifact
from marketplace.chain.compile import compile_standard, project_root, source_text, standard_input
from marketplace.chain.reverts import Revert
from tests.differential.calls import call_all
from tests.differential.judge_on_chain import Verdict

NAME = "Amounts"
_PATH = f"tests/differential/{NAME}.sol"


def compile_amounts() -> Artifact:
    """The contract, with the market's own compiler settings."""
    root = project_root()
    contracts = [path.relative_to(root).as_posix() for path in sorted((root / "contracts").rglob("*.sol"))]
    sources = {path: source_text(path) for path in (_PATH, *contracts)}
    return compile_standard(standard_input(sources, _PATH, NAME))[NAME]


class AmountsOnChain:
    """The contract at `address` on the chain at `url`."""

    def __init__(self, url: str, address: str, artifact: Artifact) -> None:
        self._url, self._address = url, address
        entry: Any = next(entry for entry in artifact.abi if entry.get("name") == "amounts")
        self._selector = function_abi_to_4byte_selector(entry)
        self._types = [collapse_if_tuple(parameter) for parameter in entry["inputs"]]
        self._answer = [collapse_if_tuple(parameter) for parameter in entry["outputs"]]

    def ask_all(self, asked: Iterable[tuple[int, Verdict, int]]) -> list[tuple[int, ...]]:
        """Amounts by slot for each pot, verdict and basis points that go by the reference."""
        calls = (
            (self._address, self._selector + encode(self._types, [pot, dataclasses.astuple(verdict), share]))
            for pot, verdict, share in asked
        )
        return [self._read(answer) for answer in call_all(self._url, calls)]

    def _read(self, answer: bytes | Revert) -> tuple[int, ...]:
        assert not isinstance(answer, Revert), answer
        by_slot, given = decode(self._answer, answer)
        assert sum(by_slot) == given
        return tuple(by_slot)
