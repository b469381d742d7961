"""What the compiler makes of a contract: ABI, creation code and runtime code."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from eth_utils.crypto import keccak


class Span(NamedTuple):
    """A stretch of bytes of the code: `start` and `length`, in bytes."""

    start: int
    length: int


@dataclasses.dataclass(frozen=True)
class Artifact:
    """A compiled contract. Codes are hex without `0x`, empty for interfaces and abstract contracts."""

    name: str
    abi: tuple[Mapping[str, Any], ...]
    bytecode: str
    deployed_bytecode: str
    immutable_references: tuple[Span, ...]  # stretches of the runtime code that the constructor fills in

    @classmethod
    def from_compiler(cls, name: str, compiled: Mapping[str, Any]) -> Artifact:
        """From one contract of solc's standard JSON output."""
        code, runtime = compiled["evm"]["bytecode"], compiled["evm"]["deployedBytecode"]
        return cls(
            name=name,
            abi=tuple(compiled["abi"]),
            bytecode=code["object"],
            deployed_bytecode=runtime["object"],
            immutable_references=tuple(
                sorted(
                    Span(place["start"], place["length"])
                    for places in runtime.get("immutableReferences", {}).values()
                    for place in places
                )
            ),
        )

    def matches(self, runtime: bytes) -> bool:
        """Whether `runtime`, read from a chain, is this contract's code up to its immutables."""
        return runtime_without_immutables(runtime, self.immutable_references) == runtime_without_immutables(
            bytes.fromhex(self.deployed_bytecode), self.immutable_references
        )


def runtime_without_immutables(code: bytes, immutables: Sequence[Span]) -> bytes:
    """The code with its immutables zeroed, so that deployed code compares with the compiler's."""
    plain = bytearray(code)
    for start, length in immutables:
        if start + length <= len(plain):
            plain[start : start + length] = bytes(length)
    return bytes(plain)


def code_hash(code: bytes) -> str:
    """keccak256 of a contract's runtime code (EXTCODEHASH), 0x-hex."""
    return "0x" + keccak(code).hex()


def to_json(artifacts: Mapping[str, Artifact]) -> str:
    """Artifacts as JSON text, by name."""
    return json.dumps({name: dataclasses.asdict(artifact) for name, artifact in artifacts.items()})


def from_json(text: str) -> dict[str, Artifact]:
    """The inverse of `to_json`."""
    return {
        key: Artifact(
            name=fields["name"],
            abi=tuple(fields["abi"]),
            bytecode=fields["bytecode"],
            deployed_bytecode=fields["deployed_bytecode"],
            immutable_references=tuple(Span(*span) for span in fields["immutable_references"]),
        )
        for key, fields in json.loads(text).items()
    }
