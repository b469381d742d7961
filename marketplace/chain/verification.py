"""What a block explorer needs to show that a contract's code comes from its source.

Explorers and Sourcify take solc's standard JSON input; Hardhat's verify plugin sends the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from marketplace.chain.artifacts import Artifact
from marketplace.chain.client import MarketClient
from marketplace.chain.compile import compile_contracts, source_text, standard_input
from marketplace.chain.contracts import encoded_constructor
from marketplace.chain.deployment import code_on_chain
from marketplace.chain.types import Address


class SourceProof(BaseModel):
    """A deployed contract and what its code is made from.

    Compiled, linked with `libraries` and followed by `constructor_arguments`, `standard_json_input` gives the
    creation code byte for byte, its metadata hash included.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    contract: str  # path:Name
    address: str
    chain_id: int
    compiler: str  # with its commit
    constructor_arguments: str  # ABI-encoded, hex without 0x
    libraries: dict[str, str]  # addresses by path:Name
    standard_json_input: dict[str, Any]

    def explorer_input(self) -> dict[str, Any]:
        """The input with the libraries' addresses in its settings, for explorers that link by them (Etherscan).

        They become part of the metadata, so the metadata's hash at the code's end is another one.
        """
        by_path: dict[str, dict[str, str]] = {}
        for key, place in self.libraries.items():
            path, name = key.rsplit(":", 1)
            by_path.setdefault(path, {})[name] = place
        settings = self.standard_json_input["settings"] | {"libraries": by_path}
        return self.standard_json_input | {"settings": settings}


def source_proofs(client: MarketClient) -> dict[str, SourceProof]:
    """Of the market, its parts and libraries, by name. Raises INTEGRITY as `verify_code` does."""
    found = code_on_chain(client)
    contracts = compile_contracts()
    places = {contracts[name].key: code.place for name, code in found.items()}
    delay = client.vault.unbonding_delay()
    arguments: Mapping[str, tuple[Any, ...]] = {
        "TrainingMarket": (found["GramVerifier"].place, found["RoundJudge"].place, delay),
        "StakeVault": (delay,),
    }
    return {name: _proof(contracts[name], places, client.chain_id, arguments.get(name, ())) for name in found}


def write(client: MarketClient, folder: Path) -> list[Path]:
    """Writes each contract's proof as `<folder>/<name>.json`; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, proof in source_proofs(client).items():
        paths.append(folder / f"{name}.json")
        paths[-1].write_text(json.dumps(proof.model_dump(), indent=1, sort_keys=True) + "\n", "utf8")
    return paths


def _proof(
    artifact: Artifact, places: Mapping[str, Address], chain_id: int, arguments: tuple[Any, ...]
) -> SourceProof:
    return SourceProof(
        contract=artifact.key,
        address=places[artifact.key],
        chain_id=chain_id,
        compiler=artifact.compiler,
        constructor_arguments=encoded_constructor(artifact, arguments).hex(),
        libraries={key: places[key] for key in artifact.links},
        standard_json_input=standard_input(
            {path: source_text(path) for path in artifact.sources}, artifact.source, artifact.name
        ),
    )
