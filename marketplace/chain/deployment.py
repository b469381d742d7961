"""Deploys the market, and keeps and checks where it is and what code it runs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from marketplace.chain.artifacts import code_hash
from marketplace.chain.client import MarketClient
from marketplace.chain.compile import compile_contracts, compiler_settings
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.sender import Receipt, TransactionSender
from marketplace.chain.types import Address, address
from marketplace.errors import FairshareError, Reason

DEFAULT_UNBONDING_DELAY_S = 7 * 24 * 3600  # also the longest window a project may have
_LARGEST_FILE = 1024 * 1024  # bytes
_ADDRESS = Field(pattern=r"^0x[0-9a-fA-F]{40}$")


class Deployment(BaseModel):
    """A market and its contracts on a chain. `code_hashes`: keccak256 of runtime code by contract."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    chain_id: int = Field(ge=1)
    market: str = _ADDRESS
    gram_verifier: str = _ADDRESS
    vault: str = _ADDRESS
    reputation: str = _ADDRESS
    judge: str = _ADDRESS
    block: int = Field(ge=0)  # no event of the market is older
    compiler: dict[str, Any]
    code_hashes: dict[str, str]

    def save(self, path: Path) -> None:
        """Writes the deployment as JSON, atomically."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(self.model_dump(), indent=2, sort_keys=True) + "\n", "utf8")
        os.replace(temporary, path)

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """Reads what `save` wrote. Raises NOT_FOUND, BAD_INPUT (names the field)."""
        try:
            with path.open("rb") as file:
                content = file.read(_LARGEST_FILE)
            return cls.model_validate(json.loads(content))
        except FileNotFoundError as error:
            raise FairshareError(
                Reason.NOT_FOUND, f"there is no deployment at {path}", "start one: `fairshare devnet up`"
            ) from error
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "the document"
            raise FairshareError(
                Reason.BAD_INPUT, f"{path}: {field}: {first['msg']}", "give the file of a deployment"
            ) from error
        except ValueError as error:
            raise FairshareError(
                Reason.BAD_INPUT, f"{path} is not JSON", "give the file of a deployment"
            ) from error

    def client(self, rpc_url: str) -> MarketClient:
        """A client of this market; nothing is sent yet."""
        return MarketClient(rpc_url, self.market, expected_chain_id=self.chain_id)


def deploy(
    sender: TransactionSender,
    *,
    unbonding_delay_s: int = DEFAULT_UNBONDING_DELAY_S,
    label: str = "market",
) -> Deployment:
    """Deploys GramVerifier and TrainingMarket (which creates vault, registry and judge).

    Idempotent for a sender's log and `label`. Raises what `sender.send` raises.
    """
    gram_verifier, _ = _create(sender, label, "GramVerifier")
    market, receipt = _create(sender, label, "TrainingMarket", gram_verifier, unbonding_delay_s)
    client = MarketClient(sender.client.rpc_url, market).connect()
    return Deployment(
        chain_id=client.chain_id,
        market=market,
        gram_verifier=gram_verifier,
        vault=client.vault.address,
        reputation=str(client.reputation.address),
        judge=client.judge,
        block=receipt.block_number,
        compiler=compiler_settings(),
        code_hashes=verify_code(client),
    )


def verify_code(client: MarketClient) -> dict[str, str]:
    """Checks that the chain runs this checkout's contracts, and that they belong to each other.

    Returns the code hashes by contract name. Raises INTEGRITY naming the first contract that differs.
    """
    places: Mapping[str, Address] = {
        "TrainingMarket": client.address,
        "GramVerifier": address(client.gram_verifier.address),
        "StakeVault": client.vault.address,
        "ReputationRegistry": address(client.reputation.address),
        "RoundJudge": client.judge,
    }
    hashes = {}
    for name, place in places.items():
        code = client.code(place)
        if not compile_contracts()[name].matches(code):
            raise _differs(f"the code of {name} at {place} is not what this checkout compiles to")
        hashes[name] = code_hash(code)
    for name, contract in (("StakeVault", client.vault.contract), ("ReputationRegistry", client.reputation)):
        with translated_errors(f"read the market of {name}"):
            owner = contract.functions.market().call()
        if address(owner) != client.address:
            raise _differs(f"{name} at {places[name]} belongs to another market, {owner}")
    return hashes


def _create(sender: TransactionSender, label: str, name: str, *arguments: Any) -> tuple[Address, Receipt]:
    artifact = compile_contracts()[name]
    factory = sender.client.web3.eth.contract(abi=list(artifact.abi), bytecode=artifact.bytecode)
    receipt = sender.send(f"deploy {label}: {name}", factory.constructor(*arguments))
    if receipt.contract_address is None:
        raise FairshareError(Reason.INTEGRITY, f"the deployment of {name} created no contract", "try again")
    return receipt.contract_address, receipt


def _differs(message: str) -> FairshareError:
    return FairshareError(
        Reason.INTEGRITY, message, "do not use this market, or check out the version that it was made with"
    )
