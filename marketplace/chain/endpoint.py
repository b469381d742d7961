"""The connection to a chain endpoint: retries with back-off, and every failure as a FairshareError."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import requests
import urllib3
from pydantic_core import from_json
from web3 import Web3
from web3.exceptions import (
    BadFunctionCallOutput,
    BlockNotFound,
    ContractLogicError,
    MismatchedABI,
    TransactionNotFound,
    Web3Exception,
    Web3RPCError,
)
from web3.middleware import AttributeDictMiddleware
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from marketplace.chain.http_posts import BadStatus, EndlessAnswer, HttpPosts
from marketplace.chain.reverts import as_error, revert_data
from marketplace.errors import FairshareError, Reason

REQUEST_TIMEOUT_S = 30.0
LARGEST_ANSWER = 64 << 20  # bytes: logs of 10,000 blocks are far less
RETRY_FOR_S = 10.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
LIMITED = -32005  # "limit exceeded", EIP-1474
_HEADERS = {"Content-Type": "application/json", "User-Agent": "fairshare"}
_ANSWER_HINT = "check that the URL is that of an Ethereum JSON-RPC endpoint"

T = TypeVar("T")

_NO_URL = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)


class EndpointProvider(JSONBaseProvider):
    """JSON-RPC over HTTP that tries again, with growing pauses, for `retry_for_s` seconds.

    Every method this project calls may be repeated: reads change nothing, and a raw transaction is the same
    transaction however often it is sent. Raises CHAIN_UNREACHABLE when the endpoint stays silent or does
    not speak JSON-RPC, TOO_LARGE when it answers with more than `LARGEST_ANSWER`.
    """

    global_ccip_read_enabled = False  # a contract must not send this process to a URL of its choice

    def __init__(
        self, url: str, retry_for_s: float = RETRY_FOR_S, *, timeout_s: float = REQUEST_TIMEOUT_S
    ) -> None:
        super().__init__()
        self._url = url
        self._posts = HttpPosts(url, _HEADERS, timeout_s)
        self._retry_for_s = retry_for_s

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """One JSON-RPC request."""
        body = _packed(_request(0, method, params))

        def asked() -> RPCResponse:
            try:
                return _checked(self._answer(body))
            except BadStatus as error:
                refused = _refusal_in(error) if method == "eth_getLogs" else None
                if refused is None:
                    raise
                return refused

        return self._persistently(asked)

    def make_batch_request(
        self, batch_requests: list[tuple[RPCEndpoint, Any]]
    ) -> list[RPCResponse] | RPCResponse:
        """Several requests at once: as many answers in their order, or one error for all of them."""
        body = _packed([_request(place, *each) for place, each in enumerate(batch_requests)])

        def asked() -> list[RPCResponse] | RPCResponse:
            answers = self._answer(body)
            if not isinstance(answers, list):
                return _checked(answers)
            by_id = {answer["id"]: _checked(answer) for answer in answers}
            if len(answers) != len(batch_requests) or by_id.keys() != set(range(len(answers))):
                raise ValueError("not as many answers as requests")
            return [by_id[place] for place in range(len(answers))]

        return self._persistently(asked)

    def _answer(self, body: bytes) -> Any:
        return from_json(self._posts.post(body, LARGEST_ANSWER), allow_inf_nan=False)

    def _persistently(self, ask: Callable[[], T]) -> T:
        give_up_at = time.monotonic() + self._retry_for_s
        pause = _FIRST_PAUSE_S
        while True:
            try:
                return ask()
            except _NO_URL as error:
                raise FairshareError(
                    Reason.BAD_INPUT,
                    f"{self._url} is no HTTP endpoint",
                    "give a URL such as http://127.0.0.1:8545",
                ) from error
            except EndlessAnswer as error:
                raise FairshareError(
                    Reason.TOO_LARGE,
                    f"the chain endpoint's answer has over {LARGEST_ANSWER >> 20} MiB",
                    "use another endpoint",
                ) from error
            except BadStatus as error:
                if error.status < 500 and error.status != 429:
                    raise unreachable(self._url, str(error), _ANSWER_HINT) from error
                problem: Exception = error
                why = str(error)
            except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
                problem, why = error, type(error).__name__
            except (ValueError, TypeError, KeyError, AttributeError) as error:  # not JSON, or not such JSON
                raise unreachable(self._url, "the answer is not JSON-RPC", _ANSWER_HINT) from error
            if time.monotonic() + pause > give_up_at:
                raise EndpointAway(unreachable(self._url, why)) from problem
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)


def _refusal_in(error: BadStatus) -> RPCResponse | None:
    """Too many logs, or blocks, as some say it: a JSON-RPC error under HTTP status 400 or 413, or the latter alone."""
    if error.status not in (400, 413):
        return None
    try:
        said = from_json(error.body, allow_inf_nan=False)
    except ValueError:
        said = None
    if isinstance(said, dict) and isinstance(said.get("error"), dict):
        return cast(RPCResponse, said)
    too_large = {"jsonrpc": "2.0", "id": 0, "error": {"code": LIMITED, "message": str(error)}}
    return cast(RPCResponse, too_large) if error.status == 413 else None


def _request(id_: int, method: RPCEndpoint, params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id_, "method": method, "params": params or []}


def _packed(request: Any) -> bytes:
    return Web3.to_json(request).encode()


def _checked(response: Any) -> RPCResponse:
    if not isinstance(response, dict) or not ("result" in response or "error" in response):
        raise ValueError("no JSON-RPC response")
    return cast(RPCResponse, response)


def web3_on(provider: JSONBaseProvider) -> Web3:
    """A Web3 on a provider of ours; nothing is sent yet."""
    return Web3(provider, middleware=[AttributeDictMiddleware])


def shown(url: str) -> str:
    """An endpoint's URL for messages: without user, path and query, which may hold a key."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    except ValueError:
        return "the endpoint"


def unreachable(
    url: str, why: str, hint: str = "start the chain, or correct the endpoint's URL"
) -> FairshareError:
    """CHAIN_UNREACHABLE in words."""
    return FairshareError(
        Reason.CHAIN_UNREACHABLE, f"the chain at {shown(url)} cannot be reached: {why}", hint
    )


class EndpointAway(FairshareError):
    """CHAIN_UNREACHABLE because nobody answers, or is too busy to: time may mend it, where a wrong URL stays wrong."""

    def __init__(self, error: FairshareError) -> None:
        super().__init__(error.reason, error.message, error.hint)


@contextlib.contextmanager
def translated_errors(doing: str) -> Iterator[None]:
    """Turns web3's exceptions into FairshareErrors.

    A revert becomes what its custom error says (see `reverts`), a missing contract NO_CONTRACT, an unknown
    block or transaction NOT_FOUND, an error of the endpoint itself CHAIN_UNREACHABLE.
    """
    try:
        yield
    except ContractLogicError as error:
        raise as_error(revert_data(error.data), doing, str(error.message or "")) from error
    except (BadFunctionCallOutput, MismatchedABI) as error:
        raise FairshareError(
            Reason.NO_CONTRACT,
            f"{doing}: the contract there does not answer as expected",
            "check the contract's address and the chain",
        ) from error
    except (TransactionNotFound, BlockNotFound) as error:
        raise FairshareError(
            Reason.NOT_FOUND, f"{doing}: {error}", "check the chain, or wait for it"
        ) from error
    except Web3RPCError as error:
        data = revert_data(_error_field(error, "data"))
        if data:
            raise as_error(data, doing) from error
        refused = FairshareError(
            Reason.CHAIN_UNREACHABLE,
            f"{doing}: the chain endpoint answered: {rpc_message(error)}",
            "try again later",
        )
        raise (EndpointAway(refused) if _error_field(error, "code") == LIMITED else refused) from error
    except Web3Exception as error:
        raise FairshareError(
            Reason.CHAIN_UNREACHABLE, f"{doing}: {type(error).__name__}: {error}", _ANSWER_HINT
        ) from error
    except (
        TypeError,
        ValueError,
        KeyError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:  # web3 takes answers apart unchecked
        raise FairshareError(
            Reason.CHAIN_UNREACHABLE, f"{doing}: the chain endpoint's answer makes no sense", _ANSWER_HINT
        ) from error


def rpc_message(error: Web3RPCError) -> str:
    """The endpoint's own words, cut to one short line."""
    body = (error.rpc_response or {}).get("error", {})
    message = body.get("message", "") if isinstance(body, dict) else str(body)
    return " ".join(str(message or error).split())[:300]


def _error_field(error: Web3RPCError, name: str) -> Any:
    body = (error.rpc_response or {}).get("error", {})
    return body.get(name) if isinstance(body, dict) else None
