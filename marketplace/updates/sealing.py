"""X25519 keys that updates are sealed to, and sealed boxes of content keys (libsodium through PyNaCl)."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from marketplace.errors import FairshareError, Reason

KEY_BYTES = 32
SEALED_KEY_BYTES = 80  # ephemeral public key (32), authenticator (16), content key (32)


class EncryptionKey:
    """An X25519 key pair. The private half leaves the object only through `save`."""

    def __init__(self, private: PrivateKey) -> None:
        self._private = private

    @classmethod
    def generate(cls) -> EncryptionKey:
        """A fresh key from the operating system's randomness."""
        return cls(PrivateKey.generate())

    @classmethod
    def from_bytes(cls, secret: bytes) -> EncryptionKey:
        """The key with these 32 secret bytes. Raises BAD_INPUT for another length."""
        if len(secret) != KEY_BYTES:
            raise FairshareError(
                Reason.BAD_INPUT,
                f"an encryption key has {KEY_BYTES} bytes, not {len(secret)}",
                "restore the key file from a backup, or join with a new key",
            )
        return cls(PrivateKey(secret))

    @property
    def public(self) -> bytes:
        """The public half, 32 bytes: what goes on chain as `encryptionKey`."""
        return bytes(self._private.public_key)

    def save(self, path: Path) -> None:
        """Write the secret to a new file of mode 0600, whole or not at all.

        Raises BAD_INPUT if `path` exists: a key that blobs are sealed to is never overwritten.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mkstemp makes it 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(bytes(self._private))
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)  # unlike a rename, refuses to replace
        except FileExistsError:
            raise FairshareError(
                Reason.BAD_INPUT, f"{path} exists already", "use that key, or name another file"
            ) from None
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)

    @classmethod
    def load(cls, path: Path) -> EncryptionKey:
        """Read a key that `save` wrote.

        Raises NOT_FOUND if there is no such file, BAD_INPUT if it is not a key or others may read it.
        """
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                secret = file.read(KEY_BYTES + 1)
        except FileNotFoundError:
            raise FairshareError(
                Reason.NOT_FOUND, f"no encryption key at {path}", "name the file that was made on joining"
            ) from None
        except OSError as error:
            raise FairshareError(
                Reason.BAD_INPUT, f"cannot read the encryption key {path}: {error.strerror}", "check the file"
            ) from error
        if mode & 0o077:
            raise FairshareError(Reason.BAD_INPUT, f"others may read {path}", f"run: chmod 600 {path}")
        return cls.from_bytes(secret)

    def open_box(self, sealed_key: bytes) -> bytes:
        """The 32-byte content key in a sealed box of 80 bytes.

        Raises INTEGRITY if the box is not sealed to this key.
        """
        if len(sealed_key) != SEALED_KEY_BYTES:
            raise FairshareError(
                Reason.INTEGRITY, f"a sealed key has {SEALED_KEY_BYTES} bytes, not {len(sealed_key)}"
            )
        try:
            return SealedBox(self._private).decrypt(sealed_key)
        except CryptoError:
            raise FairshareError(
                Reason.INTEGRITY, "the sealed key does not open with this encryption key"
            ) from None

    def opens(self, sealed_key: bytes) -> bool:
        """Whether the box is sealed to this key."""
        try:
            self.open_box(sealed_key)
        except FairshareError:
            return False
        return True

    def __repr__(self) -> str:
        return f"EncryptionKey(public={self.public.hex()})"


def seal_key(content_key: bytes, recipient_public: bytes) -> bytes:
    """`content_key` (32 bytes) in a sealed box that only the recipient opens: 80 bytes.

    Raises BAD_INPUT for a content key of another length, INTEGRITY for a recipient key that nothing can be
    sealed to (wrong length, or a point of small order): it comes from the chain, thus from a stranger.
    """
    if len(content_key) != KEY_BYTES:
        raise FairshareError(Reason.BAD_INPUT, f"a content key has {KEY_BYTES} bytes, not {len(content_key)}")
    if len(recipient_public) != KEY_BYTES:
        raise FairshareError(
            Reason.INTEGRITY, f"the recipient's key has {len(recipient_public)} bytes, not {KEY_BYTES}"
        )
    try:
        return SealedBox(PublicKey(recipient_public)).encrypt(content_key)
    except CryptoError:
        raise FairshareError(
            Reason.INTEGRITY, "the recipient's key is not one that can be sealed to"
        ) from None
