"""The contracts' views: how each is asked and its answer read, worked out once for a function.

web3's contract objects look both up in the ABI at every call, at several times the cost of the call.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_abi.decoding import AddressDecoder, ContextFramesBytesIO, TupleDecoder
from eth_abi.encoding import AddressEncoder, TupleEncoder
from eth_abi.exceptions import DecodingError, EncodingError
from eth_abi.registry import ABIRegistry, BaseEquals
from eth_abi.registry import registry as default_registry
from eth_utils.abi import collapse_if_tuple, function_abi_to_4byte_selector
from web3.exceptions import BadFunctionCallOutput

from marketplace.chain.contracts import abi_entry
from marketplace.chain.json_rpc import Request, bytes_in, request
from marketplace.chain.types import Address, address
from marketplace.errors import FairshareError, Reason


@functools.lru_cache(maxsize=4096)
def _checksummed(value: bytes) -> Address:
    return address("0x" + value.hex())


class _ChecksummedAddress(AddressDecoder):
    decoder_fn = staticmethod(_checksummed)  # type: ignore[assignment]


@functools.cache
def _registry() -> ABIRegistry:
    registry: ABIRegistry = default_registry.copy()  # type: ignore[no-untyped-call]
    registry.unregister("address")
    is_address = BaseEquals("address")  # type: ignore[no-untyped-call]
    registry.register(is_address, AddressEncoder, _ChecksummedAddress, label="address")
    return registry


@functools.cache
def _decoder(types: tuple[str, ...]) -> TupleDecoder:
    registry = _registry()
    return TupleDecoder(decoders=[registry.get_decoder(kind) for kind in types])  # type: ignore[no-untyped-call]


def decoded(types: tuple[str, ...], data: bytes) -> tuple[Any, ...]:
    """The values of ABI types in `data`, structs as tuples, addresses checksummed.

    Raises eth_abi's DecodingError; OverflowError and ValueError where data is hostile.
    """
    return tuple(_decoder(types)(ContextFramesBytesIO(data)))  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class View:
    """A function that changes nothing."""

    name: str
    selector: bytes
    arguments: TupleEncoder
    results: tuple[str, ...]

    def at(self, to: Address, arguments: tuple[Any, ...]) -> Question:
        """It, asked of the contract `to`. Raises BAD_INPUT where an argument is beyond its type."""
        try:
            data = self.selector + bytes(self.arguments(arguments))
        except EncodingError as error:
            raise FairshareError(
                Reason.BAD_INPUT,
                f"{self.name} takes no {arguments}",
                "give numbers that the contract can have",
            ) from error
        return Question(self, to, "0x" + data.hex())


@dataclass(frozen=True)
class Question:
    """A view with its arguments, of the contract `to`. `data`: the calldata, hex."""

    view: View
    to: Address
    data: str

    def request(self, tag: str) -> Request:
        """Asks it as of the block of that number or tag."""
        return request("eth_call", {"to": self.to, "data": self.data}, tag)

    def answer_in(self, result: Any) -> Any:
        """What an endpoint's result says: the value, or several as a tuple.

        Raises BadFunctionCallOutput where it is none of this view, ValueError where it is no bytes.
        """
        data = bytes_in(result)
        try:
            values = decoded(self.view.results, data)
        except DecodingError as error:
            raise BadFunctionCallOutput(self.view.name) from error
        return values[0] if len(values) == 1 else values


@functools.cache
def view(contract: str, name: str) -> View:
    """The view `name` of one of the project's interfaces."""
    return view_of(abi_entry(contract, "function", name))


def view_of(entry: Mapping[str, Any]) -> View:
    """The view that an ABI's entry describes."""
    registry = _registry()
    encoders = [registry.get_encoder(collapse_if_tuple(each)) for each in entry["inputs"]]
    return View(
        name=entry["name"],
        selector=bytes(function_abi_to_4byte_selector(entry)),  # type: ignore[arg-type]
        arguments=TupleEncoder(encoders=encoders),  # type: ignore[no-untyped-call]
        results=tuple(collapse_if_tuple(each) for each in entry["outputs"]),
    )
