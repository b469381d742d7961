"""A key in a process that does nothing else: JSON-RPC requests, each held against the rules before it is signed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from eth_abi.exceptions import EncodingError
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.exceptions import ValidationError
from pydantic_core import from_json

from marketplace.chain.signer import LocalSigner
from marketplace.chain.signing_rules import Asked, Refusal, Rules
from marketplace.node.journal import NODE, Journal
from marketplace.node.logging import Logger

_SIGNED = "signed"  # journal: by nonce, what its transactions may take
_INVALID_REQUEST, _METHOD_NOT_FOUND, _INTERNAL, _REFUSED = -32600, -32601, -32603, -32000

# What eth_account and eth_abi raise for documents that do not hold what their types say.
_NO_TYPED_DATA = (
    *(ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError),
    *(EncodingError, ValidationError),
)


class SignerService:
    """Answers requests for one account's signatures. Threads may share it.

    What a nonce's transactions may take at most is in the journal before one of them leaves: only one can be mined, so
    the largest counts, for the project that it is for.
    """

    def __init__(self, account: LocalAccount, rules: Rules, journal: Journal, log: Logger) -> None:
        self._account = account
        self._signer = LocalSigner(account)
        self._rules = rules
        self._journal = journal
        self._log = log
        self._lock = threading.Lock()

    def answer(self, body: bytes) -> dict[str, Any]:
        """The JSON-RPC response to a request, which may be anything."""
        try:
            request = from_json(body, allow_inf_nan=False)
            if not isinstance(request, dict):
                raise ValueError("no object")
            method, params, number = request["method"], request.get("params", []), request.get("id")
            if not isinstance(method, str) or not isinstance(params, list):
                raise ValueError("no method, or no list of parameters")
        except (ValueError, KeyError):
            return _error(None, _INVALID_REQUEST, "one JSON-RPC request with a list of parameters is wanted")
        try:
            return {"jsonrpc": "2.0", "id": number, "result": self._result(method, params)}
        except Refusal as error:
            self._log.warning("refused", method=method[:40], problem=str(error))
            return _error(number, _REFUSED, str(error))
        except LookupError:
            return _error(number, _METHOD_NOT_FOUND, f"{method[:40]} is not answered here")

    def _result(self, method: str, params: list[Any]) -> Any:
        match method, params:
            case "eth_accounts", []:
                return [self._signer.address]
            case "eth_signTransaction", [given]:
                return self._transaction(self._rules.transaction(given))
            case "eth_signTypedData", [account, text]:
                return self._typed_data(self._rules.typed_data(account, text))
            case "eth_sign", [account, data]:
                signature = self._signer.sign_text(self._rules.text(account, data))
                return "0x" + signature.hex()
        raise LookupError(method)

    def _transaction(self, asked: Asked) -> str:
        with self._lock:
            taken = self._taken(asked.nonce)
            own = _key(asked.project)
            more = max(0, asked.most_cost - taken.get(own, 0))
            self._rules.check_limit(asked.project, self._spent(own), more)
            if more:
                with self._journal.atomic():
                    kept = {name: str(amount) for name, amount in {**taken, own: asked.most_cost}.items()}
                    self._journal.put(NODE, NODE, f"{_SIGNED}:{asked.nonce}", kept)
                    self._journal.put(NODE, NODE, f"{_SIGNED}-for:{own}", str(self._spent(own) + more))
        self._log.info("signed", nonce=asked.nonce, project=asked.project, most_cost=str(asked.most_cost))
        return "0x" + self._signer.sign_transaction(asked.fields).raw.hex()

    def _typed_data(self, document: Mapping[str, Any]) -> str:
        try:
            signable = encode_typed_data(full_message=dict(document))
        except _NO_TYPED_DATA as error:
            raise Refusal("no typed data") from error
        return "0x" + bytes(self._account.sign_message(signable).signature).hex()

    def _taken(self, nonce: int) -> dict[str, int]:
        kept = self._journal.get(NODE, NODE, f"{_SIGNED}:{nonce}", {})
        return {name: int(amount) for name, amount in kept.items()}

    def _spent(self, own: str) -> int:
        return int(self._journal.get(NODE, NODE, f"{_SIGNED}-for:{own}", "0"))


def _key(project: int | None) -> str:
    return "other" if project is None else str(project)


def _error(number: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}
