"""One connection over several endpoints of a chain: one is used until it fails, falls behind or is of another chain."""

from __future__ import annotations

import dataclasses
import random
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from marketplace.chain.endpoint import LIMITED, EndpointAway, EndpointProvider, shown
from marketplace.chain.endpoint_health import (
    Identity,
    Vitals,
    behind,
    foreign,
    is_ahead,
    newest_time,
)
from marketplace.chain.json_rpc import header_in, number_in
from marketplace.errors import FairshareError, Reason

REQUEST_TIMEOUT_S = 10.0  # shorter than with one endpoint: another may answer
PROBE_TIMEOUT_S = 3.0
CHECK_EVERY_S = 15.0
MARK_FOR_S = 120.0  # after which a head that no endpoint has any more is given up
DEEP = 64  # blocks; no reorganisation is expected to reach as far
_FIRST_REST_S, _LONGEST_REST_S = 1.0, 300.0
_LONGEST_ALONE_S = 5.0  # where there is no other to use meanwhile
_PAUSE_S = 0.2
_FAULTS = (
    *("rate limit", "request rate", "request count", "too many requests"),
    *("header not found", "missing trie node", "unknown block"),
)

T = TypeVar("T")
Say = Callable[[str], None]


def silent(text: str) -> None:
    """Tells nobody."""


@dataclasses.dataclass
class Endpoint:
    """One endpoint, and what is known of it."""

    url: str
    provider: EndpointProvider
    probe: EndpointProvider
    banned: bool = False  # it serves another chain
    failed_at: float = 0.0  # monotonic clock
    rest_s: float = 0.0  # after that
    failures: int = 0  # in a row
    why: str = ""  # it is not used
    is_away: bool = False  # that is why; else its answers are none of a chain's


class FailoverProvider(JSONBaseProvider):
    """JSON-RPC over the first endpoint of `urls` that is fit, and over that one for as long as it is.

    Fit is who serves the chain (`expected_chain_id`, else the one that all agree on), with the same first block and
    the same block far below the head, a head that is not behind the others' and not below a block that was read
    before. Who fails rests, for longer each time; who serves another chain is never asked again. Which endpoint is
    used changes only where the newest block is asked for, or where one fails. Threads may share it.

    Raises CHAIN_UNREACHABLE after `retry_for_s` seconds without a fit endpoint, saying what each one lacks;
    WRONG_CHAIN where none serves the chain, or where it cannot be known which one is meant; BAD_INPUT for a URL that
    is none. `say` is told of every change in one line.
    """

    global_ccip_read_enabled = False  # as EndpointProvider

    def __init__(
        self,
        urls: Sequence[str],
        *,
        retry_for_s: float,
        expected_chain_id: int | None = None,
        say: Say = silent,
        check_every_s: float = CHECK_EVERY_S,
    ) -> None:
        super().__init__()
        self._endpoints = [
            Endpoint(
                url,
                EndpointProvider(url, 0, timeout_s=REQUEST_TIMEOUT_S),
                EndpointProvider(url, 0, timeout_s=PROBE_TIMEOUT_S),
            )
            for url in urls
        ]
        self._pool = ThreadPoolExecutor(len(self._endpoints), thread_name_prefix="endpoint")
        self._retry_for_s = retry_for_s
        self._say = say
        self._check_every_s = check_every_s
        self._lock = threading.RLock()  # of all below
        self._current: Endpoint | None = None
        self._last_used: Endpoint | None = None
        self._identity = None if expected_chain_id is None else Identity(expected_chain_id, {})
        self._mark, self._marked_at = 0, 0.0
        self._checked_at = 0.0

    @property
    def url(self) -> str:
        """The endpoint in use, or used last."""
        used = self._current or self._last_used or self._endpoints[0]
        return used.url

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """One JSON-RPC request."""
        reads_head = _reads_head(method, params)
        answer = self._asked(lambda provider: provider.make_request(method, params), [method], reads_head)
        if reads_head:
            self._see(answer.get("result"))
        return answer

    def make_batch_request(
        self, batch_requests: list[tuple[RPCEndpoint, Any]]
    ) -> list[RPCResponse] | RPCResponse:
        """Several requests at once, all to the same endpoint."""
        heads = [_reads_head(method, params) for method, params in batch_requests]
        methods = [method for method, _ in batch_requests]
        found = self._asked(lambda provider: provider.make_batch_request(batch_requests), methods, any(heads))
        if isinstance(found, list):
            for answer, is_head in zip(found, heads, strict=True):
                if is_head:
                    self._see(answer.get("result"))
        return found

    def _asked(
        self, ask: Callable[[EndpointProvider], T], methods: Sequence[RPCEndpoint], reads_head: bool
    ) -> T:
        give_up_at = time.monotonic() + self._retry_for_s
        while True:
            endpoint = self._chosen(reads_head)
            if endpoint is not None:
                try:
                    answer = ask(endpoint.provider)
                except FairshareError as error:
                    if error.reason is not Reason.CHAIN_UNREACHABLE:
                        raise
                    self._failed(endpoint, error.message, is_away=isinstance(error, EndpointAway))
                    continue
                fault = _fault_in(answer, methods)
                if fault is None:
                    endpoint.failures = 0
                    return answer
                self._failed(endpoint, fault, is_away=True)
                continue
            if time.monotonic() > give_up_at or all(each.banned for each in self._endpoints):
                raise self._unreachable()
            time.sleep(_PAUSE_S * random.uniform(0.75, 1.25))

    # Choosing

    def _chosen(self, may_change: bool) -> Endpoint | None:
        current = self._current
        due = may_change and time.monotonic() - self._checked_at > self._check_every_s
        if current is not None and not due:
            return current
        # Who only looks whether there is a better one does not wait for another thread that does.
        if not self._lock.acquire(blocking=current is None):
            return current
        try:
            if self._current is None or due:
                self._check()
            return self._current
        finally:
            self._lock.release()

    def _check(self) -> None:
        """Looks at every endpoint that does not rest, and keeps the one in use, or takes the first that is fit."""
        self._checked_at = now = time.monotonic()
        asked = [each for each in self._endpoints if not each.banned and self._may_be_asked(each, now)]
        vitals = self._vitals_of(asked)
        identity = self._identify(vitals)
        if identity is None:
            return
        alike = {url: seen for url, seen in vitals.items() if self._is_alike(url, seen, identity)}
        self._lower_mark(alike, now)
        heads, clock = [seen.head_time for seen in alike.values()], time.time()
        newest = newest_time(heads, clock)
        fit: list[Endpoint] = []
        for endpoint in asked:
            seen = alike.get(endpoint.url)
            if seen is None:
                continue
            why = behind(seen, 0 if endpoint is self._current else self._mark, newest)
            if why is None and is_ahead(seen.head_time, heads, clock):
                why = "its newest block is in the future"
            if why is None:
                fit.append(endpoint)
            else:
                endpoint.why = why
        if fit and self._current not in fit:
            self._use(fit[0])
        if self._current is not None and self._current.url in alike:
            self._anchor(self._current, alike[self._current.url], identity)

    def _vitals_of(self, asked: Sequence[Endpoint]) -> dict[str, Vitals]:
        numbers = {0, *(self._identity.hashes if self._identity else ())}
        found: dict[str, Vitals] = {}
        answers = [(each, self._pool.submit(_vitals, each.probe, numbers)) for each in asked]
        for endpoint, answer in answers:
            try:
                found[endpoint.url] = answer.result()
            except FairshareError as error:
                if error.reason is not Reason.CHAIN_UNREACHABLE:
                    raise
                self._failed(endpoint, error.message, is_away=isinstance(error, EndpointAway))
            except (ValueError, TypeError, AttributeError):
                self._failed(endpoint, "its answers make no sense", is_away=False)
        return found

    def _identify(self, vitals: dict[str, Vitals]) -> Identity | None:
        """Which chain is meant, with its first block: settled once, by the endpoints that answer first."""
        if self._identity is not None and self._identity.hashes:
            return self._identity
        wanted = None if self._identity is None else self._identity.chain_id
        meant = {url: seen for url, seen in vitals.items() if wanted in (None, seen.chain_id)}
        chains = {(seen.chain_id, seen.hashes.get(0)) for seen in meant.values()}
        if len(chains) > 1:
            serving = ", ".join(
                f"{shown(url)} chain {seen.chain_id} from block 0x{seen.hashes.get(0, b'').hex()[:8]}"
                for url, seen in meant.items()
            )
            raise FairshareError(
                Reason.WRONG_CHAIN,
                f"the endpoints serve different chains: {serving}",
                "give endpoints of one chain, or say which one with --chain-id",
            )
        if meant:
            chain_id, genesis = chains.pop()
            self._identity = Identity(chain_id, {} if genesis is None else {0: genesis})
        return self._identity

    def _is_alike(self, url: str, seen: Vitals, identity: Identity) -> bool:
        why = foreign(seen, identity)
        if why is None:
            return True
        endpoint = next(each for each in self._endpoints if each.url == url)
        endpoint.banned, endpoint.why = True, why
        if endpoint is self._current:
            self._current = None
        self._say(f"endpoint {shown(url)} is not used any more: {why}")
        return False

    def _anchor(self, endpoint: Endpoint, seen: Vitals, identity: Identity) -> None:
        """Remembers a block far below the head: a fork of the chain has the same id and the same first block."""
        if seen.head < max(identity.hashes, default=0) + 2 * DEEP:
            return
        try:
            deep = _vitals(endpoint.probe, {seen.head - DEEP}).hashes
        except (FairshareError, ValueError, TypeError, AttributeError):
            return  # the next check finds out what is wrong with it
        first = {number: found for number, found in identity.hashes.items() if number == 0}
        self._identity = Identity(identity.chain_id, {**first, **deep})

    def _may_be_asked(self, endpoint: Endpoint, now: float) -> bool:
        rest = endpoint.rest_s if self._current is not None else min(endpoint.rest_s, _LONGEST_ALONE_S)
        return now >= endpoint.failed_at + rest

    # What is known of them

    def _see(self, head: Any) -> None:
        """The newest block that was handed out: no other endpoint is used before it has got that far."""
        try:
            number = number_in(head) if isinstance(head, str) else number_in(head["number"])
        except (ValueError, TypeError, KeyError):
            return  # the caller finds out
        with self._lock:
            if number >= self._mark:
                self._mark, self._marked_at = number, time.monotonic()

    def _lower_mark(self, alike: dict[str, Vitals], now: float) -> None:
        """Where the only endpoint that had a block is gone, and the others do not get there: it was no head."""
        highest = max((seen.head for seen in alike.values()), default=self._mark)
        if self._current is None and highest < self._mark and now - self._marked_at > MARK_FOR_S:
            self._say(f"no endpoint has block {self._mark}: going on from block {highest}")
            self._mark, self._marked_at = highest, now

    def _use(self, endpoint: Endpoint) -> None:
        if self._last_used is not None and endpoint is not self._last_used:
            why = self._last_used.why or "it is gone"
            self._say(f"now using endpoint {shown(endpoint.url)}; {shown(self._last_used.url)}: {why}")
        self._current = self._last_used = endpoint
        endpoint.why = ""

    def _failed(self, endpoint: Endpoint, why: str, *, is_away: bool) -> None:
        with self._lock:
            rest = min(_FIRST_REST_S * 2**endpoint.failures, _LONGEST_REST_S)
            endpoint.failures = min(endpoint.failures + 1, 16)
            endpoint.failed_at = time.monotonic()
            endpoint.rest_s = rest * random.uniform(0.75, 1.25)  # so that nodes do not all come back at once
            endpoint.why, endpoint.is_away = why, is_away
            if endpoint is self._current:
                self._current = None

    def _unreachable(self) -> FairshareError:
        said = "; ".join(f"{shown(each.url)}: {each.why or 'not asked'}" for each in self._endpoints)
        if all(each.banned for each in self._endpoints):
            return FairshareError(
                Reason.WRONG_CHAIN, f"no endpoint serves the chain: {said}", "give the right endpoints"
            )
        error = FairshareError(
            Reason.CHAIN_UNREACHABLE,
            f"no endpoint can be used: {said}",
            "start one, or give another with --rpc",
        )
        return EndpointAway(error) if any(each.is_away for each in self._endpoints) else error


def _reads_head(method: RPCEndpoint, params: Any) -> bool:
    return method == "eth_blockNumber" or (method == "eth_getBlockByNumber" and params[0] == "latest")


def _vitals(provider: EndpointProvider, numbers: Collection[int]) -> Vitals:
    """Asks for them. CHAIN_UNREACHABLE; ValueError, TypeError, AttributeError where the answers make no sense."""
    chain_id = number_in(provider.make_request(RPCEndpoint("eth_chainId"), []).get("result"))
    hashes: dict[int, bytes] = {}
    for number in numbers:
        block = provider.make_request(RPCEndpoint("eth_getBlockByNumber"), [hex(number), False]).get("result")
        if block is not None:
            hashes[number] = header_in(block)[2]
    newest = provider.make_request(RPCEndpoint("eth_getBlockByNumber"), ["latest", False]).get("result")
    head, head_time, _ = header_in(newest)
    return Vitals(chain_id, hashes, head, head_time)


def _fault_in(answer: Any, methods: Sequence[RPCEndpoint]) -> str | None:
    """What an answer says of the endpoint rather than of the chain: that it limits us, or has not got a block.

    Asked for logs, endpoints call it a limit, too, that there are too many: whoever asks takes fewer blocks.
    """
    answers = answer if isinstance(answer, list) else [answer]
    by_code = "eth_getLogs" not in methods
    for each in answers:
        error = each.get("error")  # checked to be an object by EndpointProvider
        if not isinstance(error, dict):
            continue
        message = str(error.get("message", "")).lower()
        if (by_code and error.get("code") == LIMITED) or any(fault in message for fault in _FAULTS):
            return " ".join(message.split())[:100] or "it limits requests"
    return None
