"""Runs a demo: devnet, project, trainers, aggregators, audit; in the end, what it came to."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from marketplace.chain.client import MarketClient
from marketplace.chain.compile import compile_contracts
from marketplace.devnet.data import write_parts
from marketplace.devnet.demo import outcome
from marketplace.devnet.demo.cast import HONEST, ROLE_NAMES
from marketplace.devnet.demo.project import Plan, project_file
from marketplace.devnet.demo.screen import Screen, screen
from marketplace.devnet.demo.story import LogReader, Part, Story
from marketplace.devnet.demo.troupe import Troupe
from marketplace.devnet.local import keystore_of, running_devnet
from marketplace.devnet.record import DevnetRecord
from marketplace.errors import FairshareError, Reason
from marketplace.node import console, logging
from marketplace.node.clock import ChainClock
from marketplace.node.peers import PeerBook
from marketplace.node.project import load_project
from marketplace.owner import circuits
from marketplace.owner.checked import CheckedProject, check_project, load_evaluation
from marketplace.owner.watch import Watch
from marketplace.storage.store import ContentStore
from zk import keys

PROJECT = 1  # the first of a new market
OWNER = "owner"
_POST_S = 120.0
_AUDIT_S = 300.0
_CLAIM_S = 60.0  # for everybody to collect what is theirs after the end


class Interrupted(Exception):
    """The stop event was set."""


@dataclass
class _Stage:
    """What is there once set-up is done."""

    plan: Plan
    directory: Path
    record: DevnetRecord
    client: MarketClient
    store: ContentStore
    troupe: Troupe
    checked: CheckedProject
    cache: Path
    stop: threading.Event

    def keystore(self, name: str) -> Path:
        return keystore_of(self.directory / "devnet", name)


def run_demo(plan: Plan, *, keep: Path | None, cache: Path, stop: threading.Event) -> dict[str, Any]:
    """Runs it and returns its JSON document (see `outcome.document`).

    `keep`: a new directory that stays, with every party's files and logs; else all goes in the end. Raises
    Interrupted when `stop` is set, INTERNAL where an honest party fails, and what the devnet raises.
    """
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        directory = _directory(keep, stack)
        logging.configure(file=directory / "demo.jsonl", role="demo")
        with console.working("setting up: data, contracts, circuit and keys") as say:
            checked = _prepare(plan, directory, cache, say)
            record = stack.enter_context(
                running_devnet(
                    directory / "devnet",
                    trainers=len(plan.cast.trainers),
                    aggregators=len(plan.cast.aggregators),
                )
            )
        client = MarketClient(record.rpc, record.market, expected_chain_id=record.chain_id).connect()
        settings = {
            "FAIRSHARE_RPC": record.rpc,
            "FAIRSHARE_MARKET": record.market,
            "FAIRSHARE_PASSWORD_FILE": str(directory / "devnet" / record.password_file),
            "FAIRSHARE_PEERS": record.storage_peer,
            "FAIRSHARE_CACHE_DIR": str(cache),
        }
        troupe = stack.enter_context(Troupe(directory, settings))
        stage = _Stage(
            plan, directory, record, client, ContentStore(record.storage_rpc), troupe, checked, cache, stop
        )
        set_up = time.monotonic()
        story = _play(stage)
        return _conclude(stage, story, set_up - began, set_up)


def _prepare(plan: Plan, directory: Path, cache: Path, say: Any) -> CheckedProject:
    parts = write_parts(directory / "data", plan.dataset, len(plan.cast.trainers), plan.seed, plan.skew)
    path = directory / "project.toml"
    path.write_text(project_file(plan, parts).to_toml(), "utf8")
    checked = check_project(path)
    compile_contracts()
    files = circuits.build(checked.shape, cache, None, lambda phase: say(f"setting up the circuit: {phase}"))
    keys.proving_key(files)
    circuits.compiled_verifier(files)
    return checked


def _play(stage: _Stage) -> Story:
    """From the posting to the project's end."""
    cast, troupe = stage.plan.cast, stage.troupe
    parts = [Part(OWNER, stage.record.accounts[OWNER], HONEST)]
    parts += [Part(name, stage.record.accounts[name], cast.behaviour(name)) for name in cast.names]
    story = Story(parts)
    console.note("the owner posts the project")
    _post(stage)
    storage = ["--storage", stage.record.storage_rpc]
    troupe.start(OWNER, stage.keystore(OWNER), ["project", "serve", str(PROJECT), *storage])
    _start_aggregator(stage, 0)
    for i, behaviour in enumerate(cast.trainers):
        name = f"trainer-{i}"
        arguments = ["trainer", "run", str(PROJECT), "--data", str(stage.directory / "data" / f"{name}.npz")]
        arguments += ["--device", "cpu", "--seed", str(stage.plan.seed + i)]
        if "false-gram" in cast.aggregators:
            arguments += ["--demand-rate", "1"]
        troupe.start(name, stage.keystore(name), arguments + _attack(behaviour))
    readers = {name: LogReader(party.log) for name, party in troupe.parties.items()}
    with screen(story, stage.plan.rounds) as shown, _watching(stage, story) as watch:
        while watch.step():
            _look_around(stage, story, readers, shown)
        troupe.wait(_CLAIM_S)
        _look_around(stage, story, readers, shown)
    return story


def _look_around(stage: _Stage, story: Story, readers: dict[str, LogReader], shown: Screen) -> None:
    if stage.stop.is_set():
        raise Interrupted
    for name, reader in readers.items():
        for line in reader.lines():
            story.log_line(name, line)
    if "aggregator-1" not in stage.troupe.parties and story.first_aggregator_joined:
        _start_aggregator(stage, 1)
        readers["aggregator-1"] = LogReader(stage.troupe.parties["aggregator-1"].log)
    failed = stage.troupe.failed()
    if failed is not None and story.parts[failed.name].behaviour == HONEST:
        raise FairshareError(
            Reason.INTERNAL,
            f"{failed.name} ended: {failed.last_words or 'without a word'}",
            "run it again with --keep DIR and see its log there",
        )
    shown.show()


@contextlib.contextmanager
def _watching(stage: _Stage, story: Story) -> Iterator[Watch]:
    """A look from this process: every round's model is fetched and scored."""
    checked = stage.checked
    assert checked.evaluation is not None  # the demo wrote it
    log = logging.logger(project=PROJECT)
    context = load_project(stage.client, stage.store, PROJECT, stage.cache)
    with ChainClock(stage.client, stop=stage.stop, poll_s=0.25) as clock:
        yield Watch(
            context=context,
            clock=clock,
            peers=PeerBook(context, log),
            evaluation=load_evaluation(checked.evaluation, checked.evaluation_sha256, checked.task),
            on_event=story.event,
            on_model=story.model,
        )


def _start_aggregator(stage: _Stage, index: int) -> None:
    name = f"aggregator-{index}"
    arguments = ["aggregator", "run", "--project", str(PROJECT)]
    stage.troupe.start(name, stage.keystore(name), arguments + _attack(stage.plan.cast.aggregators[index]))


def _attack(behaviour: str) -> list[str]:
    return [] if behaviour == HONEST else ["--attack", ROLE_NAMES.get(behaviour, behaviour)]


def _post(stage: _Stage) -> None:
    status, output = _as_owner(stage, ["project", "post", str(stage.directory / "project.toml")], _POST_S)
    if status or json.loads(output)["project"] != PROJECT:
        raise FairshareError(
            Reason.INTERNAL,
            f"the project could not be posted: {output.strip()}",
            "see the owner's stderr.txt",
        )


def _conclude(stage: _Stage, story: Story, setup_s: float, set_up: float) -> dict[str, Any]:
    with console.working("the owner collects its refund, an auditor audits"):
        _as_owner(stage, ["project", "refund", str(PROJECT)], _POST_S)  # where its node did not
        audit = _audit(stage)
    return outcome.document(
        stage.client,
        PROJECT,
        stage.plan.cast,
        stage.record.accounts,
        story.rounds,
        audit,
        outcome.Seconds(setup_s, time.monotonic() - set_up),
    )


def _audit(stage: _Stage) -> dict[str, Any]:
    status, output = _as_owner(stage, ["audit", str(PROJECT)], _AUDIT_S)
    document: dict[str, Any] = json.loads(output)
    if "checks" not in document:  # it ended with an error before the first check
        error = document["error"]
        return {
            "ok": False,
            "checks": [{"name": "audit", "ok": None, "detail": f"{error['message']} (exit status {status})"}],
        }
    return document


def _as_owner(stage: _Stage, arguments: list[str], timeout_s: float) -> tuple[int, str]:
    storage = ["--storage", stage.record.storage_rpc, "--json"]
    return stage.troupe.run(stage.keystore(OWNER), [*arguments, *storage], home=OWNER, timeout_s=timeout_s)


def _directory(keep: Path | None, stack: contextlib.ExitStack) -> Path:
    if keep is None:
        return Path(
            stack.enter_context(TemporaryDirectory(prefix="fairshare-demo-", ignore_cleanup_errors=True))
        )
    try:
        keep.mkdir(parents=True)
    except FileExistsError as error:
        raise FairshareError(
            Reason.BAD_INPUT, f"{keep} exists already", "give --keep a directory that does not"
        ) from error
    return keep.absolute()
