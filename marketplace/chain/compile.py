"""Compiles Solidity with the one compiler, and the one set of settings, of the project (see `tools/`)."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import solcx
from filelock import FileLock
from solcx.exceptions import SolcError

from marketplace.chain.artifacts import Artifact, from_json, to_json
from marketplace.errors import FairshareError, Reason
from marketplace.whole_files import write_whole

_OUTPUTS = [
    "abi",
    "metadata",
    "evm.bytecode.object",
    "evm.bytecode.linkReferences",
    "evm.deployedBytecode.object",
    "evm.deployedBytecode.linkReferences",
    "evm.deployedBytecode.immutableReferences",
]


@functools.cache
def project_root() -> Path:
    """The checkout that holds `contracts/` and `tools/`; TOOL_MISSING when the package lies elsewhere."""
    root = Path(__file__).resolve().parents[2]
    if not (root / "contracts").is_dir() or not (root / "tools" / "solc-settings.json").is_file():
        raise FairshareError(
            Reason.TOOL_MISSING,
            f"the contracts' sources are not beside the installed package (looked in {root})",
            "install from a checkout: `make setup`",
        )
    return root


@functools.cache
def compiler_settings() -> dict[str, Any]:
    """`{"version": "0.8.30", "settings": {...}}`, the settings every tool of the project compiles with."""
    document = json.loads((project_root() / "tools" / "solc-settings.json").read_text("utf8"))
    return {"version": document["version"], "settings": document["settings"]}


@functools.cache
def compile_contracts() -> Mapping[str, Artifact]:
    """Artifacts of everything under `contracts/`, by contract name; compiled once for each content of the
    sources.

    Raises TOOL_MISSING without compiler or packages, BAD_INPUT when the sources do not compile.
    """
    paths = sorted((project_root() / "contracts").rglob("*.sol"))
    names = [path.relative_to(project_root()).as_posix() for path in paths]
    return _cached("contracts", {name: source_text(name) for name in names})


def source_text(path: str) -> str:
    """The text of a source under the path that the compiler knows it by: of this checkout, or of a package.

    Raises TOOL_MISSING where it is not installed.
    """
    for folder in (project_root(), _packages()):
        if (folder / path).is_file():
            return (folder / path).read_text("utf8")
    raise _missing(f"the source {path} is not installed")


def compile_source(name: str, source: str) -> Artifact:
    """Artifact of contract `name` in the self-contained Solidity text `source`, such as ezkl's generated
    verifier.

    Raises BAD_INPUT when the text does not compile or holds no such contract.
    """
    artifacts = _cached("generated", {f"{name}.sol": source})
    if name not in artifacts:
        raise FairshareError(
            Reason.BAD_INPUT,
            f"the source holds no contract {name} (it holds {', '.join(sorted(artifacts)) or 'none'})",
            "name one of its contracts",
        )
    return artifacts[name]


def _cached(kind: str, sources: Mapping[str, str]) -> dict[str, Artifact]:
    key = _content_key(sources)
    cache = project_root() / "build" / kind
    target = cache / f"{key}.json"
    if target.is_file():
        return from_json(target.read_text("utf8"))
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / f"{key}.lock"):
        if not target.is_file():
            write_whole(target, to_json(compile_standard(standard_input(sources))))
    return from_json(target.read_text("utf8"))


def _content_key(sources: Mapping[str, str]) -> str:
    openzeppelin = _packages() / "@openzeppelin" / "contracts" / "package.json"
    content = {
        "compiler": compiler_settings(),
        "outputs": _OUTPUTS,
        "sources": dict(sources),
        "openzeppelin": json.loads(openzeppelin.read_text("utf8"))["version"]
        if openzeppelin.is_file()
        else "",
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def standard_input(sources: Mapping[str, str], path: str = "*", name: str = "*") -> dict[str, Any]:
    """solc's standard JSON input for source texts by path, with the project's settings: for all contracts, or for
    the one called `name` in `path`.
    """
    return {
        "language": "Solidity",
        "sources": {path: {"content": text} for path, text in sources.items()},
        "settings": compiler_settings()["settings"] | {"outputSelection": {path: {name: _OUTPUTS}}},
    }


def compile_standard(request: dict[str, Any]) -> dict[str, Artifact]:
    """Artifacts of a standard JSON input: its own contracts by name, those of packages that it imports as
    `path:Name`, so that their custom errors can be decoded.

    Raises TOOL_MISSING without compiler or packages, BAD_INPUT when the sources do not compile.
    """
    output = _run_compiler(
        lambda solc: solcx.compile_standard(
            request, solc_binary=solc, base_path=_packages(), allow_paths=[_packages()]
        )
    )
    artifacts: dict[str, Artifact] = {}
    for path, contracts in output["contracts"].items():
        package = path.startswith("@") or path not in request["sources"]
        for name, compiled in contracts.items():
            artifact = Artifact.from_compiler(name, path, compiled)
            artifacts[artifact.key if package else name] = artifact
    return artifacts


def _run_compiler(run: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    solc = project_root() / "tools" / "solc"
    if not solc.is_file() or not (_packages() / "solc").is_dir():
        raise _missing(f"no Solidity compiler at {solc}, or its npm package is not installed")
    try:
        version = str(solcx.wrapper.get_solc_version(solc))
        if version != compiler_settings()["version"]:
            raise _missing(f"the compiler is {version}, but {compiler_settings()['version']} is required")
        return run(solc)
    except SolcError as error:
        lines = [line for line in str(error).splitlines() if "Error" in line] or str(error).splitlines()
        raise FairshareError(
            Reason.BAD_INPUT,
            f"the Solidity sources do not compile: {lines[0].strip()}",
            "correct the sources; `npx hardhat compile` shows all messages",
        ) from error
    except OSError as error:
        raise _missing(f"the Solidity compiler cannot be started: {error}") from error


def _packages() -> Path:
    return project_root() / "node_modules"


def _missing(message: str) -> FairshareError:
    return FairshareError(Reason.TOOL_MISSING, message, "run `make setup` (it needs node 20 or newer)")
