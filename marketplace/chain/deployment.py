"""Deploys the market, and keeps and checks where it is and what code it runs."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from hexbytes import HexBytes
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from marketplace.chain.artifacts import Artifact, code_hash
from marketplace.chain.client import MarketClient
from marketplace.chain.compile import compile_contracts, compiler_settings
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.linking import libraries_first, libraries_in, linked, matches
from marketplace.chain.sender import Receipt, TransactionSender
from marketplace.chain.types import Address, address
from marketplace.errors import FairshareError, Reason
from marketplace.whole_files import write_whole

DEFAULT_UNBONDING_DELAY_S = 7 * 24 * 3600  # also the longest window a project may have
_LARGEST_FILE = 1024 * 1024  # bytes
_FORMAT: Final = 2
_AddressText = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")]
_HashText = Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$")]


class Deployment(BaseModel):
    """A market and its contracts on a chain, as its file says it (`deployments/README.md`)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal[2]
    version: str = Field(min_length=1, max_length=64)  # of this software
    chain_id: int = Field(ge=1)
    market: _AddressText
    gram_verifier: _AddressText
    vault: _AddressText
    reputation: _AddressText
    judge: _AddressText
    libraries: dict[str, _AddressText]  # by name: the code that the market's calls run
    block: int = Field(ge=0)  # no event of the market, or of its parts, is older
    compiler: dict[str, Any]  # version and settings
    code_hashes: dict[str, _HashText]  # keccak256 of runtime code, by contract and library
    circuits: list[_HashText]  # digests of registered circuits that the deployer vouches for

    def save(self, path: Path) -> None:
        """Writes the deployment as JSON, atomically."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(self.model_dump(), indent=2, sort_keys=True) + "\n")

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
        except OSError as error:
            raise FairshareError(
                Reason.BAD_INPUT, f"{path} cannot be read: {error.strerror}", "give the file of a deployment"
            ) from error
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "the document"
            raise FairshareError(
                Reason.BAD_INPUT, f"{path}: {field}: {first['msg']}", "give the file of a deployment"
            ) from error
        except (ValueError, RecursionError) as error:
            raise FairshareError(
                Reason.BAD_INPUT, f"{path} is not JSON", "give the file of a deployment"
            ) from error

    def client(self, rpc_url: str, *, confirmations: int | None = None) -> MarketClient:
        """A client of this market; nothing is sent yet. `confirmations`: see `ChainClient`."""
        return MarketClient(
            rpc_url,
            self.market,
            expected_chain_id=self.chain_id,
            from_block=self.block,
            confirmations=confirmations,
        )

    def with_circuit(self, digest: bytes) -> Deployment:
        """The same with one circuit more, unless it is named already."""
        circuits = dict.fromkeys([*self.circuits, f"0x{digest.hex()}"])
        return self.model_copy(update={"circuits": list(circuits)})


class CodeOnChain(NamedTuple):
    """A contract or library of the market, its code checked."""

    place: Address
    code_hash: str


def deploy(
    sender: TransactionSender,
    *,
    unbonding_delay_s: int = DEFAULT_UNBONDING_DELAY_S,
    label: str = "market",
) -> Deployment:
    """Deploys libraries, GramVerifier, RoundJudge and TrainingMarket (which creates vault and registry).

    Idempotent for a sender's log, `label`, this checkout's code and the delay: what failed half-way goes on
    where it was. Raises what `sender.send` raises, and INTEGRITY when the chain does not run what was sent.
    """
    contracts = compile_contracts()
    gram_verifier, judge, market = (
        contracts[name] for name in ("GramVerifier", "RoundJudge", "TrainingMarket")
    )
    places: dict[str, Address] = {}
    blocks: list[int] = []

    def create(artifact: Artifact, *arguments: Any) -> Address:
        code = linked(artifact, places)
        factory = sender.client.web3.eth.contract(abi=list(artifact.abi), bytecode=code)
        call = factory.constructor(*arguments)
        what = code_hash(bytes(HexBytes(call.data_in_transaction)))
        receipt = sender.send(f"deploy {label}: {artifact.name} {what}", call)
        places[artifact.key] = _created(artifact, receipt)
        blocks.append(receipt.block_number)
        return places[artifact.key]

    for library in libraries_first(contracts, (gram_verifier, judge, market)):
        create(library)
    parts = create(gram_verifier), create(judge)
    create(market, *parts, unbonding_delay_s)
    client = MarketClient(sender.client.rpc_urls, places[market.key]).connect()
    found = code_on_chain(client)
    return Deployment(
        format=_FORMAT,
        version=version("fairshare"),
        chain_id=client.chain_id,
        market=found["TrainingMarket"].place,
        gram_verifier=found["GramVerifier"].place,
        vault=found["StakeVault"].place,
        reputation=found["ReputationRegistry"].place,
        judge=found["RoundJudge"].place,
        libraries={name: code.place for name, code in found.items() if contracts[name].is_library},
        block=min(blocks),
        compiler=compiler_settings(),
        code_hashes={name: code.code_hash for name, code in found.items()},
        circuits=[],
    )


def verify_code(client: MarketClient) -> dict[str, str]:
    """Checks that the chain runs this checkout's contracts, and that they belong to each other.

    Returns the code hashes by name of contract and library. Raises INTEGRITY naming the first that differs.
    """
    return {name: code.code_hash for name, code in code_on_chain(client).items()}


def code_on_chain(client: MarketClient) -> dict[str, CodeOnChain]:
    """Market, parts and libraries by name, checked as `verify_code` says."""
    found: dict[str, CodeOnChain] = {}
    by_key = {artifact.key: artifact for artifact in compile_contracts().values()}
    waiting = [
        (compile_contracts()[name], place)
        for name, place in (
            ("TrainingMarket", client.address),
            ("GramVerifier", client.gram_verifier_address),
            ("StakeVault", client.vault.address),
            ("ReputationRegistry", client.reputation_address),
            ("RoundJudge", client.judge),
        )
    ]
    while waiting:
        artifact, place = waiting.pop(0)
        if artifact.name in found and found[artifact.name].place == place:
            continue
        code = client.code(place)
        if not matches(artifact, code, place):
            raise _differs(f"the code of {artifact.name} at {place} is not what this checkout compiles to")
        if artifact.name in found:
            raise _differs(f"the market works with two copies of {artifact.name}, one of them at {place}")
        found[artifact.name] = CodeOnChain(place, code_hash(code))
        waiting += [(by_key[library], at) for library, at in libraries_in(artifact, code).items()]
    for name, contract in (("StakeVault", client.vault.contract), ("ReputationRegistry", client.reputation)):
        with translated_errors(f"read the market of {name}"):
            owner = contract.functions.market().call()
        if address(owner) != client.address:
            raise _differs(f"{name} at {found[name].place} belongs to another market, {owner}")
    return found


def _created(artifact: Artifact, receipt: Receipt) -> Address:
    if receipt.contract_address is None:
        raise FairshareError(
            Reason.INTEGRITY, f"the deployment of {artifact.name} created no contract", "try again"
        )
    return receipt.contract_address


def _differs(message: str) -> FairshareError:
    return FairshareError(
        Reason.INTEGRITY, message, "do not use this market, or check out the version that it was made with"
    )
