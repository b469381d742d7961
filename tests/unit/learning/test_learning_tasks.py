"""Tasks: the flat vector and the network, and what is drawn at random."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from marketplace.errors import FairshareError, Reason
from marketplace.learning import draws, tasks
from marketplace.learning.tasks import Task
from marketplace.spec.sections import TaskSection


def section(kind: str, **options: object) -> TaskSection:
    return TaskSection.model_validate({"kind": kind, "features": 64, "classes": 10, **options})


CASES = [
    (section("softmax"), 650),
    (section("mlp", hidden=16), 65 * 16 + 170),
    (section("mlp", hidden=16, pool=2), 17 * 16 + 170),
    (section("mlp", hidden=96, trained="head"), 970),
    (section("mlp", hidden=32, pool=4, trained="head", draw=7), 330),
    (section("cnn", channels=2, hidden=5), 20 + 76 + 16 * 5 + 5 + 60),
    (section("tabular", hidden=6, layers=2), 65 * 6 + 7 * 6 + 70),
    (section("tabular", hidden=6, categories=[3] * 2 + [0] * 62), 69 * 6 + 70),
    (section("tabular", hidden=6, categories=[3] * 2 + [0] * 62, embedding=4), 24 + 71 * 6 + 70),
]


# the numbers of the default for 28 x 28: convolutions, hidden layer, output layer
MILLION = (9 * 32 + 32) + (9 * 32 * 64 + 64) + (7 * 7 * 64 * 320 + 320) + (320 * 10 + 10)


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0].kind}-{case[1]}")
def case(request: pytest.FixtureRequest) -> tuple[Task, int]:
    chosen, length = request.param
    return tasks.load(chosen), length


def test_the_vector_goes_through_the_network_and_back(case: tuple[Task, int]) -> None:
    task, length = case
    assert task.length == length
    vector = np.random.default_rng(0).normal(size=length).astype(np.float32).astype(np.float64)
    module = task.module(vector)
    np.testing.assert_array_equal(task.vector(module), vector)
    assert task.vector(module).dtype == np.float64
    assert module(torch.zeros(3, 64)).shape == (3, 10)


def test_making_a_network_leaves_torchs_generator_alone(case: tuple[Task, int]) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    case[0].module(case[0].initial(0))
    assert torch.equal(before, torch.get_rng_state())


def test_a_vector_of_another_length_is_refused(case: tuple[Task, int]) -> None:
    task, length = case
    for shape in ((length - 1,), (length + 1,), (length, 1)):
        with pytest.raises(ValueError, match=str(length)):
            task.module(np.zeros(shape))


def test_softmax_is_a_linear_map() -> None:
    task = tasks.load(section("softmax"))
    vector = np.arange(650.0) / 650
    x = np.linspace(0, 1, 64)
    expected = vector[:640].reshape(10, 64) @ x + vector[640:]
    logits = task.module(vector)(torch.from_numpy(x.astype(np.float32))[None]).detach().numpy()[0]
    np.testing.assert_allclose(logits, expected, rtol=1e-5)


def test_pooling_averages_square_windows() -> None:
    task = tasks.load(section("mlp", hidden=1, pool=4))
    vector = np.zeros(task.length)
    vector[0] = vector[5] = 1  # the hidden unit reads the upper left window; class 0 reads the hidden unit
    image = np.zeros((8, 8), dtype=np.float32)
    image[:4, :4] = np.arange(16).reshape(4, 4)
    image[4:, 4:] = 100
    logits = task.module(vector)(torch.from_numpy(image.reshape(1, 64)))
    assert logits[0, 0].item() == pytest.approx(7.5)


def test_random_layers_are_the_same_bits_everywhere() -> None:
    # Digests made once: they must never change, or posted projects could not be continued.
    frozen = draws.layer((1, 0), 784, 96)
    assert hashlib.sha256(frozen.astype("<f8").tobytes()).hexdigest()[:16] == "6f680705662e6610"
    initial = tasks.load(section("mlp", hidden=16)).initial(5)
    assert hashlib.sha256(initial.astype("<f8").tobytes()).hexdigest()[:16] == "2ac286d45f7d3c1f"


def test_draws_are_uniform_and_differ_by_seed() -> None:
    one, other = draws.uniform((1, 2), 20_000, 3.0), draws.uniform((1, 3), 20_000, 3.0)
    assert one.min() >= -3
    assert one.max() < 3
    assert abs(one.mean()) < 0.1
    assert abs(one.var() - 3.0) < 0.1
    assert not np.isin(one, other).any()


def test_the_frozen_layer_depends_on_its_draw_alone() -> None:
    def hidden(draw: int) -> torch.Tensor:
        task = tasks.load(section("mlp", hidden=8, trained="head", draw=draw))
        return next(iter(task.module(task.initial(0)).parameters())).detach()

    assert torch.equal(hidden(3), hidden(3))
    assert not torch.equal(hidden(3), hidden(4))


def test_the_default_convolutional_network_has_a_million_parameters() -> None:
    task = tasks.load(TaskSection(kind="cnn", features=784, classes=10))
    assert task.length == MILLION == 1_025_866
    initial = task.initial(3)
    assert initial.shape == (MILLION,)
    # Made once, as above: it must never change.
    assert hashlib.sha256(initial.astype("<f8").tobytes()).hexdigest()[:16] == "83ceafc342982528"


def test_a_convolutional_network_s_vector_is_layer_by_layer() -> None:
    task = tasks.load(section("cnn", channels=2, hidden=5))
    generator = np.random.default_rng(4)
    vector = generator.normal(size=task.length)
    image = generator.normal(size=(8, 8))
    weights = iter(vector)

    def take(*shape: int) -> np.ndarray:
        return np.array([next(weights) for _ in range(int(np.prod(shape)))]).reshape(shape)

    def convolved(planes: np.ndarray, outputs: int) -> np.ndarray:
        kernels, biases = take(outputs, len(planes), 3, 3), take(outputs)
        size, padded = planes.shape[1], np.pad(planes, ((0, 0), (1, 1), (1, 1)))
        result = np.zeros((outputs, size, size))
        for row in range(size):
            for column in range(size):
                window = padded[:, row : row + 3, column : column + 3]
                result[:, row, column] = (kernels * window).sum(axis=(1, 2, 3)) + biases
        halves = np.maximum(result, 0).reshape(outputs, size // 2, 2, size // 2, 2)
        return np.asarray(halves.max(axis=(2, 4)))

    flat = convolved(convolved(image[None], 2), 4).ravel()
    hidden = np.maximum(take(5, 16) @ flat + take(5), 0)
    expected = take(10, 5) @ hidden + take(10)
    assert next(weights, None) is None
    logits = task.module(vector)(torch.from_numpy(image.reshape(1, 64).astype(np.float32)))
    np.testing.assert_allclose(logits.detach().numpy()[0], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"features": 60}, "task.features"),
        ({"features": 9}, "task.features"),
        ({"channels": 0}, "task.channels"),
        ({"channels": "8"}, "task.channels"),
        ({"channels": 1025}, "task.channels"),
        ({"hidden": True}, "task.hidden"),
        ({"hidden": 65_537}, "task.hidden"),
        ({"pool": 2}, "task.pool"),
    ],
)
def test_a_wrong_option_of_a_convolutional_network_is_named(options: dict[str, object], field: str) -> None:
    with pytest.raises(FairshareError) as caught:
        tasks.load(section("cnn", **options))
    assert caught.value.reason is Reason.BAD_SPEC
    assert caught.value.message.startswith(field)


def test_softmax_has_no_options() -> None:
    with pytest.raises(FairshareError) as caught:
        tasks.load(section("softmax", hidden=3))
    assert caught.value.reason is Reason.BAD_SPEC
    assert caught.value.message.startswith("task.hidden")


def test_mlp_needs_a_width() -> None:
    with pytest.raises(FairshareError, match=r"task\.hidden"):
        tasks.load(section("mlp"))
