"""The task `lora`: a transformer encoder that stays as it is, low-rank adapters on it that are trained, and a head.

LoRA: Hu et al., ICLR 2022, arXiv:2106.09685, by Hugging Face's peft; the encoder is transformers' BERT (Devlin et al.,
NAACL 2019, arXiv:1810.04805).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from marketplace.errors import FairshareError, Reason
from marketplace.learning import draws
from marketplace.learning.tasks import weights
from marketplace.learning.tasks.files import TaskFile, file_of, option_names
from marketplace.learning.tasks.layers import FROZEN, INITIAL, get_vector, set_vector
from marketplace.learning.tasks.options import choice, integer, refuse_unknown
from marketplace.learning.tasks.task import Floats, Task
from marketplace.spec.problems import bad_field
from marketplace.spec.sections import TaskSection

if TYPE_CHECKING:
    from torch import nn

BASE = "base"  # the file
_ATTENTION, _OUTPUT = "attention.self", "attention.output.dense"
ADAPTED = {
    "query-value": (f"{_ATTENTION}.query", f"{_ATTENTION}.value"),
    "all": (
        f"{_ATTENTION}.query",
        f"{_ATTENTION}.key",
        f"{_ATTENTION}.value",
        _OUTPUT,
        "intermediate.dense",
        "output.dense",
    ),
}
_SCALE = 0.02  # standard deviation of BERT's initial weights
OPTIONS = (
    "vocabulary",
    "positions",
    "width",
    "layers",
    "heads",
    "inner",
    "rank",
    "alpha",
    "adapted",
    "draw",
    *option_names(BASE),
)


@dataclass(frozen=True)
class Encoder:
    """The shape of a BERT without its pooler."""

    vocabulary: int
    positions: int
    width: int
    layers: int
    heads: int
    inner: int

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of all its arrays, under the names that transformers gives them."""
        width = self.width
        shapes: dict[str, tuple[int, ...]] = {
            "embeddings.word_embeddings.weight": (self.vocabulary, width),
            "embeddings.position_embeddings.weight": (self.positions, width),
            "embeddings.token_type_embeddings.weight": (2, width),
            "embeddings.LayerNorm.weight": (width,),
            "embeddings.LayerNorm.bias": (width,),
        }
        for layer in range(self.layers):
            at = f"encoder.layer.{layer}."
            for target in ADAPTED["all"]:
                outputs, inputs = self.shape_of(target)
                shapes |= {f"{at}{target}.weight": (outputs, inputs), f"{at}{target}.bias": (outputs,)}
            for norm in ("attention.output.LayerNorm", "output.LayerNorm"):
                shapes |= {f"{at}{norm}.weight": (width,), f"{at}{norm}.bias": (width,)}
        return shapes

    def shape_of(self, target: str) -> tuple[int, int]:
        """(outputs, inputs) of one of a layer's linear maps."""
        return {"intermediate.dense": (self.inner, self.width), "output.dense": (self.width, self.inner)}.get(
            target, (self.width, self.width)
        )

    def drawn(self, draw: int) -> weights.Arrays:
        """All its arrays from the seed `draw`: uniform weights, norms of ones, biases of zeros."""
        arrays = {}
        for number, (name, shape) in enumerate(self.shapes.items()):
            if name.endswith("LayerNorm.weight"):
                values = np.ones(shape)
            elif name.endswith("bias"):
                values = np.zeros(shape)
            else:
                values = draws.uniform((FROZEN, draw, number), math.prod(shape), _SCALE * 3**0.5)
            arrays[name] = values.reshape(shape).astype(np.float32)
        return arrays


@dataclass(frozen=True)
class Lora:
    """Rows of token numbers. The vector: by layer and adapted map A [rank, inputs] and B [outputs, rank]; the head."""

    features: int
    classes: int
    encoder: Encoder
    rank: int
    alpha: int
    adapted: str
    draw: int
    file: TaskFile | None
    arrays: weights.Arrays | None = field(default=None, repr=False, compare=False)
    name = "lora"

    @property
    def adapters(self) -> tuple[tuple[int, int], ...]:
        """(outputs, inputs) of each map that is adapted, layer by layer."""
        return tuple(map(self.encoder.shape_of, ADAPTED[self.adapted])) * self.encoder.layers

    @property
    def length(self) -> int:
        """Numbers of the adapters and of the head."""
        of_adapters = self.rank * sum(outputs + inputs for outputs, inputs in self.adapters)
        return of_adapters + (self.encoder.width + 1) * self.classes

    @property
    def files(self) -> tuple[TaskFile, ...]:
        """See `NeedsFiles`; none where the encoder is drawn."""
        return () if self.file is None else (self.file,)

    def with_files(self, contents: Mapping[str, bytes]) -> Task:
        """See `NeedsFiles`."""
        if self.file is None:
            return self
        return replace(self, arrays=weights.read(contents[BASE], self.encoder.shapes, f"task.{BASE}"))

    def initial(self, seed: int) -> Floats:
        """A drawn from `seed`, uniform with peft's bound 1 / sqrt(inputs); B and the head zero: nothing is changed."""
        parts = []
        for at, (outputs, inputs) in enumerate(self.adapters):
            parts += [
                draws.uniform((INITIAL, seed, at), self.rank * inputs, inputs**-0.5),
                np.zeros(outputs * self.rank),
            ]
        return np.concatenate([*parts, np.zeros((self.encoder.width + 1) * self.classes)])

    def module(self, vector: Floats) -> nn.Module:
        """float32 [n, features], token numbers, to logits [n, classes]; 0, and what is no token, is padding.

        Raises TOOL_MISSING without peft, INTERNAL without the base's bytes.
        """
        try:
            from marketplace.learning.tasks.lora_network import TokenClassifier
        except ModuleNotFoundError as error:
            raise FairshareError(
                Reason.TOOL_MISSING, f"the task lora needs {error.name}", "pip install 'fairshare[lora]'"
            ) from error
        arrays = self.arrays
        if arrays is None:
            if self.file is not None:
                raise FairshareError(Reason.INTERNAL, "the base was not loaded before a model was made")
            arrays = self.encoder.drawn(self.draw)
        module = TokenClassifier(
            self.encoder, arrays, self.classes, self.rank, self.alpha, ADAPTED[self.adapted]
        )
        set_vector(module.trained(), vector)
        return module

    def vector(self, module: nn.Module) -> Floats:
        """float64[d]."""
        from marketplace.learning.tasks.lora_network import TokenClassifier

        assert isinstance(module, TokenClassifier)
        return get_vector(module.trained())


def lora(section: TaskSection) -> Task:
    """LoRA adapters and a head on a frozen BERT; X holds token numbers, 0 pads. Options:

    `vocabulary`: tokens run from 0 to one less; `positions` (features): rows may be that long; `width` (64), `layers`
    (2), `heads` (4), `inner` (4 * width): of the encoder; `rank` (4), `alpha` (8), `adapted` ("query-value", or "all"):
    of the adapters; `base_file`: in project.toml, a safetensors file with the encoder, which posting replaces by its
    hash and size, `base_cid` and `base_bytes`; `draw` (0): seed of an encoder without a file.
    """
    refuse_unknown(section, OPTIONS)
    width = integer(section, "width", 64, 2, 4096)
    encoder = Encoder(
        integer(section, "vocabulary", None, 2, 1 << 20),
        integer(section, "positions", section.features, section.features, 1 << 16),
        width,
        integer(section, "layers", 2, 1, 48),
        integer(section, "heads", 4, 1, 64),
        integer(section, "inner", 4 * width, 1, 1 << 14),
    )
    if width % encoder.heads:
        raise bad_field("task.heads", f"{encoder.heads} heads do not divide a width of {width}")
    file = file_of(section, BASE)
    if file is not None and "draw" in section.options:
        raise bad_field("task.draw", "the encoder comes from a file: leave it out")
    return Lora(
        section.features,
        section.classes,
        encoder,
        integer(section, "rank", 4, 1, 256),
        integer(section, "alpha", 8, 1, 10_000),
        choice(section, "adapted", "query-value", tuple(ADAPTED)),
        integer(section, "draw", 0, 0, 2**32 - 1),
        file,
    )
