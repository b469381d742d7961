"""LoRA adapters on a frozen encoder: peft's and transformers' own numbers, in one vector."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
import torch

from marketplace.errors import FairshareError, Reason
from marketplace.learning import evaluate, tasks
from marketplace.learning.data import Dataset
from marketplace.learning.tasks import Task, weights
from marketplace.learning.tasks.files import NeedsFiles
from marketplace.learning.tasks.lora import Encoder, Lora
from marketplace.learning.train import local_delta
from marketplace.spec.sections import TaskSection, TrainingSection
from marketplace.storage.cid import cid_of

TOKENS, VOCABULARY = 12, 40
ENCODER = Encoder(VOCABULARY, TOKENS, 16, 2, 2, 24)
SMALL = {"vocabulary": VOCABULARY, "width": 16, "heads": 2, "inner": 24, "rank": 3}
TRAINING = TrainingSection(epochs=6, batch_size=16, learning_rate=0.2, momentum=0.9, clip_norm=40.0)


def task_of(**options: Any) -> Task:
    whole = {"kind": "lora", "features": TOKENS, "classes": 3, **SMALL, **options}
    return tasks.load(TaskSection.model_validate(whole))


def sentences(count: int, seed: int) -> Dataset:
    """Tokens 10 to 39, the label's own word among them once, padded at the end."""
    generator = np.random.default_rng(seed)
    rows, labels = generator.integers(10, VOCABULARY, (count, TOKENS)), generator.integers(0, 3, count)
    rows[np.arange(count), generator.integers(0, 6, count)] = 1 + labels
    for row, length in zip(rows, generator.integers(6, TOKENS + 1, count), strict=True):
        row[length:] = 0
    return Dataset(rows.astype(np.float32), labels.astype(np.int64))


def test_the_vector_s_length_is_that_of_adapters_and_head() -> None:
    assert task_of().length == 2 * 2 * 3 * (16 + 16) + 17 * 3
    assert task_of(adapted="all").length == 2 * 3 * (4 * 32 + 2 * 40) + 17 * 3
    assert task_of(rank=1, layers=1).length == 2 * 32 + 17 * 3


def test_what_is_drawn_never_changes() -> None:
    # Made once, as in test_learning_tasks: posted projects depend on it.
    initial = task_of().initial(5)
    assert hashlib.sha256(initial.astype("<f8").tobytes()).hexdigest()[:16] == "d23c664a27008d88"
    drawn = b"".join(array.astype("<f4").tobytes() for array in ENCODER.drawn(7).values())
    assert hashlib.sha256(drawn).hexdigest()[:16] == "60bd458e3adfe5cf"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"vocabulary": 1}, "task.vocabulary"),
        ({"positions": TOKENS - 1}, "task.positions"),
        ({"heads": 3}, "task.heads"),
        ({"rank": 0}, "task.rank"),
        ({"alpha": 0}, "task.alpha"),
        ({"alpha": 8.0}, "task.alpha"),
        ({"adapted": "some"}, "task.adapted"),
        ({"base_file": "a", "draw": 1}, "task.draw"),
        ({"base_cid": "Qm"}, "task.base_cid"),
        ({"dropout": 0.1}, "task.dropout"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], field: str) -> None:
    with pytest.raises(FairshareError) as caught:
        task_of(**options)
    assert caught.value.reason is Reason.BAD_SPEC
    assert caught.value.message.startswith(field + ": ")


# What follows imports peft and transformers, which takes seconds.


@pytest.mark.deep
@pytest.mark.parametrize("adapted", ["query-value", "all"])
def test_the_vector_goes_through_the_network_and_back(adapted: str) -> None:
    task = task_of(adapted=adapted)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    vector = np.random.default_rng(0).normal(size=task.length).astype(np.float32).astype(np.float64)
    module = task.module(vector)
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(task.vector(module), vector)
    assert sum(p.numel() for p in module.parameters() if p.requires_grad) == task.length
    assert module(torch.zeros(3, TOKENS)).shape == (3, 3)
    with pytest.raises(ValueError, match=str(task.length)):
        task.module(vector[1:])


@pytest.mark.deep
def test_an_adapted_map_is_the_old_one_and_a_product_of_low_rank() -> None:
    task, vector = task_of(), np.random.default_rng(3).normal(size=task_of().length)
    module = task.module(vector)
    value = module.get_submodule("encoder.encoder.layer.0.attention.self.value")
    at = 3 * 32  # behind the first layer's query
    a, b = vector[at : at + 48].reshape(3, 16), vector[at + 48 : at + 96].reshape(16, 3)
    x = np.random.default_rng(4).normal(size=16)
    whole = ENCODER.drawn(0)["encoder.layer.0.attention.self.value.weight"] + 8 / 3 * (b @ a)
    found = value(torch.from_numpy(x.astype(np.float32))).detach().numpy()
    np.testing.assert_allclose(found, whole @ x, rtol=1e-4, atol=1e-4)


@pytest.mark.deep
def test_padding_and_what_is_no_token_count_for_nothing() -> None:
    task = task_of()
    module = task.module(np.random.default_rng(3).normal(size=task.length)).eval()
    row = np.zeros((1, TOKENS), dtype=np.float32)
    row[0, :4] = [5, 9, 33, 2]
    said = module(torch.from_numpy(row))
    for other in (-1.0, VOCABULARY, 1e30, -1e30):
        strange = row.copy()
        strange[0, 4:] = other
        torch.testing.assert_close(module(torch.from_numpy(strange)), said)
    assert torch.isfinite(module(torch.zeros(1, TOKENS))).all()
    assert not torch.allclose(module(torch.from_numpy(row[:, ::-1].copy())), said)


@pytest.mark.deep
def test_it_learns_and_repeats_itself_on_a_base_from_a_file() -> None:
    content = weights.write(ENCODER.drawn(11))
    named = task_of(base_cid=cid_of(content), base_bytes=len(content))
    assert isinstance(named, NeedsFiles)
    with pytest.raises(FairshareError, match="not loaded"):
        named.module(named.initial(0))
    task = named.with_files({"base": content})
    assert isinstance(task, Lora)
    training, held_out = sentences(400, 1), sentences(200, 2)
    start = task.initial(0)
    assert evaluate.loss(task, start, held_out) == pytest.approx(np.log(3))
    delta = local_delta(task, start, training, TRAINING, 5, "cpu", 1)
    np.testing.assert_array_equal(
        delta, local_delta(task_of(draw=11), start, training, TRAINING, 5, "cpu", 1)
    )
    assert np.count_nonzero(delta[:-51])
    assert evaluate.accuracy(task, start + delta, held_out) > 0.6


@pytest.mark.deep
def test_the_file_is_the_one_that_transformers_writes(tmp_path: Any) -> None:
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=VOCABULARY,
        max_position_embeddings=TOKENS,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
    )
    base = BertModel(config, add_pooling_layer=False).eval()
    base.save_pretrained(tmp_path)
    content = (tmp_path / "model.safetensors").read_bytes()
    named = task_of(base_cid=cid_of(content), base_bytes=len(content))
    assert isinstance(named, NeedsFiles)
    task = named.with_files({"base": content})
    rows = torch.from_numpy(sentences(4, 1).X)
    with torch.no_grad():
        states = base(rows.long(), attention_mask=(rows != 0).long()).last_hidden_state
        module = task.module(task.initial(0)).eval()
        found = module.encoder(rows.long(), attention_mask=(rows != 0).long()).last_hidden_state  # type: ignore[operator]
    torch.testing.assert_close(found, states, rtol=1e-4, atol=1e-5)


@pytest.mark.deep
def test_it_can_be_trained_with_noise() -> None:
    from marketplace.learning.private import Noise, check_private, private_delta

    task = task_of()
    check_private(task)
    training = TRAINING.model_copy(update={"epochs": 1})
    noise = Noise(1.0, 1.0)
    delta = private_delta(task, task.initial(0), sentences(40, 1), training, noise, bytes(32), "cpu", 1)
    assert np.count_nonzero(delta) == task.length
