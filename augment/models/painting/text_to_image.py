"""Latent diffusion by a U-Net: Stable Diffusion 1.x, 2.x and XL, and small ones of the same classes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from augment.models.painting.kept import masked_latents
from augment.models.painting.latent_model import LatentModel, Latents, Masks, Pixels, Words, in_floats


@dataclass(frozen=True, eq=False)
class TextToImage(LatentModel):
    """An open pipeline of the Stable Diffusion family before 3."""

    unet: Any

    @property
    def network(self) -> Any:
        """The U-Net."""
        return self.unet

    @property
    def native(self) -> int:
        """Pixels of the side of pictures that the network was trained with."""
        return int(self.unet.config.sample_size) * self.stride

    @property
    def multiple(self) -> int:
        """What sides in pixels have to be multiples of."""
        return int(self.stride * 2 ** (len(self.unet.config.block_out_channels) - 1))

    def words(self, prompts: Sequence[str]) -> Words:
        """Prompts, read; cut where they are too long."""
        with self.using(*(reader.encoder for reader in self.readers)):
            read_by = [reader(prompts) for reader in self.readers]
        return Words(torch.cat([hidden for hidden, _ in read_by], dim=-1), read_by[-1][1])

    def beside(self, pixels: Pixels, keep: Masks) -> Latents | None:
        """Channels that an inpainting U-Net wants beside its latents; None for others."""
        if self.unet.config.in_channels == self.vae.config.latent_channels:
            return None
        return masked_latents(self.encode, pixels, keep, self.stride)

    def arguments(self, x: Tensor, t: int, words: Words) -> dict[str, Any]:
        """What U-Net and ControlNet are asked of x at level t, and under which names."""
        return {
            "sample": x.to(self.dtype),
            "timestep": torch.full((len(x),), t, device=x.device),
            "encoder_hidden_states": words.hidden.to(self.dtype),
            "added_cond_kwargs": self.added(words, x),
        }

    def added(self, words: Words, x: Tensor) -> dict[str, Tensor] | None:
        """What XL is told besides: the pooled words, and that pictures are whole and of this size."""
        if words.pooled is None or self.unet.config.addition_embed_type != "text_time":
            return None
        height, width = (side * self.stride for side in x.shape[-2:])
        sizes = torch.tensor([[height, width, 0, 0, height, width]], device=x.device, dtype=self.dtype)
        return {"text_embeds": words.pooled.to(self.dtype), "time_ids": sizes.expand(len(x), -1)}

    def in_float32(self) -> "TextToImage":
        """A copy that computes in float32, for what overflows in halves."""
        return replace(self, unet=in_floats(self.unet), **self._coders_in_float32())
