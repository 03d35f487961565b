"""What is kept, as networks are shown it."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from augment.diffusion.masks import repaint

Encode = Callable[[Tensor], Tensor]
"""Pictures (n, 3, H, W), -1..1, as scaled latents (n, c, h, w)."""


def on_grey(pixels: Float[Tensor, "n 3 H W"], keep: Float[Tensor, "n 1 H W"]) -> Float[Tensor, "n 3 H W"]:
    """What is kept, -1..1, on middle grey."""
    return pixels * keep


def whole(keep: Float[Tensor, "n 1 H W"], like: Float[Tensor, "..."]) -> Float[Tensor, "n 1 H W"]:
    """The mask in whole numbers, in the precision of `like`: 1 = keep where more than half is kept."""
    return (keep > 0.5).to(like.dtype)


def masked_latents(
    encode: Encode, pixels: Float[Tensor, "n 3 H W"], keep: Float[Tensor, "n 1 H W"], stride: int
) -> Float[Tensor, "n c h w"]:
    """What an inpainting U-Net wants beside its latents: the mask, 1 = repaint, and latents of the rest on grey."""
    kept = whole(keep, pixels)
    cells = repaint(in_corners(kept, stride))
    latents = encode(on_grey(pixels, kept))
    return torch.cat([cells.to(latents), latents], dim=1)


def fill_latents(
    encode: Encode, pixels: Float[Tensor, "n 3 H W"], keep: Float[Tensor, "n 1 H W"], stride: int
) -> Float[Tensor, "n c h w"]:
    """What FLUX.1 Fill wants beside its latents: latents of what is kept on grey, then the mask, 1 = repaint, each
    pixel of a cell a channel."""
    kept = whole(keep, pixels)
    latents = encode(on_grey(pixels, kept))
    return torch.cat([latents, functional.pixel_unshuffle(repaint(kept), stride).to(latents)], dim=1)


def blackened_latents(
    encode: Encode, pixels: Float[Tensor, "n 3 H W"], keep: Float[Tensor, "n 1 H W"], stride: int
) -> Float[Tensor, "n c h w"]:
    """What an inpainting ControlNet of Stable Diffusion 3 is shown: latents of what is kept on black, and the mask,
    1 = keep."""
    kept = whole(keep, pixels)
    latents = encode(torch.where(kept > 0, pixels, -1))
    return torch.cat([latents, in_corners(kept, stride).to(latents)], dim=1)


def in_corners(mask: Float[Tensor, "n 1 H W"], stride: int) -> Float[Tensor, "n 1 h w"]:
    """The mask in latent cells, by the first pixel of each: coarse, but what networks were trained with."""
    return functional.interpolate(mask, scale_factor=1 / stride, mode="nearest")
