"""ControlNets that show a network what is kept (FCO-ControlNet, methods.md 1.7, and those of inpainting)."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from augment.diffusion.masks import repaint
from augment.models.painting.kept import on_grey, whole
from augment.models.painting.latent_model import Condition, LatentModel, Masks, Pixels, Words, in_floats

KEEP_AND_COLOURS = 4  # channels of an FCO-ControlNet: RGB of what is kept on grey, and the mask


def hint(pixels: Float[Tensor, "n 3 H W"], keep: Float[Tensor, "n 1 H W"], channels: int) -> Float[Tensor, "n c H W"]:
    """What a ControlNet of so many channels is shown: colours 0..1.

    4: what is kept on grey, and the mask, 1 = keep. 3, as inpainting ControlNets are trained: -1 where to paint.
    """
    if channels == KEEP_AND_COLOURS:
        return torch.cat([(on_grey(pixels, keep) + 1) / 2, keep], dim=1)
    kept = whole(keep, pixels)
    return (pixels + 1) / 2 * kept - repaint(kept)


@dataclass(frozen=True, eq=False)
class Control:
    """An open ControlNet, of a U-Net."""

    network: Any

    def in_float32(self) -> "Control":
        """A copy that computes in float32."""
        return replace(self, network=in_floats(self.network))

    def condition(self, base: LatentModel, pixels: Pixels, keep: Masks, strength: float) -> Condition:
        """What it says of these pictures; rows beyond them are the same pictures again."""
        shown = self.shown(base, pixels, keep).to(base.device, base.dtype)

        def say(x: Tensor, t: int, words: Words) -> dict[str, Any]:
            with base.using(base.network, self.network):  # which take part in every step
                output = self.network(
                    **self.asked(base.arguments(x, t, words)),
                    controlnet_cond=shown.repeat(len(x) // len(shown), 1, 1, 1),
                    conditioning_scale=strength,
                    return_dict=False,
                )
            return self.said(output)

        return say

    def shown(self, base: LatentModel, pixels: Pixels, keep: Masks) -> Tensor:
        """What is kept, as it is shown it."""
        return hint(pixels, keep, self.network.config.conditioning_channels)

    def asked(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """What it is asked, of what the base is asked."""
        return arguments

    def said(self, output: Any) -> dict[str, Any]:
        """Its output as arguments of the base's network."""
        down, middle = output
        return {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
