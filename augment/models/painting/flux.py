"""FLUX.1, above all FLUX.1 Fill, which is shown what is kept: a transformer that was taught how strong words are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from augment.diffusion.predictions import Denoiser
from augment.models.painting.flow_transformer import FlowTransformer
from augment.models.painting.kept import fill_latents
from augment.models.painting.latent_model import Condition, Latents, Masks, Pixels, Words

LONG = 512
"""Tokens of T5, as the model was trained with."""
PATCH = 2  # latent cells of a token's side
THOUSAND = 1000.0  # of its times, which it multiplies itself


@dataclass(frozen=True, eq=False)
class Flux(FlowTransformer):
    """An open pipeline; its readers are CLIP, of which it takes the pooled words, and T5."""

    @property
    def native(self) -> int:
        """Pixels of the side of pictures that the network was trained with."""
        return int(self.vae.config.sample_size)

    def words(self, prompts: Sequence[str]) -> Words:
        """What T5 reads, and what CLIP makes of all; cut where they are too long."""
        with self.using(*(reader.encoder for reader in self.readers)):
            (_, pooled), (hidden, _) = (reader(prompts) for reader in self.readers)
        return Words(hidden, pooled)

    def beside(self, pixels: Pixels, keep: Masks) -> Latents | None:
        """What is kept, and the mask; None for models that take latents alone."""
        if self.transformer.config.in_channels == PATCH**2 * self.vae.config.latent_channels:
            return None
        return fill_latents(self.encode, pixels, keep, self.stride)

    def denoiser(
        self, words: Words, negative: Words, guidance: float, condition: Condition | None, beside: Latents | None
    ) -> Denoiser:
        """What says the noise under these words. Their strength is told; negative words are of no meaning."""
        embeds = self.transformer.config.guidance_embeds

        def told(x: Tensor, t: int, words: Words) -> dict[str, Any]:
            return {"guidance": torch.full((len(x),), guidance, device=x.device)} if embeds else {}

        return super().denoiser(words, words, 1.0, told, beside)

    def arguments(self, x: Tensor, t: int, words: Words) -> dict[str, Any]:
        """What the transformer is asked of x at level t, and under which names."""
        pooled, hidden = words.pooled, words.hidden.to(self.dtype)
        return {
            "hidden_states": packed(x).to(self.dtype),
            "timestep": self.time(x, t) / THOUSAND,
            "encoder_hidden_states": hidden,
            "pooled_projections": None if pooled is None else pooled.to(self.dtype),
            "txt_ids": torch.zeros(hidden.shape[1], 3, device=x.device),
            "img_ids": places(x.shape[-2] // PATCH, x.shape[-1] // PATCH).to(x.device),
        }

    def run(self, x: Tensor, t: int, words: Words, **more: Any) -> Tensor:
        """The network's output as latents, in float32."""
        return unpacked(super().run(x, t, words, **more), x.shape[-2] // PATCH)


def packed(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n tokens d"]:
    """Latents as tokens, row by row: cells of a channel stay together."""
    return functional.pixel_unshuffle(x, PATCH).flatten(2).transpose(1, 2)


def unpacked(tokens: Float[Tensor, "n tokens d"], rows: int) -> Float[Tensor, "n c h w"]:
    """Tokens as latents, in so many rows."""
    return functional.pixel_shuffle(tokens.transpose(1, 2).unflatten(2, (rows, -1)), PATCH)


def places(rows: int, columns: int) -> Float[Tensor, "tokens 3"]:
    """Row and column of each token, after a number that pictures do not need."""
    down, across = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return torch.stack([torch.zeros_like(down), down, across], dim=-1).flatten(0, 1).float()
