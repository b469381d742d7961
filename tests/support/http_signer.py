"""A signer in a process of its own that holds one key: `python -m tests.support.http_signer KEY_FILE`.

It answers as Web3Signer does, and, with `--dialect geth`, as geth. `--lie` makes it one that must not be believed.
"""

from __future__ import annotations

import argparse
import http.server
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from eth_account.signers.local import LocalAccount


@contextmanager
def http_signer(key_file: Path, *options: str) -> Iterator[str]:
    """The URL of a signer whose key is in `key_file`, hex."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.http_signer", str(key_file), *options],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)


def signed(account: LocalAccount, method: str, params: list[Any], dialect: str, lie: str) -> Any:
    """The result of one method; KeyError for another one."""
    match method:
        case "eth_accounts":
            return [account.address.lower()]
        case "eth_signTransaction":
            fields = {name: value for name, value in params[0].items() if name != "from"}
            if lie == "value":
                fields["value"] = hex(int(fields["value"], 16) + 1)
            raw = "0x" + account.sign_transaction(fields).raw_transaction.hex()
            return {"raw": raw, "tx": {}} if dialect == "geth" else raw
        case "eth_signTypedData":
            document = json.loads(params[1])
            if lie == "value":
                document["message"] = {**document["message"], "round": 99}
            signature = account.sign_message(encode_typed_data(full_message=document)).signature
        case "eth_sign":
            text = bytes.fromhex(params[1][2:])
            signature = account.sign_message(encode_defunct(text + (b"!" if lie else b""))).signature
        case _:
            raise KeyError(method)
    if dialect == "geth":  # some signers count v from 0
        signature = signature[:-1] + bytes([signature[-1] - 27])
    return "0x" + signature.hex()


def main() -> None:
    """Serves until it is ended; prints its URL first."""
    parser = argparse.ArgumentParser()
    parser.add_argument("key_file", type=Path)
    parser.add_argument("--dialect", default="web3signer")
    parser.add_argument("--lie", default="")
    options = parser.parse_args()
    account: LocalAccount = Account.from_key(options.key_file.read_text().strip())

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
            if options.lie == "rubbish":
                answer["result"] = "0x1234"
            elif options.lie == "refuse":
                answer["error"] = {"code": -32000, "message": "Request denied\nby the rules"}
            else:
                given = request["method"], request["params"]
                answer["result"] = signed(account, *given, options.dialect, options.lie)
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
