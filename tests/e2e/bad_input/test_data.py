"""Data that cannot be trained or scored on: refused before a stake is put up or a reward is paid in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from marketplace.errors import EXIT_STATUS, Reason
from tests.e2e.bad_input.ground import Visitor, write_project
from tests.support.live_market import SLOTS, iris, project_file

X = iris(SLOTS)[0][0].X
Y = iris(SLOTS)[0][0].y


def with_first(value: float) -> np.ndarray:
    """X with another first number."""
    changed = X.copy()
    changed[0, 0] = value
    return changed


ARRAYS: dict[str, tuple[dict[str, np.ndarray], str]] = {
    "features": ({"X": X[:, :3], "y": Y}, "shape (20, 3), not (n, 4)"),
    "flat": ({"X": X.ravel(), "y": Y}, "shape (80,)"),
    "labels": ({"X": X, "y": Y[:-1]}, "y has shape (19,), not (20,)"),
    "labels by column": ({"X": X, "y": Y[:, None]}, "y has shape (20, 1)"),
    "dtype of X": ({"X": X.astype(np.int32), "y": Y}, "X is int32"),
    "half of X": ({"X": X.astype(np.float16), "y": Y}, "X is float16"),
    "complex X": ({"X": X.astype(np.complex64), "y": Y}, "X does not hold numbers"),
    "text in X": ({"X": X.astype(str), "y": Y}, "X does not hold numbers"),
    "objects in X": ({"X": X.astype(object), "y": Y}, "X does not hold numbers"),
    "dtype of y": ({"X": X, "y": Y.astype(np.float32)}, "y is float32"),
    "NaN": ({"X": with_first(np.nan), "y": Y}, "NaN"),
    "infinity": ({"X": with_first(np.inf), "y": Y}, "infinity"),
    "beyond float32": ({"X": X.astype(np.float64) * 1e300, "y": Y}, "beyond float32"),
    "label too high": ({"X": X, "y": Y + 1}, "labels run from 1 to 3, not within 0..2"),
    "label too low": ({"X": X, "y": Y - 1}, "labels run from -1 to 1"),
    "no rows": ({"X": X[:0], "y": Y[:0]}, "there are no rows"),
    "other names": ({"data": X, "labels": Y}, "not X and y"),
    "more arrays": ({"X": X, "y": Y, "z": Y}, "not X and y"),
}


def written(folder: Path, name: str) -> tuple[Path, str]:
    arrays, named = ARRAYS[name]
    path = folder / "data.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path, named


FILES = {"empty": b"", "text": b"a,b\n1,2\n", "cut short": b"PK\x03\x04" + b"\0" * 40}


@pytest.mark.parametrize("name", ARRAYS)
def test_a_trainer_does_not_join_with_bad_data(visitor: Visitor, name: str) -> None:
    project = visitor.ground.project("open")
    path, named = written(visitor.home, name)
    arguments = ("trainer", "run", str(project), "--data", str(path))
    visitor.refused(*arguments, reason=Reason.BAD_DATA, named=[str(path), named])


@pytest.mark.parametrize("name", FILES)
def test_a_trainer_does_not_join_with_what_is_no_npz(visitor: Visitor, name: str) -> None:
    path = visitor.home / "data.npz"
    path.write_bytes(FILES[name])
    arguments = ("trainer", "run", str(visitor.ground.project("open")), "--data", str(path))
    visitor.refused(*arguments, reason=Reason.BAD_DATA, named=[str(path)])


def test_data_that_is_not_there_or_no_file(visitor: Visitor) -> None:
    project = str(visitor.ground.project("open"))
    for path in ("none.npz", str(visitor.home)):
        visitor.refused("trainer", "run", project, "--data", path, reason=Reason.BAD_DATA, named=[path])


def test_a_dry_run_refuses_the_same(visitor: Visitor) -> None:
    path, named = written(visitor.home, "NaN")
    arguments = ("trainer", "run", str(visitor.ground.project("open")), "--data", str(path), "--dry-run")
    visitor.refused(*arguments, "--json", reason=Reason.BAD_DATA, named=[named])


@pytest.mark.parametrize("name", ["features", "flat", "no rows", "dtype of y", "other names"])
def test_a_check_refuses_what_cannot_be_read_at_all(visitor: Visitor, name: str) -> None:
    path, named = written(visitor.home, name)
    arguments = ("trainer", "check", str(visitor.ground.project("open")), "--data", str(path))
    visitor.refused(*arguments, reason=Reason.BAD_DATA, named=[str(path), named])


def test_a_check_lists_what_is_wrong_with_rows_and_needs_no_key(visitor: Visitor) -> None:
    path = visitor.home / "data.csv"
    rows = [[*map(str, row), str(label)] for row, label in zip(X.tolist(), Y.tolist(), strict=True)]
    rows[6][2], rows[8][4] = "", "9"
    path.write_text("\n".join(",".join(row) for row in [["a", "b", "c", "d", "label"], *rows]))
    arguments = ("trainer", "check", str(visitor.ground.project("open")), "--data", str(path))
    said = visitor.call(*arguments, "--json", keystore="none.json")
    assert said.status == EXIT_STATUS[Reason.BAD_DATA], said
    document = json.loads(said.stdout)
    assert (document["ok"], document["rows"], document["trial"]) == (False, 18, None)
    assert [(problem["kind"], problem["count"]) for problem in document["problems"]] == [
        ("missing", 1),
        ("label-out-of-range", 1),
    ]
    (missing,) = document["problems"][0]["first"]
    assert (missing["file"], missing["row"], missing["column"]) == (str(path), 7, "c")
    told = visitor.call(*arguments).stdout
    assert "row" in told
    assert "DOES NOT FIT" in told
    run = ("trainer", "run", *arguments[2:])
    visitor.refused(
        *run, reason=Reason.BAD_DATA, named=[str(path), "row 7, column c", "labels run from 0 to 9"]
    )


def test_a_check_of_sound_data_tries_a_round_on_it(visitor: Visitor) -> None:
    path = visitor.home / "data.npz"
    np.savez(path, X=X, y=Y)
    arguments = ("trainer", "check", str(visitor.ground.project("open")), "--data", str(path))
    block = visitor.ground.owner.client.latest_block().number
    said = visitor.call(*arguments, "--json", keystore="none.json")
    assert said.status == 0, said
    document = json.loads(said.stdout)
    assert document["ok"] is True
    assert document["trial"]["accuracy_after"] > document["trial"]["accuracy_before"]
    assert int(document["pay"]["equal_amount"]) > 0
    assert "what nobody can know yet" in visitor.call(*arguments).stdout
    assert visitor.ground.transactions_since(block) == 0


def test_options_that_make_no_sense_are_named(visitor: Visitor) -> None:
    path = visitor.home / "data.npz"
    np.savez(path, X=X, y=Y)
    arguments = ("trainer", "check", str(visitor.ground.project("open")), "--data", str(path))
    visitor.refused(
        *arguments, "--image-size", "big", reason=Reason.BAD_INPUT, named=["--image-size", "'big'"]
    )


@pytest.mark.parametrize("name", ["features", "NaN", "label too high", "no rows", "dtype of y"])
def test_no_project_is_posted_with_a_bad_evaluation_set(visitor: Visitor, name: str) -> None:
    file = write_project(visitor.home / "project", project_file())
    path, named = written(visitor.home, name)
    path.rename(file.parent / "evaluation.npz")
    visitor.refused("project", "post", str(file), reason=Reason.BAD_DATA, named=["evaluation.npz", named])


def test_no_project_is_posted_without_its_evaluation_set(visitor: Visitor) -> None:
    file = write_project(visitor.home / "project", project_file())
    (file.parent / "evaluation.npz").unlink()
    visitor.refused("project", "post", str(file), reason=Reason.BAD_DATA, named=["evaluation.npz"])


def test_a_watch_takes_only_the_evaluation_set_of_the_spec(visitor: Visitor) -> None:
    project = str(visitor.ground.project("open"))
    path, named = written(visitor.home, "labels")
    visitor.refused(
        "project", "watch", project, "--evaluation", str(path), reason=Reason.BAD_DATA, named=[named]
    )
    np.savez(path, X=X, y=Y)
    visitor.refused(
        "project", "watch", project, "--evaluation", str(path), reason=Reason.INTEGRITY, named=[str(path)]
    )
    visitor.refused(
        "project", "watch", project, "--evaluation", "none", reason=Reason.BAD_DATA, named=["none"]
    )


def test_an_impossible_device_is_named(visitor: Visitor) -> None:
    path = visitor.home / "data.npz"
    np.savez(path, X=X, y=Y)
    arguments = ("trainer", "run", str(visitor.ground.project("open")), "--data", str(path))
    for more in ((), ("--dry-run",)):
        visitor.refused(
            *arguments, "--device", "tpu", *more, reason=Reason.BAD_INPUT, named=["'tpu'", "cuda"]
        )
