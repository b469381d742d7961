"""The network of `lora`. It imports peft and transformers, which takes seconds, so it is imported where one is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn
from transformers import BertConfig, BertModel

from marketplace.learning.tasks.layers import linear
from marketplace.learning.tasks.weights import Arrays

if TYPE_CHECKING:
    from marketplace.learning.tasks.lora import Encoder

_ADAPTER = "default"


class TokenClassifier(nn.Module):
    """float32 [n, tokens] to logits [n, classes]: adapted encoder, mean over what is no padding, linear layer."""

    def __init__(
        self, encoder: Encoder, arrays: Arrays, classes: int, rank: int, alpha: int, adapted: Sequence[str]
    ) -> None:
        super().__init__()
        config = BertConfig(
            vocab_size=encoder.vocabulary,
            max_position_embeddings=encoder.positions,
            hidden_size=encoder.width,
            num_hidden_layers=encoder.layers,
            num_attention_heads=encoder.heads,
            intermediate_size=encoder.inner,
            hidden_dropout_prob=0.0,  # a round of training is a function of its arguments
            attention_probs_dropout_prob=0.0,
            attn_implementation="eager",  # type: ignore[call-arg]  # its base class takes it
        )
        low_rank = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=0.0, target_modules=list(adapted))
        with torch.random.fork_rng(devices=[]):  # both draw numbers, which are then replaced
            base = BertModel(config, add_pooling_layer=False)
            base.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in arrays.items()})
            self.encoder = inject_adapter_in_model(low_rank, base)
        self.head = linear(encoder.width, classes)
        self._vocabulary = encoder.vocabulary
        self._maps = [f"encoder.layer.{i}.{name}" for i in range(encoder.layers) for name in adapted]
        self.encoder.requires_grad_(False)
        for parameter in self.trained():
            parameter.requires_grad_(True)

    def trained(self) -> list[nn.Parameter]:
        """The parameters that are trained, in the order of the task's vector."""
        found: list[nn.Parameter] = []
        for path in self._maps:
            found += [
                self.encoder.get_parameter(f"{path}.{matrix}.{_ADAPTER}.weight")
                for matrix in ("lora_A", "lora_B")
            ]
        return [*found, *self.head.parameters()]

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """See the class."""
        rounded = rows.round()
        tokens = torch.where((rounded >= 0) & (rounded < self._vocabulary), rounded, 0).long()
        present = tokens != 0
        # A row of padding alone still has a first token to look at.
        present = torch.cat([torch.ones_like(present[:, :1]), present[:, 1:]], dim=1)
        states = self.encoder(input_ids=tokens, attention_mask=present.long()).last_hidden_state
        shown = present.unsqueeze(2).to(states.dtype)
        logits: torch.Tensor = self.head((states * shown).sum(dim=1) / shown.sum(dim=1))
        return logits
