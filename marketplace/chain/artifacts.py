"""What the compiler makes of a contract: ABI, creation code and runtime code."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from eth_utils.crypto import keccak

_OWN_ADDRESS = "73" + 40 * "0" + "3014"  # PUSH20 0 ADDRESS EQ: solc's guard against calls to a library itself


class Span(NamedTuple):
    """A stretch of bytes of the code: `start` and `length`, in bytes."""

    start: int
    length: int


@dataclasses.dataclass(frozen=True)
class Artifact:
    """A compiled contract. Codes are hex without `0x`, empty for interfaces and abstract contracts, and hold
    placeholders where libraries are to be linked (see `linking`)."""

    name: str
    source: str  # the path of its source, as the compiler knows it
    sources: tuple[str, ...]  # that one, and all that it imports, directly or not
    compiler: str  # with its commit
    abi: tuple[Mapping[str, Any], ...]
    bytecode: str
    deployed_bytecode: str
    immutable_references: tuple[Span, ...]  # stretches of the runtime code that the constructor fills in
    links: Mapping[str, tuple[Span, ...]]  # of the creation code, by library ("path:Name")
    deployed_links: Mapping[str, tuple[Span, ...]]  # of the runtime code

    @classmethod
    def from_compiler(cls, name: str, source: str, compiled: Mapping[str, Any]) -> Artifact:
        """From one contract of solc's standard JSON output."""
        code, runtime = compiled["evm"]["bytecode"], compiled["evm"]["deployedBytecode"]
        metadata = json.loads(compiled["metadata"])
        return cls(
            name=name,
            source=source,
            sources=tuple(sorted(metadata["sources"])),
            compiler=metadata["compiler"]["version"],
            abi=tuple(compiled["abi"]),
            bytecode=code["object"],
            deployed_bytecode=runtime["object"],
            immutable_references=_spans(
                place for places in runtime.get("immutableReferences", {}).values() for place in places
            ),
            links=_links(code),
            deployed_links=_links(runtime),
        )

    @property
    def key(self) -> str:
        """`path:Name`, which names one contract of a compilation."""
        return f"{self.source}:{self.name}"

    @property
    def is_library(self) -> bool:
        """Whether the runtime code begins with its own address, which is put there as it is deployed."""
        return self.deployed_bytecode.startswith(_OWN_ADDRESS)


def _spans(places: Iterable[Mapping[str, int]]) -> tuple[Span, ...]:
    return tuple(sorted(Span(place["start"], place["length"]) for place in places))


def _links(code: Mapping[str, Any]) -> dict[str, tuple[Span, ...]]:
    return {
        f"{path}:{library}": _spans(places)
        for path, libraries in sorted(code.get("linkReferences", {}).items())
        for library, places in sorted(libraries.items())
    }


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
            **fields
            | {
                "sources": tuple(fields["sources"]),
                "abi": tuple(fields["abi"]),
                "immutable_references": tuple(Span(*span) for span in fields["immutable_references"]),
                "links": _links_from_json(fields["links"]),
                "deployed_links": _links_from_json(fields["deployed_links"]),
            }
        )
        for key, fields in json.loads(text).items()
    }


def _links_from_json(links: Mapping[str, list[list[int]]]) -> dict[str, tuple[Span, ...]]:
    return {library: tuple(Span(*span) for span in spans) for library, spans in links.items()}
