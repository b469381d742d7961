"""No module of ours turns bytes into objects by running what is in them, nor has a library do it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from marketplace.chain.compile import project_root

_FOLDERS = ("marketplace", "trainer_node", "aggregator", "zk", "tools")
_MODULES = frozenset(
    {
        *("pickle", "_pickle", "cPickle", "pickletools", "dill", "cloudpickle", "jsonpickle", "marshal"),
        *("shelve", "dbm", "joblib", "datasets", "xmlrpc", "multiprocessing", "codeop"),
    }
)
_OWN_COMMANDS = "marketplace/cli/lazy.py"  # imports our own modules by the names that `main` gives it
_FLOWER = "trainer_node/flower/bridge.py"  # imports what the trainer's own command line names
_NURSERY = "marketplace/devnet/nursery.py"  # multiprocessing, over pipes to processes that it forked itself
_CALLS = frozenset({"eval", "exec", "compile", "__import__"})  # built in
_METHODS = frozenset({"read_pickle", "to_pickle", "load_module", "unsafe_load", "full_load"})
_FULL_LOADERS = frozenset({"Loader", "UnsafeLoader", "FullLoader", "CLoader"})  # of PyYAML


def findings(source: str) -> list[str]:
    """What in a module unpickles, or lets a library unpickle, with its line."""
    tree = ast.parse(source)
    aliases = _aliases(tree)
    return sorted(
        f"{node.lineno}: {what}"
        for node in ast.walk(tree)
        for what in _in(node, aliases)
        if isinstance(node, ast.stmt | ast.expr)
    )


def _aliases(tree: ast.AST) -> dict[str, str]:
    """Names in a module by what they were imported as: `np` is numpy, `load` may be torch.load."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                found[name.asname or name.name.partition(".")[0]] = (
                    name.name if name.asname else name.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                found[name.asname or name.name] = f"{node.module}.{name.name}"
    return found


def _in(node: ast.AST, aliases: dict[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (f"imports {name.name}" for name in node.names if _is_banned(name.name))
    elif isinstance(node, ast.ImportFrom):
        names = [f"{node.module}.{name.name}" for name in node.names]
        yield from (f"imports {name}" for name in names if _is_banned(name))
    elif isinstance(node, ast.Call):
        yield from _in_call(node, aliases)


def _is_banned(name: str) -> bool:
    return name.partition(".")[0] in _MODULES or name.startswith("torch.multiprocessing")


def _in_call(node: ast.Call, aliases: dict[str, str]) -> Iterator[str]:
    called = _dotted(node.func, aliases)
    if isinstance(node.func, ast.Attribute) and not called.count("."):
        called = f"?.{called}"  # a method of what is no name
    last = called.rpartition(".")[2]
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    if called in _CALLS or last in _METHODS:
        yield called
    if "allow_pickle" in given and not _is(given["allow_pickle"], False):
        yield f"{called} with allow_pickle"
    if called == "numpy.load" and len(node.args) > 2:
        yield "numpy.load with allow_pickle by place"
    if called in ("torch.load", "torch.serialization.load") and not _is(given.get("weights_only"), True):
        yield "torch.load without weights_only"
    if called.startswith("yaml.") and last in ("load", "load_all"):
        loader = given.get("Loader", node.args[1] if len(node.args) > 1 else None)
        if loader is None or _dotted(loader, aliases).rpartition(".")[2] in _FULL_LOADERS:
            yield f"{called} with a loader of objects"
    if last in ("import_module", "run_path", "run_module") and not (
        node.args and isinstance(node.args[0], ast.Constant)
    ):
        yield f"{called} of what is not a fixed name"


def _dotted(node: ast.expr, aliases: dict[str, str]) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(aliases.get(node.id, node.id))
    return ".".join(reversed(parts))


def _is(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _modules() -> list[Path]:
    return [path for folder in _FOLDERS for path in sorted((project_root() / folder).rglob("*.py"))]


def test_no_module_of_ours_unpickles() -> None:
    modules = _modules()
    assert len(modules) > 200
    found = {str(path.relative_to(project_root())): findings(path.read_text("utf8")) for path in modules}
    assert len(found.pop(_OWN_COMMANDS)) == 1
    assert [what.partition(": ")[2] for what in found.pop(_FLOWER)] == [
        "importlib.import_module of what is not a fixed name"
    ]
    assert all(": imports multiprocessing" in what for what in found.pop(_NURSERY))
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads as read",
        "import torch.multiprocessing as mp\nimport multiprocessing.connection",
        "import shelve, json",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "import numpy as np\nnp.load(path, None, True)",
        "import numpy as np\nnp.load(path, allow_pickle=asked)",
        "import torch\ntorch.load(path)",
        "import torch\ntorch.load(path, weights_only=False)",
        "from torch import load\nload(path)",
        "import yaml\nyaml.load(text)",
        "import yaml\nyaml.load(text, Loader=yaml.UnsafeLoader)",
        "import pandas as pd\npd.read_pickle(path)",
        "from joblib import load",
        "def f():\n    import marshal",
        "eval(text)",
        "import importlib\nimportlib.import_module(name)",
        "import datasets",
    ],
)
def test_what_unpickles_is_seen(source: str) -> None:
    assert findings(source)


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nnp.load(path, allow_pickle=False)\nnp.load(path)",
        "import torch\ntorch.load(path, weights_only=True)",
        "import yaml\nyaml.safe_load(text)\nyaml.load(text, Loader=yaml.SafeLoader)",
        "import re\nre.compile('x')\nimport json\njson.load(file)",
    ],
)
def test_what_does_not_is_let_be(source: str) -> None:
    assert findings(source) == []
