"""Run as a process: sends one transaction and is killed at a named point.

Arguments: rpc url, journal, lock directory, counter address, and where to die: before-broadcast,
after-broadcast or never.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from web3.types import RPCEndpoint, RPCResponse

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.endpoint import EndpointProvider
from marketplace.chain.sender import TransactionSender
from marketplace.devnet.anvil import public_account
from marketplace.node.journal import Journal


class DeadlyProvider(EndpointProvider):
    def __init__(self, url: str, where: str) -> None:
        super().__init__(url)
        self._where = where

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        if method != "eth_sendRawTransaction":
            return super().make_request(method, params)
        if self._where == "before-broadcast":
            os.kill(os.getpid(), signal.SIGKILL)
        response = super().make_request(method, params)
        if self._where == "after-broadcast":
            os.kill(os.getpid(), signal.SIGKILL)
        return response


def main(url: str, journal: str, locks: str, counter: str, where: str) -> None:
    client = ChainClient(url)
    client.web3.provider = DeadlyProvider(url, where)
    abi = [{"type": "function", "name": "hit", "inputs": [], "outputs": [], "stateMutability": "payable"}]
    contract = client.web3.eth.contract(address=client.web3.to_checksum_address(counter), abi=abi)
    with Journal(Path(journal)) as log:
        sender = TransactionSender(client, public_account(1), log, lock_directory=Path(locks), poll_s=0.02)
        receipt = sender.send("hit once", contract.functions.hit())
        print(receipt.transaction_hash.hex())


if __name__ == "__main__":
    main(*sys.argv[1:])
