"""The options that commands of all roles share, and the settings they give.

A flag rules over its FAIRSHARE_* variable, that over fairshare.toml (read by `marketplace.cli`), that over the
default. A command takes them with `@with_settings` and a first parameter `settings: Settings`.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from marketplace.chain.spending import NO_LIMITS, Limits
from marketplace.errors import FairshareError, Reason
from marketplace.node import console
from marketplace.storage.room import parse_size

DEFAULT_RPC = "http://127.0.0.1:8545"
KEEP_DAYS = 30

LAST_ID = 2**63 - 1  # that a journal can keep
MOST_CONFIRMATIONS = 100  # full nodes hold the state of the last 128 blocks

ProjectId = Annotated[int, typer.Argument(metavar="ID", min=1, max=LAST_ID, help="The project's number.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what it would cost and bring; sign nothing.")]
OutputFile = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")]

LogFile = Annotated[
    Path | None, typer.Option("--log-file", metavar="FILE", help="JSON lines; default stderr.")
]
MetricsAt = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="[HOST:]PORT",
        envvar="FAIRSHARE_METRICS",
        help="Serve /metrics, /healthz and /readyz here (needs fairshare[metrics]); HOST is 127.0.0.1 unless given.",
    ),
]
PeerRate = Annotated[
    float,
    typer.Option(
        "--peer-rate",
        metavar="N",
        envvar="FAIRSHARE_PEER_RATE",
        help="Requests a second that one address may make of what this node serves; beyond them it gets 429.",
    ),
]
DEFAULT_PEER_RATE = 50.0
AllProjects = Annotated[
    bool, typer.Option("--all", help="What all your projects have brought and cost, gas included.")
]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more, and show an error's details.")]


def user_folder(variable: str, fallback: str) -> Path:
    """`fairshare` in a folder of the XDG base directory specification."""
    base = os.environ.get(variable, "")
    return (Path(base) if base.startswith("/") else Path.home() / fallback) / "fairshare"


@dataclass(frozen=True)
class Settings:
    """Where a command finds chain, market, storage and keys."""

    rpc: tuple[str, ...]  # endpoints of one chain, the preferred one first
    market: str | None
    storage: str | None
    peers: tuple[str, ...]
    keystore: Path
    password_file: Path | None
    state_dir: Path
    cache_dir: Path
    chain_id: int | None = None  # the chain that is meant; None: whichever the endpoint serves
    from_block: int = 0  # no event of the market is older
    confirmations: int | None = None  # blocks after which one is final; None: as the chain needs
    limits: Limits = NO_LIMITS  # of what transactions may cost
    signer_url: str | None = None  # who signs in place of the keystore
    address: str | None = None  # the account that it signs for
    storage_max: int | None = None  # bytes that a storage repo may have; None: as the disk allows
    keep_days: int = KEEP_DAYS  # after a project's end, of what its audit needs
    providers: tuple[str, ...] = ()  # storage nodes to ask for what the peers at hand do not serve
    pinning_service: str | None = None  # where a second copy of what is kept goes
    pinning_token_file: Path | None = None


def _option(flag: str, text: str, *, variable: str | None = None, **more: Any) -> Any:
    variable = variable or "FAIRSHARE_" + flag.lstrip("-").replace("-", "_").upper()
    return typer.Option(flag, envvar=variable, help=text, **more)


_SETTINGS: Mapping[str, tuple[Any, Any]] = {  # by name: annotation, default
    "rpc": (
        Annotated[
            list[str],
            _option(
                "--rpc",
                "Ethereum JSON-RPC endpoint; given again, those that stand in when it fails.",
                metavar="URL",
            ),
        ],
        [DEFAULT_RPC],
    ),
    "max_fee_gwei": (
        Annotated[
            str | None,
            _option(
                "--max-fee-gwei",
                "Offer at most this for a unit of gas (default: what it takes).",
                metavar="N",
            ),
        ],
        None,
    ),
    "gas_budget": (
        Annotated[
            str | None,
            _option(
                "--gas-budget",
                'Spend at most this on gas in a project, such as "0.05 eth" (default: what it takes).',
                metavar="AMOUNT",
            ),
        ],
        None,
    ),
    "confirmations": (
        Annotated[
            int | None,
            _option(
                "--confirmations",
                "Blocks after which one is taken for final (default: 0 on local chains, 12 elsewhere).",
                metavar="N",
                min=0,
                max=MOST_CONFIRMATIONS,
            ),
        ],
        None,
    ),
    "deployment": (
        Annotated[
            Path | None,
            _option(
                "--deployment",
                "Market, chain and first block, from a file such as deployments/31337-0.1.0.json.",
                metavar="FILE",
            ),
        ],
        None,
    ),
    "market": (
        Annotated[str | None, _option("--market", "The TrainingMarket's address.", metavar="0x..")],
        None,
    ),
    "chain_id": (
        Annotated[
            int | None,
            _option("--chain-id", "Work on this chain only, and refuse any other.", metavar="N", min=1),
        ],
        None,
    ),
    "storage": (
        Annotated[
            str | None,
            _option(
                "--storage",
                "Kubo RPC such as /ip4/127.0.0.1/tcp/5001/http; without it a node of its own is started.",
                metavar="MULTIADDR",
            ),
        ],
        None,
    ),
    "peers": (
        Annotated[
            list[str],
            _option(
                "--peer",
                "Storage node to connect to first (/ip4/../tcp/../p2p/..); may be given again.",
                variable="FAIRSHARE_PEERS",
                metavar="MULTIADDR",
            ),
        ],
        [],
    ),
    "keystore": (
        Annotated[
            Path | None,
            _option(
                "--keystore", "Encrypted Ethereum keystore (default: keystore.json in the state directory)."
            ),
        ],
        None,
    ),
    "password_file": (
        Annotated[
            Path | None,
            _option("--password-file", "File with the keystore's password (or set FAIRSHARE_PASSWORD)."),
        ],
        None,
    ),
    "signer_url": (
        Annotated[
            str | None,
            _option(
                "--signer-url",
                "Sign there in place of the keystore: Web3Signer's JSON-RPC, http(s)://.. or unix:PATH.",
                metavar="URL",
            ),
        ],
        None,
    ),
    "address": (
        Annotated[
            str | None, _option("--address", "The account that --signer-url signs for.", metavar="0x..")
        ],
        None,
    ),
    "storage_max": (
        Annotated[
            str | None,
            _option(
                "--storage-max",
                "What a storage repo may take, such as 20GB (default: what the disk has).",
                metavar="SIZE",
            ),
        ],
        None,
    ),
    "keep_days": (
        Annotated[
            int,
            _option(
                "--keep-days",
                "For how long to keep what audits need after a project's end.",
                metavar="N",
                min=0,
                max=36_500,
            ),
        ],
        KEEP_DAYS,
    ),
    "providers": (
        Annotated[
            list[str],
            _option(
                "--provider",
                "Storage node to ask for what those at hand do not serve in time; may be given again.",
                variable="FAIRSHARE_PROVIDERS",
                metavar="MULTIADDR",
            ),
        ],
        [],
    ),
    "pinning_service": (
        Annotated[
            str | None,
            _option(
                "--pinning-service",
                "Keep a second copy there (IPFS Pinning Service API); for owners and aggregators.",
                metavar="URL",
            ),
        ],
        None,
    ),
    "pinning_token_file": (
        Annotated[
            Path | None,
            _option(
                "--pinning-token-file", "File with the service's token (or set FAIRSHARE_PINNING_TOKEN)."
            ),
        ],
        None,
    ),
    "state_dir": (
        Annotated[Path | None, _option("--state-dir", "Journals, keys and blobs of this machine's nodes.")],
        None,
    ),
    "cache_dir": (
        Annotated[Path | None, _option("--cache-dir", "Circuits and proving keys; safe to delete.")],
        None,
    ),
}
_OUTPUT: Mapping[str, tuple[Any, Any]] = {"json": (Json, False), "verbose": (Verbose, False)}

# What fairshare.toml may say, and which of it are paths (relative to that file).
NAMES = tuple(_SETTINGS)
PATHS = ("deployment", "keystore", "password_file", "pinning_token_file", "state_dir", "cache_dir")


def with_settings(function: Callable[..., None]) -> Callable[..., None]:
    """A command that also takes the shared options, given to `function` as its `settings`.

    Its annotations must be resolvable when the module is imported.
    """

    def call(values: dict[str, Any], arguments: dict[str, Any]) -> None:
        console.configure(json=values["json"], verbose=values["verbose"])
        function(settings=_settings(values), **arguments)

    return extended(function, {**_SETTINGS, **_OUTPUT}, call, skip=("settings",))


def with_output(function: Callable[..., None]) -> Callable[..., None]:
    """A command that also takes --json and --verbose."""

    def call(values: dict[str, Any], arguments: dict[str, Any]) -> None:
        console.configure(json=values["json"], verbose=values["verbose"])
        function(**arguments)

    return extended(function, _OUTPUT, call, skip=())


def _settings(values: Mapping[str, Any]) -> Settings:
    state = values["state_dir"] or user_folder("XDG_STATE_HOME", ".local/state")
    market, chain_id, from_block = _market(values["deployment"], values["market"], values["chain_id"])
    return Settings(
        rpc=tuple(values["rpc"]),
        market=market,
        storage=values["storage"],
        peers=tuple(values["peers"] or ()),
        keystore=values["keystore"] or state / "keystore.json",
        password_file=values["password_file"],
        state_dir=state,
        cache_dir=values["cache_dir"] or user_folder("XDG_CACHE_HOME", ".cache"),
        chain_id=chain_id,
        from_block=from_block,
        confirmations=values["confirmations"],
        limits=Limits(
            max_fee=amount_of("max_fee_gwei", values["max_fee_gwei"], " gwei"),
            gas_budget=amount_of("gas_budget", values["gas_budget"]),
        ),
        signer_url=values["signer_url"],
        address=values["address"],
        storage_max=None if values["storage_max"] is None else parse_size(values["storage_max"]),
        keep_days=values["keep_days"],
        providers=tuple(values["providers"] or ()),
        pinning_service=values["pinning_service"],
        pinning_token_file=values["pinning_token_file"],
    )


def amount_of(name: str, text: str | None, unit: str = "") -> int | None:
    """A setting that is an amount of the chain's coin, in wei. BAD_INPUT naming it."""
    if text is None:
        return None
    from marketplace.spec.amounts import parse_amount

    try:
        return parse_amount(text + unit)
    except ValueError as error:
        wanted = "a number of gwei, such as 40" if unit else 'an amount such as "0.05 eth"'
        raise FairshareError(
            Reason.BAD_INPUT, f"{name} is {text!r}, which is no amount", f"write {wanted}"
        ) from error


def _market(
    deployment: Path | None, market: str | None, chain_id: int | None
) -> tuple[str | None, int | None, int]:
    """Market, chain and first block. BAD_INPUT where what is given beside the deployment's file contradicts it."""
    if deployment is None:
        return market, chain_id, 0
    from marketplace.chain.deployment import Deployment

    held = Deployment.load(deployment)
    for name, given, stated in (
        ("market", market and market.lower(), held.market.lower()),
        ("chain_id", chain_id, held.chain_id),
    ):
        if given is not None and given != stated:
            raise FairshareError(
                Reason.BAD_INPUT,
                f"{name} is given as {given}, but {deployment} says {stated}",
                "give the one or the other; a fairshare.toml or a FAIRSHARE_* variable may say it too",
            )
    return held.market, held.chain_id, held.block


def extended(
    function: Callable[..., None],
    options: Mapping[str, tuple[Any, Any]],
    call: Callable[[dict[str, Any], dict[str, Any]], None],
    skip: tuple[str, ...],
) -> Callable[..., None]:
    """`function` with more options in its signature, where typer looks for them.

    `options`, by name: annotation and default. `call` gets their values, then all other arguments; what `skip` names is
    its to give.
    """

    @functools.wraps(function)
    def command(**arguments: Any) -> None:
        values = {name: arguments.pop(name) for name in options}
        call(values, arguments)

    own = inspect.signature(function, eval_str=True).parameters
    parameters = [own[name].replace(kind=inspect.Parameter.KEYWORD_ONLY) for name in own if name not in skip]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in options.items()
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command
