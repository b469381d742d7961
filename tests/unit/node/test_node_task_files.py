"""Files that a task needs: fetched by hash once, kept, and never taken for others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marketplace.errors import FairshareError, Reason
from marketplace.learning import tasks
from marketplace.learning.tasks import Task, weights
from marketplace.learning.tasks.cnn import Cnn
from marketplace.learning.tasks.frozen_backbone import backbone_of
from marketplace.node.task_files import FOLDER, with_files
from marketplace.spec.sections import TaskSection
from marketplace.storage.cid import cid_of
from marketplace.storage.embedded import EmbeddedNode
from marketplace.storage.store import ContentStore

NETWORK = Cnn(64, 10, 2, 8)
CONTENT = weights.write(backbone_of(NETWORK, NETWORK.initial(3)))
CID = cid_of(CONTENT)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContentStore]:
    with EmbeddedNode(tmp_path_factory.mktemp("node")) as node:
        store = ContentStore(node.api)
        store.add(CONTENT)
        yield store


@pytest.fixture
def nowhere() -> ContentStore:
    """A store that cannot be asked."""
    return ContentStore("/ip4/127.0.0.1/tcp/9/http", timeout_s=1.0)


def task_of(cid: str = CID, size: int = len(CONTENT), **options: Any) -> Task:
    named = {"backbone_cid": cid, "backbone_bytes": size} | options
    whole = {"kind": "frozen-backbone", "features": 64, "classes": 10, "network": "cnn", "channels": 2}
    return tasks.load(TaskSection.model_validate({**whole, "hidden": 8, **named}))


def says(task: Task) -> np.ndarray:
    import torch

    rows = torch.linspace(0, 1, 64).reshape(1, 64)
    return np.asarray(task.module(np.linspace(-1, 1, task.length))(rows).detach().numpy())


def refusal(task: Task, store: ContentStore, cache: Path, timeout_s: float = 10.0) -> FairshareError:
    with pytest.raises(FairshareError) as caught:
        with_files(task, store, cache, timeout_s)
    return caught.value


def test_a_file_is_fetched_once_and_kept(store: ContentStore, nowhere: ContentStore, tmp_path: Path) -> None:
    fetched = with_files(task_of(), store, tmp_path, 10.0)
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == [CID]
    np.testing.assert_array_equal(says(with_files(task_of(), nowhere, tmp_path, 0.1)), says(fetched))


@pytest.mark.parametrize(
    "kept",
    [b"", CONTENT[:-1], CONTENT + b"x", bytes(len(CONTENT))],
    ids=["empty", "shorter", "longer", "other"],
)
def test_what_was_kept_is_not_trusted(store: ContentStore, tmp_path: Path, kept: bytes) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / CID).write_bytes(kept)
    with_files(task_of(), store, tmp_path, 10.0)
    assert (tmp_path / FOLDER / CID).read_bytes() == CONTENT


def test_a_task_without_files_asks_nobody(nowhere: ContentStore, tmp_path: Path) -> None:
    plain = tasks.load(TaskSection(kind="softmax", features=64, classes=10))
    assert with_files(plain, nowhere, tmp_path, 0.1) is plain
    assert not list(tmp_path.iterdir())


def test_another_size_than_the_spec_says_is_refused(store: ContentStore, tmp_path: Path) -> None:
    assert refusal(task_of(size=len(CONTENT) - 1), store, tmp_path).reason is Reason.TOO_LARGE
    longer = refusal(task_of(size=len(CONTENT) + 1), store, tmp_path)
    assert longer.reason is Reason.BAD_SPEC
    assert longer.message.startswith("task.backbone_bytes: ")


def test_bytes_that_are_no_backbone_are_refused(store: ContentStore, tmp_path: Path) -> None:
    other = b"\x80\x04\x95 a pickle, perhaps"
    error = refusal(task_of(store.add(other), len(other)), store, tmp_path)
    assert error.reason is Reason.BAD_SPEC
    assert error.message.startswith("task.backbone: ")


def test_a_posted_spec_names_no_path(store: ContentStore, tmp_path: Path) -> None:
    named = {"kind": "frozen-backbone", "features": 64, "classes": 10, "network": "cnn", "channels": 2}
    by_path = TaskSection.model_validate({**named, "hidden": 8, "backbone_file": "/etc/passwd"})
    error = refusal(tasks.load(by_path), store, tmp_path)
    assert error.reason is Reason.BAD_SPEC
    assert error.message.startswith("task.backbone_file: ")


def test_a_file_that_nobody_has_is_said_to_be_unavailable(store: ContentStore, tmp_path: Path) -> None:
    assert refusal(task_of(cid_of(b"nobody"), 6), store, tmp_path, 0.5).reason is Reason.UNAVAILABLE
    assert not (tmp_path / FOLDER).exists()
