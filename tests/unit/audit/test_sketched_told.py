"""What is told of a project on the sketch path: explanations, the command's words, the API, the rebuilt circuit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from marketplace.api import create_app
from marketplace.audit.explain import Explanation, explain
from marketplace.audit.history import History
from marketplace.audit.rebuild import Rebuild
from marketplace.audit.report import AuditReport
from marketplace.chain import events as e
from marketplace.cli.explain import words
from marketplace.owner.describe import describe
from marketplace.protocol.digests import update_digest
from tests.support import sketched_tales as tales
from tests.support.market_run import Play, address_of
from tests.support.sketched_run import CHUNK_LENGTH, CHUNKS, WIDTH


def asked(play: Play, history: History, slot: int, round_: int) -> Explanation:
    return explain(history, address_of(play.trainers[slot]), round_)


@pytest.fixture(scope="module")
def api(questioned: Play) -> Iterator[TestClient]:
    app = create_app(questioned.client, None, questioned.stage.cache)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def get(api: TestClient, path: str) -> Any:
    answer = api.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_numbers_are_traced_to_the_update(questioned: Play, questioned_history: History) -> None:
    found = asked(questioned, questioned_history, 2, 1)
    sketch, sent = found.sketch, found.submission
    assert sketch is not None
    assert sent is not None
    assert sketch.root is not None
    assert (sketch.width, sketch.chunks, sketch.chunk_length) == (WIDTH, CHUNKS, CHUNK_LENGTH)
    trainer = address_of(questioned.trainers[2])
    assert sent.digest == "0x" + update_digest(int(sketch.root, 16), CHUNKS, trainer).hex()
    assert (sent.x, sent.y) == (int(sketch.root, 16), CHUNKS)
    assert sketch.seed == "0x" + questioned_history.of(e.SketchDrawn)[0].seed.hex()
    told = words(found)
    assert f"{CHUNKS} chunks of {CHUNK_LENGTH} numbers, root {sketch.root}" in told
    assert f"{WIDTH} numbers, drawn by the round's seed {sketch.seed}" in told
    assert found.to_dict()["sketch"]["chunks"] == CHUNKS


def test_who_was_left_out_is_told_why(questioned: Play, questioned_history: History) -> None:
    found = asked(questioned, questioned_history, tales.LEFT_OUT, 2)
    assert found.sketch is not None
    assert (found.sketch.left_out, found.paid, found.withheld) == (True, 0, 0)
    assert found.why.startswith("it was left out")
    assert asked(questioned, questioned_history, tales.SILENT, 5).why.startswith("it withheld its update")


def test_questions_are_told_with_their_end(questioned: Play, questioned_history: History) -> None:
    first = asked(questioned, questioned_history, 0, 1)
    told = [(one.kind, one.slot, one.chunk, one.outcome) for one in first.disputes]
    assert told == [
        ("sketch", None, None, "closed"),
        ("chunk", None, 2, "closed"),
        ("sketch", 3, None, "closed"),
    ]
    assert "the sum of the merged sketches: closed" in words(first)
    assert "cohort 0, chunk 2 of the new model: closed" in words(first)
    (refuted,) = asked(questioned, questioned_history, 0, tales.UNDONE).disputes
    assert refuted.outcome == "refuted"


def test_a_project_shows_its_path(questioned: Play, api: TestClient) -> None:
    shown = get(api, f"/projects/{questioned.project}")
    assert (shown["width"], shown["seed_round"]) == (WIDTH, 5)
    assert shown["sketch_seed"] == "0x" + questioned.client.project(questioned.project).sketch_seed.hex()
    terms = shown["terms"]
    assert (terms["path"], terms["chunks"], terms["chunk_length"]) == ("sketch", CHUNKS, CHUNK_LENGTH)
    assert get(api, "/projects")["projects"][0]["path"] == "sketch"
    described = describe(questioned.client, questioned.project)
    assert (described["path"], described["width"]) == ("sketch", WIDTH)
    assert described["sketch_seed"] == shown["sketch_seed"]


def test_a_round_shows_roots_and_who_was_left_out(questioned: Play, api: TestClient) -> None:
    shown = get(api, f"/projects/{questioned.project}/rounds/2")
    (cohort,) = shown["cohorts"]
    left, other = cohort["slots"][tales.LEFT_OUT], cohort["slots"][1]
    assert (left["left_out"], left["chunk"], left["present"], left["commitment"]) == (True, 2, False, None)
    assert left["root"] is not None, "as the answer showed it"
    assert (other["left_out"], other["chunk"], other["present"]) == (False, 0, True)
    digest = update_digest(int(other["root"], 16), CHUNKS, other["trainer"])
    assert other["digest"] == "0x" + digest.hex()
    assert (cohort["fee"], shown["sketch_seed"] is None) == ("0", False)
    stated = e.fetch(questioned.client, [e.SketchResultPosted], questioned.project, 2)[0]
    assert cohort["statement"] == "0x" + stated.statement.digest().hex()
    assert cohort["sum"] == {"x": str(stated.statement.sum.x), "y": str(stated.statement.sum.y)}


def test_a_round_shows_what_was_asked(questioned: Play, api: TestClient) -> None:
    first = get(api, f"/projects/{questioned.project}/rounds/1")["challenges"]
    assert [(one["kind"], one["chunk"], one["slot"]) for one in first] == [
        ("sketch", None, None),
        ("chunk", 2, None),
        ("sketch", None, 3),
        ("proof", None, None),
    ]
    assert all(one["answered_in"] and one["closed_in"] and not one["refuted_in"] for one in first)
    undone = get(api, f"/projects/{questioned.project}/rounds/{tales.UNDONE}")
    (false,) = undone["challenges"]
    assert (undone["outcome"], false["closed_in"]) == ("undone", None)
    assert false["answered_in"]
    assert false["refuted_in"]


@pytest.mark.deep
def test_a_circuit_for_sketches_is_rebuilt(questioned: Play, tmp_path: Path) -> None:
    rebuild = Rebuild(questioned.client, questioned.stage.store, questioned.terms, tmp_path)  # type: ignore[arg-type]
    report = AuditReport(tuple(rebuild.checks()))
    assert report.ok, report.first_failure
    assert f"6 x {WIDTH}" in report.checks[1].detail
