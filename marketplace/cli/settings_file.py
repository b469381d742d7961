"""fairshare.toml: defaults of the shared options, in the working directory or else in the user's configuration.

Keys at the top hold for every command; a table [project], [trainer], .. holds for that group and rules over them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marketplace.errors import FairshareError, Reason
from marketplace.node.options import NAMES, PATHS, user_folder

NAME = "fairshare.toml"
_LARGEST = 64 * 1024  # bytes

Value = str | int | float | list[str]
Values = Mapping[str, Value]
_KINDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "rpc": ((str, list), "a text or a list of texts"),
    "peers": ((list,), "a list of texts"),
    "providers": ((list,), "a list of texts"),
    "keep_days": ((int,), "a whole number"),
    "chain_id": ((int,), "a whole number"),
    "confirmations": ((int,), "a whole number"),
    "max_fee_gwei": ((int, float, str), "a number"),
}  # the others are texts


def find() -> Path | None:
    """The file that counts, or None."""
    for path in (Path.cwd() / NAME, user_folder("XDG_CONFIG_HOME", ".config") / NAME):
        if path.is_file():
            return path
    return None


def defaults(path: Path, group: str) -> dict[str, Value]:
    """The defaults for the commands of `group`. Raises BAD_INPUT naming the key."""
    document = _read(path)
    tables = {key: value for key, value in document.items() if isinstance(value, dict)}
    for name, table in tables.items():
        _check(path, table, f"{name}.")
    common = {key: value for key, value in document.items() if key not in tables}
    _check(path, common, "")
    return {key: _resolved(path, key, value) for key, value in (common | tables.get(group, {})).items()}


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ValueError("it is too long")
        return tomllib.loads(content.decode("utf8"))
    except OSError as error:
        raise _bad(path, str(error.strerror)) from error
    except (ValueError, RecursionError) as error:  # of TOML and of UTF-8
        raise _bad(path, str(error)) from error


def _check(path: Path, table: Mapping[str, Any], prefix: str) -> None:
    for key, value in table.items():
        if key not in NAMES:
            raise _bad(path, f"there is no setting {prefix}{key}")
        kinds, wanted = _KINDS.get(key, ((str,), "a text"))
        items = value if isinstance(value, list) else ()
        if type(value) not in kinds or not all(isinstance(item, str) for item in items):
            raise _bad(path, f"{prefix}{key} must be {wanted}")


def _resolved(path: Path, key: str, value: Any) -> Any:
    """Paths are relative to the file that names them; one endpoint is a list of one."""
    if key == "rpc" and isinstance(value, str):
        return [value]
    if key not in PATHS:
        return value
    try:
        return str(path.parent / Path(value).expanduser())
    except RuntimeError as error:  # ~ of a user who is not there
        raise _bad(path, f"{key}: {error}") from error


def _bad(path: Path, problem: str) -> FairshareError:
    return FairshareError(Reason.BAD_INPUT, f"{path}: {problem}", f"settings are {', '.join(NAMES)}")
