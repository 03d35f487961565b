"""Prompts, as text encoders read them: CLIP and T5."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Reader:
    """A tokenizer and its text encoder."""

    tokenizer: Any
    encoder: Any
    layer: int | None = None
    """Hidden layer to take, counted from the end; None for the last one, normalised."""

    def __call__(self, prompts: Sequence[str]) -> tuple[Tensor, Tensor | None]:
        """Hidden states `(n, tokens, d)`, and where the encoder has one the pooled state `(n, e)`, projected or not."""
        said = self.encoder(self.tokens(prompts), output_hidden_states=self.layer is not None)
        hidden = said.last_hidden_state if self.layer is None else said.hidden_states[self.layer]
        return hidden, said.get("text_embeds", said.get("pooler_output"))

    def tokens(self, prompts: Sequence[str]) -> Int[Tensor, "n tokens"]:
        """Prompts as numbers, all of the encoder's length: padded, or cut."""
        length = self.tokenizer.model_max_length
        asked = self.tokenizer(list(prompts), padding="max_length", max_length=length, truncation=True)
        return torch.tensor(asked["input_ids"], device=next(self.encoder.parameters()).device)

    def cut(self, prompt: str) -> str:
        """What of a prompt is beyond the longest that is read; empty where all is."""
        numbers = self.tokenizer(prompt, add_special_tokens=False, verbose=False)["input_ids"]
        read = self.tokenizer.model_max_length - self.tokenizer.num_special_tokens_to_add()
        return str(self.tokenizer.decode(numbers[read:]))
