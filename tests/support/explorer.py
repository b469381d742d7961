"""A block explorer on loopback that verifies sources as Etherscan's API has it, and believes nothing.

It compiles what it is sent with the project's solc, and compares creation code, arguments included, and runtime code
with what the chain ran and keeps. Hashes of metadata may differ: explorers link by settings, which are part of it.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from web3.types import RPCEndpoint

from marketplace.chain.artifacts import Artifact
from marketplace.chain.chain_client import ChainClient
from marketplace.chain.compile import compile_standard
from marketplace.chain.linking import matches
from marketplace.chain.types import Address, address
from marketplace.errors import FairshareError

_METADATA_HASH = re.compile(rb"(?<=\xa2\x64ipfs\x58\x22\x12\x20).{32}", re.DOTALL)
_LARGEST_BODY = 16 << 20

Fields = dict[str, str]


class Explorer:
    """Answers requests; `verified` holds names by address, `requests` all that was sent to be verified."""

    def __init__(self, rpc: str) -> None:
        self.client = ChainClient(rpc).connect()
        self.verified: dict[Address, str] = {}
        self.requests: list[Fields] = []
        self.url = ""
        self._outcomes: list[str] = []

    def answer(self, fields: Fields) -> dict[str, Any]:
        """What Etherscan's API answers to the fields of a query or a form."""
        action = fields.get("action")
        if action == "getsourcecode":
            name = self.verified.get(address(fields["address"]), "")
            return _said("1", [{"SourceCode": name, "ContractName": name}])
        if action == "verifysourcecode":
            self.requests.append(fields)
            self._outcomes.append(self.judge(fields))
            return _said("1", str(len(self._outcomes) - 1))
        if action == "checkverifystatus":
            outcome = self._outcomes[int(fields["guid"])]
            return _said("1" if outcome.startswith("Pass") else "0", outcome)
        return _said("0", "Error! Missing Or invalid Action name")

    def judge(self, fields: Fields) -> str:
        """The verdict on a submission; the contract counts as verified where it is good."""
        place = address(fields["contractaddress"])
        path, name = fields["contractname"].rsplit(":", 1)
        request = json.loads(fields["sourceCode"])
        outputs = ["abi", "metadata", "evm.bytecode", "evm.deployedBytecode"]
        request["settings"]["outputSelection"] = {path: {name: outputs}}
        if not all("content" in source for source in request["sources"].values()):
            return "Fail - Unable to verify"  # nothing may come from this machine's disk
        try:
            artifact = _compiled(json.dumps(request))
        except FairshareError:
            return "Fail - Unable to verify"
        arguments = bytes.fromhex(fields["constructorArguements"])
        if fields["compilerversion"] != f"v{artifact.compiler}" or not self._ran(artifact, arguments, place):
            return "Fail - Unable to verify"
        self.verified[place] = name
        return "Pass - Verified"

    def _ran(self, artifact: Artifact, arguments: bytes, place: Address) -> bool:
        created = self._creation_code(place)
        if created is None or artifact.links:
            return False
        runtime = self.client.code(place)
        masked = _with_hash_of(artifact, runtime)
        return matches(masked, runtime, place) and _masked(created) == _masked(
            bytes.fromhex(artifact.bytecode) + arguments
        )

    def _creation_code(self, place: Address) -> bytes | None:
        """Of a contract, created by a transaction or by another contract: the chain's own trace."""
        ask = self.client.web3.provider.make_request
        for number in range(1, self.client.latest_block().number + 1):
            for step in ask(RPCEndpoint("trace_block"), [hex(number)])["result"]:
                if step["type"] == "create" and address(step["result"]["address"]) == place:
                    return bytes.fromhex(step["action"]["init"][2:])
        return None


@functools.cache
def _compiled(request: str) -> Artifact:
    (artifact,) = compile_standard(json.loads(request)).values()
    return artifact


def _with_hash_of(artifact: Artifact, runtime: bytes) -> Artifact:
    """The artifact with the metadata hashes of `runtime` in its own runtime code."""
    theirs = iter(_METADATA_HASH.findall(runtime))
    ours = bytes.fromhex(artifact.deployed_bytecode)
    filled = _METADATA_HASH.sub(lambda found: next(theirs, found[0]), ours)
    return dataclasses.replace(artifact, deployed_bytecode=filled.hex())


def _masked(code: bytes) -> bytes:
    return _METADATA_HASH.sub(bytes(32), code)


def _said(status: str, result: Any) -> dict[str, Any]:
    return {"status": status, "message": "OK" if status == "1" else "NOTOK", "result": result}


@contextmanager
def explorer_of(rpc: str) -> Iterator[Explorer]:
    """An explorer of the chain behind `rpc`, served at `url`."""
    explorer = Explorer(rpc)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(urlsplit(self.path).query)

        def do_POST(self) -> None:
            length = min(int(self.headers["Content-Length"]), _LARGEST_BODY)
            self._reply(self.rfile.read(length).decode())

        def _reply(self, query: str) -> None:
            fields = {key: values[0] for key, values in parse_qs(query, keep_blank_values=True).items()}
            body = json.dumps(explorer.answer(fields)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing: requests are kept in the explorer."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    explorer.url = f"http://127.0.0.1:{server.server_port}/api"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield explorer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
