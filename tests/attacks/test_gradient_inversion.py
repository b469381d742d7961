"""What an update tells of the data behind it, and to whom (docs/privacy.md).

Another member cannot open it. Who can, the aggregator, reads a lone row off an update without noise.
"""

from __future__ import annotations

import numpy as np
import pytest

from marketplace.errors import FairshareError, Reason
from marketplace.learning import datasets, tasks
from marketplace.learning.accounting import noise_for, round_of
from marketplace.learning.data import Dataset
from marketplace.learning.private import Noise, private_delta
from marketplace.learning.tasks import Task
from marketplace.learning.train import local_delta
from marketplace.protocol.digests import update_digest
from marketplace.protocol.fixed_point import clip, quantise
from marketplace.spec import ProjectFile, template
from marketplace.updates.codec import pack_update
from marketplace.updates.envelope import UpdateContext, open_update, reseal, seal
from marketplace.updates.sealing import EncryptionKey
from zk.curve import Point

PROJECT = ProjectFile.from_toml(template("softmax"))
COMMITMENT = Point(1, 2)
BOUND_TO = UpdateContext(31337, "0x" + "ab" * 20, 7, 3, "0x" + "cd" * 20)


def test_no_other_members_key_opens_an_update() -> None:
    """Nor does the trainer's own: what was sealed is for the aggregator in turn alone."""
    aggregator, successor = EncryptionKey.generate(), EncryptionKey.generate()
    others = [EncryptionKey.generate() for _ in range(20)]  # trainers, the owner, aggregators not in turn
    update = np.arange(-325, 325, dtype=np.int16)
    sealed = seal(pack_update(update), COMMITMENT, aggregator.public, BOUND_TO)
    digest = update_digest(*COMMITMENT, BOUND_TO.trainer)
    for key in (*others, successor):
        with pytest.raises(FairshareError) as caught:
            open_update(sealed.blob, key, BOUND_TO, digest, len(update))
        assert caught.value.reason is Reason.INTEGRITY
    opened = open_update(sealed.blob, aggregator, BOUND_TO, digest, len(update))
    np.testing.assert_array_equal(opened.update, update)
    # A take-over adds one reader, by the trainer's own act.
    anew = reseal(sealed.content_key, successor.public)
    for key in others:
        with pytest.raises(FairshareError):
            open_update(sealed.blob, key, BOUND_TO, digest, len(update), anew)
    opened = open_update(sealed.blob, successor, BOUND_TO, digest, len(update), anew)
    np.testing.assert_array_equal(opened.update, update)


def test_what_is_served_shows_nothing_of_the_update() -> None:
    """The same update sealed twice has nothing in common but what is public, and zeros look like anything else."""
    key = EncryptionKey.generate().public
    packed = pack_update(np.zeros(650, dtype=np.int16))
    blobs = [np.frombuffer(seal(packed, COMMITMENT, key, BOUND_TO).blob, np.uint8) for _ in range(2)]
    head = 4 + 64  # magic and commitment
    np.testing.assert_array_equal(blobs[0][:head], blobs[1][:head])
    assert (blobs[0][head:] == blobs[1][head:]).mean() < 0.03  # 1 in 256 by chance
    assert len(np.unique(blobs[0][head:])) > 240


def inverted(update: np.ndarray, task: Task) -> np.ndarray:
    """The row behind an update of softmax from one row, float64[features].

    A step changes the weights of class c by a multiple of the row, and its bias by that multiple.
    """
    features = task.features
    weights = update[: features * task.classes].reshape(task.classes, features).astype(np.float64)
    biases = update[features * task.classes :].astype(np.float64)
    best = np.abs(biases).argmax()
    return weights[best] / biases[best]


def sent(delta: np.ndarray) -> np.ndarray:
    """A delta as it is committed to: clipped and quantised."""
    clipped = clip(delta, PROJECT.training.clip_norm)
    return quantise(clipped, PROJECT.arithmetic.scale_bits, PROJECT.divisor)


def resemblance(sigma: float, task: Task, data: Dataset, attacks: int) -> float:
    """Correlation of the row that is read off an update with noise and the true one, on average over rows."""
    found = []
    for index in range(attacks):
        row, secret = data.rows(np.array([index])), index.to_bytes(32, "big")
        noisy = private_delta(
            task, task.initial(0), row, PROJECT.training, Noise(sigma, 1.0), secret, "cpu", 1
        )
        found.append(np.corrcoef(inverted(sent(noisy), task), row.X[0])[0, 1])
    return float(np.mean(found))


@pytest.mark.deep
def test_an_update_from_one_row_shows_that_row_to_the_last_grey() -> None:
    task, (data, _) = tasks.load(PROJECT.task), datasets.digits()
    for index in range(200):
        row = data.rows(np.array([index]))
        update = sent(local_delta(task, task.initial(0), row, PROJECT.training, index, "cpu", 1))
        np.testing.assert_array_equal(np.rint(16 * inverted(update, task)), 16 * row.X[0])


@pytest.mark.deep
def test_noise_hides_the_row_as_far_as_epsilon_says() -> None:
    """At epsilon 1 nothing of it is left; at epsilon 1,000, which promises nothing, it is still there."""
    task, (data, _) = tasks.load(PROJECT.task), datasets.digits()
    a_round = round_of(1, PROJECT.training, 1.0)
    strong, weak = (noise_for(budget, 1e-5, a_round, 1) for budget in (1.0, 1000.0))
    assert abs(resemblance(strong, task, data, 200)) < 0.05
    assert resemblance(weak, task, data, 200) > 0.5
