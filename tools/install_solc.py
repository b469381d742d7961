#!/usr/bin/env python3
"""Puts the project's compiler where py-solc-x, and so brownie, looks for installed ones. Needs no network.

The folder is py-solc-x's own ($SOLCX_BINARY_PATH, or ~/.solcx). Running it again changes nothing.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import solcx


def install() -> Path:
    """Writes a launcher of `tools/solc` under the name of its version; returns its path."""
    tools = Path(__file__).resolve().parent
    version = json.loads((tools / "solc-settings.json").read_text("utf8"))["version"]
    folder = solcx.get_solcx_install_folder()
    folder.mkdir(parents=True, exist_ok=True)
    launcher = folder / f"solc-v{version}"
    subprocess.run([str(tools / "solc"), "--write-shim", str(launcher)], check=True)
    found = str(solcx.wrapper.get_solc_version(launcher))
    if found != version:
        raise SystemExit(f"{launcher} is solc {found}, but {version} is required: run `npm ci`")
    return launcher


if __name__ == "__main__":
    print(install())
