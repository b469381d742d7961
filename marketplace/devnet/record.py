"""devnet.json: where a devnet is and which processes are its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from marketplace.devnet.processes import ProcessMark
from marketplace.errors import FairshareError, Reason
from marketplace.whole_files import write_whole

NAME = "devnet.json"


class ProcessRecord(BaseModel):
    """A process of the devnet."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    pid: int
    started: str

    @property
    def mark(self) -> ProcessMark:
        """The process itself."""
        return ProcessMark(self.pid, self.started)

    @classmethod
    def of(cls, pid: int) -> Self:
        """The record of a running process."""
        mark = ProcessMark.of(pid)
        return cls(pid=mark.pid, started=mark.started)


class DevnetRecord(BaseModel):
    """A running devnet. Paths are relative to its directory."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    rpc: str
    chain_id: int
    market: str
    storage_rpc: str
    storage_peer: str
    accounts: dict[str, str]  # address by name; the keystore is keys/NAME.json
    password_file: str
    supervisor: ProcessRecord
    chain: ProcessRecord
    storage: ProcessRecord

    def save(self, directory: Path) -> None:
        """Writes devnet.json, whole or not at all."""
        write_whole(directory / NAME, json.dumps(self.model_dump(), indent=2) + "\n")

    @classmethod
    def load(cls, directory: Path) -> DevnetRecord:
        """Raises NOT_FOUND, BAD_INPUT."""
        path = directory / NAME
        try:
            return cls.model_validate(json.loads(path.read_text("utf8")))
        except FileNotFoundError as error:
            raise FairshareError(
                Reason.NOT_FOUND,
                f"there is no devnet in {directory}",
                "start one: `fairshare devnet up`, or name its directory with --dir",
            ) from error
        except (ValueError, ValidationError, OSError) as error:
            raise FairshareError(
                Reason.BAD_INPUT, f"{path} is not the record of a devnet", "remove it and start a devnet anew"
            ) from error

    def processes(self) -> tuple[ProcessMark, ...]:
        """All of them, the one that starts and ends the others first."""
        return (self.supervisor.mark, self.storage.mark, self.chain.mark)
