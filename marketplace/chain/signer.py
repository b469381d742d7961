"""Who signs for an account: a key in this process, or a signer that keeps it elsewhere (`remote_signer`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

from eth_account.messages import encode_defunct, encode_typed_data
from eth_account.signers.local import LocalAccount

from marketplace.chain.types import Address, address

Types = Mapping[str, list[dict[str, str]]]


@dataclasses.dataclass(frozen=True)
class SignedBytes:
    """A signed transaction as it goes to the chain."""

    hash: bytes  # 32
    raw: bytes


class Signer(Protocol):
    """Signs for one account. Signatures are 65 bytes r, s, v, with v 27 or 28.

    A signer elsewhere raises UNAVAILABLE where it does not answer, BAD_INPUT where it refuses, INTEGRITY where what it
    answers is not the account's signature of what it was given.
    """

    @property
    def address(self) -> Address: ...

    def sign_transaction(self, fields: Mapping[str, Any]) -> SignedBytes:
        """Of an EIP-1559 transaction: type, chainId, nonce, to (empty: a contract's creation), value, data, gas and
        the two fees."""

    def sign_typed_data(self, domain: Mapping[str, Any], types: Types, message: Mapping[str, Any]) -> bytes:
        """EIP-712."""

    def sign_text(self, text: str) -> bytes:
        """EIP-191, version 0x45 ("personal sign")."""


@dataclasses.dataclass(frozen=True)
class LocalSigner:
    """A key in this process."""

    account: LocalAccount

    @property
    def address(self) -> Address:
        """The account's."""
        return address(self.account.address)

    def sign_transaction(self, fields: Mapping[str, Any]) -> SignedBytes:
        """See `Signer`."""
        signed = self.account.sign_transaction(dict(fields))
        return SignedBytes(bytes(signed.hash), bytes(signed.raw_transaction))

    def sign_typed_data(self, domain: Mapping[str, Any], types: Types, message: Mapping[str, Any]) -> bytes:
        """See `Signer`."""
        signable = encode_typed_data(dict(domain), dict(types), dict(message))
        return bytes(self.account.sign_message(signable).signature)

    def sign_text(self, text: str) -> bytes:
        """See `Signer`."""
        return bytes(self.account.sign_message(encode_defunct(text=text)).signature)


AnySigner = LocalAccount | Signer


def as_signer(account: AnySigner) -> Signer:
    """The signer of a key in this process, or the signer itself."""
    return LocalSigner(account) if isinstance(account, LocalAccount) else account
