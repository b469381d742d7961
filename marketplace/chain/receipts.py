"""What became of transactions: receipts, many at once, of each what is paid for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_typing import ChecksumAddress
from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import Web3RPCError
from web3.types import LogReceipt, RPCResponse, TxReceipt

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.endpoint import rpc_message, translated_errors
from marketplace.chain.json_rpc import (
    Request,
    amount_in,
    answers,
    bytes_in,
    hash_in,
    number_in,
    request,
    result_in,
)
from marketplace.chain.transaction_log import Mined
from marketplace.errors import FairshareError, Reason


def mined(client: ChainClient, hashes: Sequence[bytes]) -> list[Mined | None]:
    """Of each transaction how it was mined; None where it is in no block.

    Raises CHAIN_UNREACHABLE, and INTEGRITY where the endpoint serves the receipt of another transaction.
    """
    with translated_errors("read receipts"):
        given = answers(client.web3, [receipt_request(wanted) for wanted in hashes])
        return [_mined(receipt_in(answer, wanted)) for answer, wanted in zip(given, hashes, strict=True)]


def receipt_request(wanted: bytes) -> Request:
    """Asks for the receipt of the transaction of that hash."""
    return request("eth_getTransactionReceipt", "0x" + wanted.hex())


def receipt_in(answer: RPCResponse, wanted: bytes) -> TxReceipt | None:
    """The receipt in the answer to `receipt_request`, in web3's form; None where the transaction is in no block.

    Holds what is read here of receipts, and no more. Raises INTEGRITY where it is another transaction's; what
    `result_in` raises; KeyError, TypeError or ValueError where it is no receipt.
    """
    try:
        given = result_in(answer)
    except Web3RPCError as error:
        if rpc_message(error) == "transaction not found":  # in the place of null
            return None
        raise
    if given is None:
        return None
    if hash_in(given["transactionHash"]) != wanted:
        raise FairshareError(
            Reason.INTEGRITY,
            "the chain endpoint served the receipt of another transaction",
            "use another endpoint",
        )
    receipt: Any = {
        "transactionHash": HexBytes(wanted),
        "status": number_in(given["status"]),
        "blockNumber": number_in(given["blockNumber"]),
        "gasUsed": number_in(given["gasUsed"]),
        "effectiveGasPrice": amount_in(given["effectiveGasPrice"]),
        "contractAddress": _address_in(given.get("contractAddress")),
        "logs": [_log_in(log) for log in given["logs"]],
    }
    return receipt  # type: ignore[no-any-return]


def _address_in(given: Any) -> ChecksumAddress | None:
    return None if given is None else Web3.to_checksum_address(given)


def _log_in(given: Any) -> LogReceipt:
    log: Any = {
        "address": Web3.to_checksum_address(given["address"]),
        "topics": [HexBytes(hash_in(topic)) for topic in given["topics"]],
        "data": HexBytes(bytes_in(given["data"])),
        "blockNumber": number_in(given["blockNumber"]),
        "transactionHash": HexBytes(hash_in(given["transactionHash"])),
        "logIndex": number_in(given["logIndex"]),
    }
    return log  # type: ignore[no-any-return]


def _mined(receipt: TxReceipt | None) -> Mined | None:
    if receipt is None:
        return None
    return Mined(
        succeeded=receipt["status"] == 1,
        block_number=int(receipt["blockNumber"]),
        gas_used=int(receipt["gasUsed"]),
        gas_price=int(receipt["effectiveGasPrice"]),
    )
