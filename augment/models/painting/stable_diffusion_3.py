"""Stable Diffusion 3 and 3.5: two readers of CLIP, one of T5 that may be left out, and a transformer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from augment.errors import RequestError
from augment.models.painting.control import Control
from augment.models.painting.flow_transformer import FlowTransformer
from augment.models.painting.kept import blackened_latents
from augment.models.painting.latent_model import LatentModel, Masks, Pixels, Words

LONG = 256
"""Tokens of T5, as the model was trained with."""
CLIPS = 2  # readers of CLIP


@dataclass(frozen=True, eq=False)
class StableDiffusion3(FlowTransformer):
    """An open pipeline; its readers are those of CLIP, and then T5's where there is one."""

    @property
    def native(self) -> int:
        """Pixels of the side of pictures that the network was trained with."""
        return int(self.transformer.config.sample_size) * self.stride

    def sized(self, height: int, width: int) -> "StableDiffusion3":
        """As all flows. Raises RequestError where the network has no positions for so long a side."""
        longest = int(self.transformer.config.pos_embed_max_size) * self.multiple
        if max(height, width) > longest:
            raise RequestError(
                f"a picture of {width} x {height} pixels, scaled to what this base paints; it knows at most {longest} "
                "on a side: choose another base, or cameras that are less wide"
            )
        return super().sized(height, width)

    def words(self, prompts: Sequence[str]) -> Words:
        """What CLIP reads, then what T5 reads; where that is missing nothing, as in the authors' pipeline."""
        with self.using(*(reader.encoder for reader in self.readers)):
            read_by = [reader(prompts) for reader in self.readers]
        clip = torch.cat([hidden for hidden, _ in read_by[:CLIPS]], dim=-1)
        clip = functional.pad(clip, (0, self.transformer.config.joint_attention_dim - clip.shape[-1]))
        long = read_by[CLIPS][0] if len(read_by) > CLIPS else clip.new_zeros(len(clip), LONG, clip.shape[-1])
        pooled = [pooled for _, pooled in read_by[:CLIPS]]
        return Words(torch.cat([clip, long], dim=1), torch.cat(pooled, dim=-1))

    def arguments(self, x: Tensor, t: int, words: Words) -> dict[str, Any]:
        """What transformer and ControlNet are asked of x at level t, and under which names."""
        pooled = words.pooled
        return {
            "hidden_states": x.to(self.dtype),
            "timestep": self.time(x, t),
            "encoder_hidden_states": words.hidden.to(self.dtype),
            "pooled_projections": None if pooled is None else pooled.to(self.dtype),
        }


@dataclass(frozen=True, eq=False)
class Control3(Control):
    """An open ControlNet of Stable Diffusion 3 that was trained for inpainting."""

    def shown(self, base: LatentModel, pixels: Pixels, keep: Masks) -> Tensor:
        """Latents of what is kept, and the mask."""
        return blackened_latents(base.encode, pixels, keep, base.stride)

    def asked(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """It was trained without the pooled words."""
        return {**arguments, "pooled_projections": torch.zeros_like(arguments["pooled_projections"])}

    def said(self, output: Any) -> dict[str, Any]:
        """Its output as arguments of the transformer."""
        return {"block_controlnet_hidden_states": output[0]}
