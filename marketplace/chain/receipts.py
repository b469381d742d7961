"""What became of transactions: many receipts at once, of each what is paid for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hexbytes import HexBytes
from web3.exceptions import TransactionNotFound
from web3.types import RPCEndpoint

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.transaction_log import Mined
from marketplace.errors import FairshareError, Reason

_BATCH = 100  # receipts in a request


def mined(client: ChainClient, hashes: Sequence[bytes]) -> list[Mined | None]:
    """Of each transaction how it was mined; None where it is in no block.

    Raises CHAIN_UNREACHABLE, and INTEGRITY where the endpoint serves the receipt of another transaction.
    """
    found: list[Mined | None] = []
    for start in range(0, len(hashes), _BATCH):
        found += _batch(client, hashes[start : start + _BATCH])
    return found


def _batch(client: ChainClient, hashes: Sequence[bytes]) -> list[Mined | None]:
    method = RPCEndpoint("eth_getTransactionReceipt")
    with translated_errors("read receipts"):
        asked = [(method, ["0x" + wanted.hex()]) for wanted in hashes]
        answers = client.web3.provider.make_batch_request(asked)  # type: ignore[attr-defined]
        if not isinstance(answers, list) or any("error" in answer for answer in answers):
            return [
                _single(client, wanted) for wanted in hashes
            ]  # no batches here, or a problem better told singly
        return [_read(wanted, answer["result"]) for wanted, answer in zip(hashes, answers, strict=True)]


def _single(client: ChainClient, wanted: bytes) -> Mined | None:
    try:
        receipt = client.web3.eth.get_transaction_receipt(HexBytes(wanted))
    except TransactionNotFound:
        return None
    return Mined(
        receipt["status"] == 1,
        int(receipt["blockNumber"]),
        int(receipt["gasUsed"]),
        int(receipt["effectiveGasPrice"]),
    )


def _read(wanted: bytes, receipt: Mapping[str, Any] | None) -> Mined | None:
    if receipt is None:
        return None
    if bytes(HexBytes(receipt["transactionHash"])) != wanted:
        raise FairshareError(
            Reason.INTEGRITY,
            "the chain endpoint served the receipt of another transaction",
            "use another endpoint",
        )
    return Mined(
        int(receipt["status"], 16) == 1,
        int(receipt["blockNumber"], 16),
        int(receipt["gasUsed"], 16),
        int(receipt["effectiveGasPrice"], 16),
    )
