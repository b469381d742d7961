"""A frozen backbone out of a file: what another project trained, under a head that learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from marketplace.errors import FairshareError, Reason
from marketplace.learning import evaluate, tasks
from marketplace.learning.data import Dataset
from marketplace.learning.private import check_private
from marketplace.learning.tasks import Task, weights
from marketplace.learning.tasks.cnn import Cnn
from marketplace.learning.tasks.files import NeedsFiles
from marketplace.learning.tasks.frozen_backbone import FrozenBackbone, backbone_of
from marketplace.learning.tasks.mlp import Mlp
from marketplace.learning.train import local_delta
from marketplace.spec.sections import TaskSection, TrainingSection
from marketplace.storage.cid import cid_of

NETWORKS = [Cnn(64, 10, 4, 24), Mlp(64, 10, 24, 1, False, 0), Mlp(64, 10, 24, 2, False, 0)]
TRAINING = TrainingSection(epochs=4, batch_size=16, learning_rate=0.03, momentum=0.9, clip_norm=40.0)


def section(body: Cnn | Mlp, **options: Any) -> TaskSection:
    own: dict[str, Any] = {"channels": body.channels} if isinstance(body, Cnn) else {"pool": body.pool}
    whole = {"network": body.name, "hidden": body.hidden, **own, **options}
    return TaskSection.model_validate({"kind": "frozen-backbone", "features": 64, "classes": 10, **whole})


def named(content: bytes) -> dict[str, Any]:
    return {"backbone_cid": cid_of(content), "backbone_bytes": len(content)}


def loaded(network: Cnn | Mlp, content: bytes) -> Task:
    task = tasks.load(section(network, **named(content)))
    assert isinstance(task, NeedsFiles)
    return task.with_files({"backbone": content})


@pytest.fixture(params=NETWORKS, ids=lambda network: f"{network.name}-{network.length}")
def network(request: pytest.FixtureRequest) -> Cnn | Mlp:
    made: Cnn | Mlp = request.param
    return made


def test_it_says_what_the_whole_network_says(network: Cnn | Mlp) -> None:
    """The trained network, cut in two: body in the file, head in the vector."""
    vector = np.random.default_rng(1).normal(0, 0.2, network.length)
    content = weights.write(backbone_of(network, vector))
    task = loaded(network, content)
    assert task.length == 250
    rows = torch.from_numpy(np.random.default_rng(2).random((5, 64), dtype=np.float32))
    module = task.module(vector[-250:])
    assert torch.equal(module(rows), network.module(vector)(rows))
    np.testing.assert_array_equal(task.vector(module), vector[-250:].astype(np.float32))
    assert [p.numel() for p in module.parameters() if p.requires_grad] == [240, 10]


def test_the_head_alone_is_trained_and_the_same_way_each_time(
    network: Cnn | Mlp, digits: tuple[Dataset, Dataset]
) -> None:
    training, held_out = digits
    # The backbone learned five digits; the head learns all ten on it.
    half = training.rows(np.flatnonzero(training.y < 5))
    start = network.initial(0)
    taught = start + local_delta(network, start, half, TRAINING, 1, "cpu", 1)
    content = weights.write(backbone_of(network, taught))
    task = loaded(network, content)
    delta = local_delta(task, task.initial(0), training, TRAINING, 2, "cpu", 1)
    again = loaded(network, bytes(content))
    np.testing.assert_array_equal(
        delta, local_delta(again, again.initial(9), training, TRAINING, 2, "cpu", 1)
    )
    assert evaluate.loss(task, task.initial(0), held_out) == pytest.approx(np.log(10))
    assert evaluate.accuracy(task, delta, held_out) > 0.7
    check_private(task)


def test_without_its_file_it_has_a_length_and_makes_no_model() -> None:
    task = tasks.load(section(NETWORKS[0], backbone_file="weights.safetensors"))
    assert task.length == 250
    assert not task.initial(3).any()
    with pytest.raises(FairshareError, match="not loaded"):
        task.module(task.initial(0))


def test_a_file_of_another_network_is_refused() -> None:
    content = weights.write(backbone_of(NETWORKS[1], np.zeros(NETWORKS[1].length)))
    with pytest.raises(FairshareError, match=r"task\.backbone: ") as caught:
        loaded(NETWORKS[0], content)
    assert caught.value.reason is Reason.BAD_SPEC


CID = cid_of(b"weights")


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({}, "task.backbone_file"),
        ({"backbone_bytes": 7}, "task.backbone_bytes"),
        ({"backbone_cid": CID}, "task.backbone_bytes"),
        ({"backbone_cid": CID, "backbone_bytes": 0}, "task.backbone_bytes"),
        ({"backbone_cid": CID, "backbone_bytes": (512 << 20) + 1}, "task.backbone_bytes"),
        ({"backbone_cid": CID[:-1], "backbone_bytes": 7}, "task.backbone_cid"),
        ({"backbone_cid": 7, "backbone_bytes": 7}, "task.backbone_cid"),
        ({"backbone_cid": CID, "backbone_file": "a", "backbone_bytes": 7}, "task.backbone_cid"),
        ({"backbone_file": "a", "backbone_bytes": 7}, "task.backbone_bytes"),
        ({"backbone_file": True}, "task.backbone_file"),
        ({"backbone_file": "a", "pool": 2}, "task.pool"),
        ({"backbone_file": "a", "network": "softmax"}, "task.network"),
        ({"backbone_file": "a", "channels": 0}, "task.channels"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], field: str) -> None:
    with pytest.raises(FairshareError) as caught:
        tasks.load(section(NETWORKS[0], **options))
    assert caught.value.reason is Reason.BAD_SPEC
    assert caught.value.message.startswith(field + ": ")


def test_its_arrays_are_no_part_of_what_is_compared_or_shown() -> None:
    content = weights.write(backbone_of(NETWORKS[0], np.zeros(NETWORKS[0].length)))
    bare = tasks.load(section(NETWORKS[0], **named(content)))
    assert isinstance(bare, FrozenBackbone)
    assert bare == loaded(NETWORKS[0], content)
    assert "array" not in repr(loaded(NETWORKS[0], content))
