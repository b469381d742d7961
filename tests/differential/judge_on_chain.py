"""RoundJudge on a chain, asked many things at once by JSON-RPC batches of `eth_call`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.abi import collapse_if_tuple, function_abi_to_4byte_selector

from marketplace.chain.contracts import abi_entry
from marketplace.chain.reverts import Revert
from marketplace.protocol.krum import mask
from tests.differential.calls import call_all
from tests.differential.claims import Claims
from tests.differential.rounds import Round, felts

_WORD = 32


@dataclass(frozen=True)
class Verdict:
    """What the contract answers; masks, and lists by slot."""

    present: int
    struck: int
    scores: tuple[int, ...]
    contributions: tuple[int, ...]
    total: int
    reference_contributions: tuple[int, ...]
    reference_total: int
    by_reference: bool


Answer = Verdict | Revert


class JudgeOnChain:
    """The RoundJudge at `address` on the chain at `url`."""

    def __init__(self, url: str, address: str) -> None:
        self._url, self._address = url, address
        entry: Any = abi_entry("RoundJudge", "function", "judge")
        self._selector = function_abi_to_4byte_selector(entry)
        self._types = [collapse_if_tuple(parameter) for parameter in entry["inputs"]]
        self._answer = [collapse_if_tuple(parameter) for parameter in entry["outputs"]]

    def ask(self, round_: Round, claims: Sequence[Claims]) -> list[Answer]:
        """An answer for each of the claims about one round."""
        return self.ask_all(self.calls(round_, claims))

    def ask_all(self, calls: Iterable[bytes]) -> list[Answer]:
        """An answer for each call, in order."""
        return [
            self._read(answer) for answer in call_all(self._url, ((self._address, data) for data in calls))
        ]

    def calls(self, round_: Round, claims: Iterable[Claims]) -> Iterator[bytes]:
        """Call data, put together from its three parts: only the claims differ between calls about one round."""
        rules, shared = self._encode_round(round_)
        heads = len(rules) + 2 * _WORD
        for claim in claims:
            offsets = heads.to_bytes(_WORD, "big") + (heads + len(shared)).to_bytes(_WORD, "big")
            yield self._selector + rules + offsets + shared + self._encode_claims(claim)

    def _encode_round(self, round_: Round) -> tuple[bytes, bytes]:
        rules = round_.rules
        fixed = (
            rules.slots,
            rules.faults,
            rules.max_norm_squared,
            int(rules.score_rule),
            rules.reference,
            rules.strike_factor,
            rules.duplicate_cosine,
        )
        shared = (
            mask(round_.submitted),
            round_.reference_present,
            list(round_.positions),
            felts(round_.gram),
        )
        return encode([self._types[0]], [fixed]), encode([self._types[1]], [shared])[_WORD:]

    def _encode_claims(self, claims: Claims) -> bytes:
        values = (
            claims.merged,
            claims.median_score_slot,
            claims.median_norm_slot,
            list(claims.neighbours),
        )
        return encode([self._types[2]], [values])[_WORD:]

    def _read(self, answer: bytes | Revert) -> Answer:
        if isinstance(answer, Revert):
            return answer
        (fields,) = decode(self._answer, answer)
        return Verdict(*fields)
