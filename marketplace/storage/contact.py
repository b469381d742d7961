"""The chain's `contact` of an aggregator: its storage node's multiaddress as UTF-8, at most 256 bytes."""

from __future__ import annotations

from marketplace.storage.multiaddress import MAX_CHARACTERS, check_multiaddress


def encode_contact(multiaddress: str) -> bytes:
    """The bytes for the chain. Raises BAD_INPUT unless it is the address of a peer that others can dial."""
    return check_multiaddress(multiaddress).encode("ascii")


def decode_contact(contact: bytes) -> str:
    """The multiaddress in a contact read from the chain. Raises BAD_INPUT for anything else."""
    # one character more than allowed, so that the check below sees and refuses what is too long
    return check_multiaddress(contact[: MAX_CHARACTERS + 1].decode("utf-8", errors="replace"))
