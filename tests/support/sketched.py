"""A small project on the sketch path, without a chain: 1,210 parameters, three chunks of 512, sketches of 256."""

from __future__ import annotations

from dataclasses import fields

from marketplace.chain.client import MarketClient
from marketplace.chain.types import ScoreRule, Settlement, Terms
from marketplace.learning.tasks import task_of
from marketplace.node.project import ProjectContext, committer_of, rules_of
from marketplace.spec import ChainSection, CircuitSection, ProjectFile, ProjectSpec, template
from marketplace.spec.terms import terms
from tests.support.circuits import circuit_cache
from tests.support.local_store import LocalStore
from zk import keys
from zk.curve import Point
from zk.files import CircuitFiles
from zk.shape import CircuitShape

CID = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"
MARKET = "0x" + "12" * 20
PARAMETERS, WIDTH, CHUNK_LENGTH, CHUNKS = 1210, 256, 512, 3
LENGTH = CHUNK_LENGTH * CHUNKS


def sketch_files() -> CircuitFiles:
    """The circuit of three trainers' sketches and the reference's."""
    return keys.build(CircuitShape(4, WIDTH), circuit_cache())


def sketched_file(**arithmetic: object) -> ProjectFile:
    """The owner's file; `arithmetic` changes fields of that section."""
    document = ProjectFile.from_toml(template("softmax")).model_dump(exclude_none=True)
    document["task"] |= {"features": 120, "classes": 10}
    document["cohort"] = {"slots": 3, "faults": 0}
    document["arithmetic"] |= {"path": "sketch", "width": WIDTH, "chunk_length": CHUNK_LENGTH, **arithmetic}
    return ProjectFile.model_validate(document)


def sketched_spec(srs_kind: str = "test") -> ProjectSpec:
    """That file, posted on a chain that is not there."""
    return sketched_file().post(
        circuit=CircuitSection(
            digest="0x" + "ab" * 32, slots=4, length=WIDTH, srs_kind=srs_kind, vk=CID, srs=CID
        ),
        chain=ChainSection(chain_id=31337, market=MARKET),
        initial_model=CID,
        evaluation_sha256="cd" * 32,
        validation="0x" + "ef" * 32,
    )


def chain_terms(spec: ProjectSpec, initial_model: Point) -> Terms:
    """What the chain would say of a spec."""
    stated = terms(spec, bytes(32), initial_model)
    values = {field.name: getattr(stated, field.name) for field in fields(stated)}
    kinds = {"settlement": Settlement, "score_rule": ScoreRule, "fallback_rule": ScoreRule}
    return Terms(**values | {name: kind(values[name]) for name, kind in kinds.items()})


def sketched_context(files: CircuitFiles, store: LocalStore) -> ProjectContext:
    """The project as a node sees it, but for its chain, which nobody may ask."""
    spec = sketched_spec(files.srs_kind)
    stated = chain_terms(spec, Point(1, CHUNKS))
    return ProjectContext(
        project=1,
        client=MarketClient("http://127.0.0.1:1", MARKET),
        store=store,  # type: ignore[arg-type]
        spec=spec,
        terms=stated,
        task=task_of(spec),
        circuit=files,
        committer=committer_of(files, spec),
        rules=rules_of(stated),
    )
