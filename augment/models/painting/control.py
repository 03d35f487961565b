"""ControlNets that show a network what is kept (FCO-ControlNet, methods.md 1.7, and those of inpainting)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from augment.diffusion.masks import repaint
from augment.models.painting.text_to_image import Condition, Latents, TextToImage, Words, in_floats

KEEP_AND_COLOURS = 4  # channels of an FCO-ControlNet: RGB of what is kept on grey, and the mask


def on_grey(pixels: Float[Tensor, "n 3 H W"], keep: Float[Tensor, "n 1 H W"]) -> Float[Tensor, "n 3 H W"]:
    """What is kept, -1..1, on middle grey."""
    return pixels * keep


def hint(pixels: Float[Tensor, "n 3 H W"], keep: Float[Tensor, "n 1 H W"], channels: int) -> Float[Tensor, "n c H W"]:
    """What a ControlNet of so many channels is shown: colours 0..1.

    4: what is kept on grey, and the mask, 1 = keep. 3, as inpainting ControlNets are trained: -1 where to paint.
    """
    if channels == KEEP_AND_COLOURS:
        return torch.cat([(on_grey(pixels, keep) + 1) / 2, keep], dim=1)
    kept = (keep > 0.5).to(pixels.dtype)
    return (pixels + 1) / 2 * kept - repaint(kept)


@dataclass(frozen=True, eq=False)
class Control:
    """An open ControlNet."""

    network: Any

    def in_float32(self) -> "Control":
        """A copy that computes in float32."""
        return Control(in_floats(self.network))

    def condition(
        self, base: TextToImage, pixels: Float[Tensor, "n 3 H W"], keep: Float[Tensor, "n 1 H W"], strength: float
    ) -> Condition:
        """What it says of these pictures; rows beyond them are the same pictures again."""
        shown = hint(pixels, keep, self.network.config.conditioning_channels).to(base.device, base.dtype)

        def say(x: Tensor, t: int, words: Words) -> dict[str, Any]:
            with base.using(base.unet, self.network):  # which take part in every step
                down, middle = self.network(
                    x.to(base.dtype),
                    torch.full((len(x),), t, device=x.device),
                    words.hidden.to(base.dtype),
                    shown.repeat(len(x) // len(shown), 1, 1, 1),
                    conditioning_scale=strength,
                    added_cond_kwargs=base.added(words, x),
                    return_dict=False,
                )
            return {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}

        return say


def masked_latents(
    encode: Callable[[Tensor], Latents], pixels: Float[Tensor, "n 3 H W"], keep: Float[Tensor, "n 1 H W"], stride: int
) -> Latents:
    """What an inpainting U-Net wants beside its latents: the mask, 1 = repaint, and latents of the rest on grey."""
    kept = (keep > 0.5).to(pixels.dtype)
    cells = repaint(torch.nn.functional.interpolate(kept, scale_factor=1 / stride, mode="nearest"))
    latents = encode(on_grey(pixels, kept))
    return torch.cat([cells.to(latents), latents], dim=1)
