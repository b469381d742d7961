"""The chain's `contact` of an aggregator, at most 256 bytes of UTF-8 in lines.

The first line is its storage node's multiaddress; a line that starts with "http" is where it takes signed submissions.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from marketplace.errors import FairshareError, Reason
from marketplace.storage.multiaddress import MAX_CHARACTERS, check_multiaddress

MAX_BYTES = 256


def encode_contact(multiaddress: str, url: str | None = None) -> bytes:
    """The bytes for the chain. Raises BAD_INPUT unless it is the address of a peer that others can dial, and `url`
    is plain HTTP or HTTPS."""
    lines = [check_multiaddress(multiaddress)]
    if url is not None:
        lines.append(_checked_url(url))
    contact = "\n".join(lines).encode("ascii")
    if len(contact) > MAX_BYTES:
        raise FairshareError(
            Reason.BAD_INPUT,
            f"the contact has {len(contact)} bytes where {MAX_BYTES} are possible",
            "use shorter addresses",
        )
    return contact


def decode_contact(line: bytes) -> str:
    """The multiaddress in the first line of a contact read from the chain. Raises BAD_INPUT for anything else."""
    # one character more than allowed, so that the check below sees and refuses what is too long
    return check_multiaddress(line[: MAX_CHARACTERS + 1].decode("utf-8", errors="replace"))


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        plain = parts.scheme in ("http", "https") and bool(parts.hostname)
        plain = plain and not (parts.query or parts.fragment or parts.username)
    except ValueError:
        plain = False
    if not plain or not url.isascii() or not url.isprintable() or " " in url:
        raise FairshareError(
            Reason.BAD_INPUT, f"{url[:80]!r} is no address for submissions", "give http://HOST:PORT"
        )
    return url
