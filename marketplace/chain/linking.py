"""External libraries: their addresses in the code that calls them, and deployed code against the compiler's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from marketplace.chain.artifacts import Artifact, Span
from marketplace.chain.types import Address, address
from marketplace.errors import FairshareError, Reason


def linked(artifact: Artifact, libraries: Mapping[str, Address]) -> bytes:
    """The creation code, with the addresses of the libraries it calls, by `path:Name`.

    Raises BAD_INPUT when a library's address is missing.
    """
    return _filled(artifact.bytecode, artifact.links, _addresses(artifact, artifact.links, libraries))


def libraries_first(artifacts: Mapping[str, Artifact], roots: Iterable[Artifact]) -> list[Artifact]:
    """All libraries that the roots call, directly or not, each after those that it calls itself."""
    by_key = {artifact.key: artifact for artifact in artifacts.values()}
    order: dict[str, Artifact] = {}

    def visit(artifact: Artifact) -> None:
        for library in artifact.links:
            if library not in order:
                visit(by_key[library])
                order[library] = by_key[library]

    for root in roots:
        visit(root)
    return list(order.values())


def libraries_in(artifact: Artifact, runtime: bytes) -> dict[str, Address]:
    """The libraries' addresses that runtime code holds, where this contract has them; `matches` checks the rest."""
    return {
        library: address("0x" + runtime[spans[0].start :][:20].ljust(20, b"\0").hex())
        for library, spans in artifact.deployed_links.items()
    }


def matches(artifact: Artifact, runtime: bytes, place: Address) -> bool:
    """Whether `runtime`, read from a chain at `place`, is this contract's code up to its immutables.

    Libraries may be anywhere, but each in one place (`libraries_in`).
    """
    expected = bytearray(
        _filled(artifact.deployed_bytecode, artifact.deployed_links, libraries_in(artifact, runtime))
    )
    if artifact.is_library:
        expected[1:21] = bytes.fromhex(place.removeprefix("0x"))
    return _blanked(runtime, artifact.immutable_references) == _blanked(
        expected, artifact.immutable_references
    )


def _addresses(
    artifact: Artifact, links: Iterable[str], libraries: Mapping[str, Address]
) -> Mapping[str, Address]:
    missing = [library for library in links if library not in libraries]
    if missing:
        raise FairshareError(
            Reason.BAD_INPUT,
            f"{artifact.name} calls {', '.join(missing)}, whose address is not known",
            "deploy its libraries first",
        )
    return libraries


def _filled(code: str, links: Mapping[str, tuple[Span, ...]], libraries: Mapping[str, Address]) -> bytes:
    for library, spans in links.items():
        filling = libraries[library].removeprefix("0x").lower()
        for start, length in spans:
            code = code[: 2 * start] + filling + code[2 * (start + length) :]
    return bytes.fromhex(code)


def _blanked(code: bytes | bytearray, immutables: Iterable[Span]) -> bytes:
    plain = bytearray(code)
    for start, length in immutables:
        if start + length <= len(plain):
            plain[start : start + length] = bytes(length)
    return bytes(plain)
