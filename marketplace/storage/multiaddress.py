"""Multiaddresses that we dial: /ip4|ip6|dns4/HOST/tcp/PORT/p2p/PEER and nothing else (https://multiformats.io)."""

from __future__ import annotations

import ipaddress
import re

import base58

from marketplace.errors import FairshareError, Reason

MAX_CHARACTERS = 256

_DNS_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_DNS_NAME = re.compile(rf"{_DNS_LABEL}(?:\.{_DNS_LABEL})*\.?\Z")
_PORT = re.compile(r"[1-9][0-9]{0,4}\Z")
_SHA256_MULTIHASH = b"\x12\x20"
ED25519_IDENTITY = b"\x00\x24\x08\x01\x12\x20"


def check_multiaddress(text: str) -> str:
    """`text` itself, if it is a multiaddress of a peer that we dial.

    Raises BAD_INPUT naming the part that is wrong: such addresses come from the chain, thus from strangers.
    """
    if len(text) > MAX_CHARACTERS or not text.isascii():
        raise _bad(text, f"it has more than {MAX_CHARACTERS} characters or some that are not ASCII")
    parts = text.split("/")
    if len(parts) != 7 or parts[0] or parts[3] != "tcp" or parts[5] != "p2p":
        raise _bad(text, "it must read /ip4|ip6|dns4/HOST/tcp/PORT/p2p/PEER")
    _, network, host, _, port, _, peer = parts
    if not _is_host(network, host):
        raise _bad(text, f"{network}/{host[:64]} is not a host that can be dialled")
    if not _PORT.match(port) or int(port) > 0xFFFF:
        raise _bad(text, "its port is not between 1 and 65535")
    if not _is_peer_id(peer):
        raise _bad(text, "what follows /p2p/ is not a peer ID")
    return text


def check_peer_id(text: str) -> str:
    """`text` itself, if it is a peer ID; ValueError else."""
    if not _is_peer_id(text):
        raise ValueError("not a peer ID")
    return text


def _is_host(network: str, host: str) -> bool:
    if network == "dns4":
        return bool(_DNS_NAME.match(host))
    try:
        if network == "ip4":
            address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.IPv4Address(host)
        elif network == "ip6":
            address = ipaddress.IPv6Address(host)
        else:
            return False
    except ValueError:
        return False
    return not (address.is_unspecified or address.is_multicast or "%" in host)


def _is_peer_id(peer: str) -> bool:
    if len(peer) > 64:
        return False
    try:
        decoded = base58.b58decode(peer)
    except ValueError:
        return False
    if base58.b58encode(decoded) != peer.encode("ascii"):  # the decoder overlooks spaces
        return False
    if len(decoded) == 34:
        return decoded.startswith(_SHA256_MULTIHASH)
    return len(decoded) == 38 and decoded.startswith(ED25519_IDENTITY)


def _bad(text: str, cause: str) -> FairshareError:
    return FairshareError(Reason.BAD_INPUT, f"not a peer's address: {text[:80]!r}: {cause}")
