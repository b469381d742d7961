"""A node's encryption keys: a fresh X25519 pair for each project, apart from the account's key (docs/operating.md).

They lie below the role's directory, `encryption/project-7.key`, of mode 0600. What is sealed to one opens for as long
as its file is there; destroying it when the project is over is what keeps old updates closed for good.

A node from before there were several has one key for all projects that it joined with it, `encryption.key`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from marketplace.errors import FairshareError, Reason
from marketplace.updates.sealing import EncryptionKey

FOLDER = "encryption"
SHARED = "encryption.key"

_NAME = re.compile(r"(project-([1-9][0-9]{0,19})|owner-[0-9a-f]{16})\.key\Z")


@dataclass(frozen=True)
class KeptKey:
    """A key file. `project` None: of several projects (the shared one), or of the one that an owner posted with it."""

    path: Path
    project: int | None
    public: bytes  # 32


@dataclass(frozen=True)
class KeyRing:
    """The keys below `home`, a role's directory."""

    home: Path

    def of_project(self, project: int, joined_with: bytes | None) -> EncryptionKey:
        """A member's key in a project, made on the first call.

        `joined_with`: the public key, 32 bytes, that the chain has of us in this project; None: we have not joined.
        Raises NOT_FOUND where that key is not here, and what `EncryptionKey.load` raises.
        """
        own = self._path(project)
        if joined_with is not None:
            found = self.find(joined_with)
            if found is None:
                raise FairshareError(
                    Reason.NOT_FOUND,
                    f"the key that this account joined project {project} with is not in {self.home / FOLDER}",
                    "use the state directory that it joined from, or restore its encryption keys from a backup",
                )
            return found
        return _load_or_make(own)

    def of_posting(self, posting: bytes) -> EncryptionKey:
        """An owner's key for a project that is about to be posted, made on the first call.

        `posting`: a digest of what is posted, at least 8 bytes; a project has no number yet.
        """
        return _load_or_make(self.home / FOLDER / f"owner-{posting[:8].hex()}.key")

    def find(self, public: bytes) -> EncryptionKey | None:
        """The key with this public half; None where it is not here."""
        for kept in self.kept():
            if kept.public == public:
                return EncryptionKey.load(kept.path)
        return None

    def kept(self) -> Iterator[KeptKey]:
        """All keys, by file name, the shared one last. Raises what `EncryptionKey.load` raises."""
        folder = self.home / FOLDER
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            named = _NAME.match(path.name)
            if named is not None:
                project = None if named[2] is None else int(named[2])
                yield KeptKey(path, project, EncryptionKey.load(path).public)
        shared = self.home / SHARED
        if shared.exists():
            yield KeptKey(shared, None, EncryptionKey.load(shared).public)

    def destroy(self, project: int) -> bool:
        """Overwrite and remove a project's key; False where there is none of its own.

        A disk that writes elsewhere than where it wrote before, or a backup, may have it still.
        """
        path = self._path(project)
        try:
            with path.open("r+b") as file:
                size = os.fstat(file.fileno()).st_size
                file.write(bytes(size))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
        except FileNotFoundError:
            return False
        return True

    def _path(self, project: int) -> Path:
        return self.home / FOLDER / f"project-{project}.key"


def _load_or_make(path: Path) -> EncryptionKey:
    if path.exists():
        return EncryptionKey.load(path)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = EncryptionKey.generate()
    key.save(path)
    return key
