"""Chain, contracts, storage, the owner (this process), an aggregator and the trainers at work on one project."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from marketplace.devnet.demo.troupe import Troupe
from marketplace.devnet.local import keystore_of, running_devnet
from marketplace.devnet.nursery import Nursery
from marketplace.devnet.record import DevnetRecord
from marketplace.errors import FairshareError, Reason
from marketplace.node import logging
from marketplace.node.clock import ChainClock
from marketplace.node.lifecycle import keep_going
from marketplace.node.options import Settings, user_folder
from marketplace.node.peers import PeerBook
from marketplace.node.project import ProjectContext, load_project
from marketplace.node.session import Session, open_session
from marketplace.owner.checked import check_project
from marketplace.owner.model import fetch_model
from marketplace.owner.node import owner_node
from marketplace.owner.post import post
from sidebyside.work import FINAL, MARKS, Work, folder, read_work

TIMEOUT_S = 3600.0


def play(name: str, nursery: Nursery | None, *, at_once: bool, shares: bool) -> None:
    """A project to its end; writes down its model and when each round ended. `nursery`: nodes are forked from it.

    `shares`: all of them use one storage node.
    """
    where = folder()
    work = read_work(where)
    directory = Path(mkdtemp(prefix=f"market-{name}-", dir=where))
    logging.configure(file=directory / "owner.jsonl")
    cache = user_folder("XDG_CACHE_HOME", ".cache")
    with (
        running_devnet(
            directory / "devnet", trainers=work.trainers, aggregators=1, at_once=at_once
        ) as record,
        open_session(_settings(directory, cache, record), "owner") as owner,
    ):
        project = post(owner, check_project(where / f"{name}.toml"), say=lambda _: None).project
        context = load_project(owner.client, owner.store, project, cache)
        common = _common(directory, cache, record, shares=shares)
        with _owner_at_work(owner, context), Troupe(directory, common, nursery) as troupe:
            _start_all(troupe, directory, where, work, project)
            troupe.wait(TIMEOUT_S)
            if any(party.process.returncode != 0 for party in troupe.parties.values()):
                raise FairshareError(Reason.INTERNAL, "a party did not end as it should", f"see {directory}")
        found = fetch_model(context, PeerBook(context, logging.logger()))
        np.save(where / FINAL, found.weights.astype(np.float32))
    (where / MARKS).write_text(json.dumps(_marks(directory)), "utf8")


def _start_all(troupe: Troupe, directory: Path, where: Path, work: Work, project: int) -> None:
    keys = directory / "devnet"
    name = "aggregator-0"
    troupe.start(name, keystore_of(keys, name), ["aggregator", "run", "--project", str(project)])
    for number in range(work.trainers):
        name = f"trainer-{number}"
        options = ["--data", str(where / f"{name}.npz"), "--device", "cpu", "--seed", str(work.seed + number)]
        command = ["trainer", "run", str(project), *options, "--demand-rate", "0"]
        troupe.start(name, keystore_of(keys, name), command)


@contextmanager
def _owner_at_work(owner: Session, context: ProjectContext) -> Iterator[None]:
    """The owner's node, in a thread, until the project is over."""
    log = logging.logger(project=context.project, role="owner")
    with ChainClock(owner.client, stop=owner.stop) as clock:
        step = owner_node(owner, context, clock, None, log).step
        thread = threading.Thread(target=keep_going, args=(step,), kwargs={"stop": owner.stop, "log": log})
        thread.start()
        try:
            yield
            thread.join(TIMEOUT_S)
        finally:
            owner.stop.set()
            thread.join()


def _common(directory: Path, cache: Path, record: DevnetRecord, *, shares: bool) -> dict[str, str]:
    return {
        "FAIRSHARE_RPC": record.rpc,
        "FAIRSHARE_MARKET": record.market,
        "FAIRSHARE_PASSWORD_FILE": str(directory / "devnet" / record.password_file),
        "FAIRSHARE_CACHE_DIR": str(cache),
        **({"FAIRSHARE_STORAGE": record.storage_rpc} if shares else {"FAIRSHARE_PEERS": record.storage_peer}),
    }


def _settings(directory: Path, cache: Path, record: DevnetRecord) -> Settings:
    home = directory / "devnet"
    return Settings(
        rpc=(record.rpc,),
        market=record.market,
        storage=record.storage_rpc,
        peers=(),
        keystore=keystore_of(home, "owner"),
        password_file=home / record.password_file,
        state_dir=directory / "owner",
        cache_dir=cache,
        chain_id=record.chain_id,
    )


def _marks(directory: Path) -> list[float]:
    """When training began, and when each result was posted."""
    logs = directory.glob("trainer-*/log.jsonl")
    began = min(at for log in logs for at in _times(log, "training"))
    return [began, *_times(directory / "aggregator-0" / "log.jsonl", "result posted")]


def _times(log: Path, event: str) -> list[float]:
    lines = (json.loads(line) for line in log.read_text("utf8").splitlines())
    return [datetime.fromisoformat(line["timestamp"]).timestamp() for line in lines if line["event"] == event]
