"""A file that holds one secret: a password, a token."""

from __future__ import annotations

from pathlib import Path

from marketplace.errors import FairshareError, Reason

_LONGEST = 4096  # bytes


def secret_in(path: Path, what: str) -> str:
    """The text in `path`, without line ends after it. BAD_INPUT naming `what`, such as "password"."""
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
        if len(content) > _LONGEST:
            raise ValueError("too long")
        return content.decode("utf8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        raise FairshareError(
            Reason.BAD_INPUT,
            f"the {what} file {path} cannot be read: {getattr(error, 'strerror', None) or 'it holds no text'}",
            f"give a file that holds the {what} alone",
        ) from error
