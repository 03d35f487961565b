"""The diffusion reward: what a frozen denoiser makes of a predicted start, held against the real picture."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from augment.diffusion.grids import Grid
from augment.diffusion.levels import Levels
from augment.diffusion.maps import ddim, precise, renoise
from augment.diffusion.predictions import Denoiser


@dataclass(frozen=True, eq=False)
class Reward:
    """Of one batch."""

    value: Float[Tensor, ""]
    """Mean squared difference between what was made and the real picture; to report."""
    loss: Float[Tensor, ""]
    """To minimise: its own value means nothing, its gradient is that of `value`."""
    picture: Float[Tensor, "b *shape"]
    """What was made."""


def denoised(
    levels: Levels,
    denoise: Denoiser,
    signal: Float[Tensor, "b *shape"],
    noise: Float[Tensor, "b *shape"],
    grid: Grid,
) -> Float[Tensor, "b *shape"]:
    """The picture that DDIM makes of `signal` with `noise` at the grid's start, step by step down the grid."""
    x = renoise(levels, signal, grid[0], noise)
    for t, s in pairwise(grid):
        x = ddim(levels, x, t, s, denoise(x, t))
    return x


def reward(
    levels: Levels,
    denoise: Denoiser,
    signal: Float[Tensor, "b *shape"],
    noise: Float[Tensor, "b *shape"],
    picture: Float[Tensor, "b *shape"],
    grid: Grid,
) -> Reward:
    """How far from `picture` the frozen denoiser ends that starts from a policy's `signal` and the inversion's `noise`.

    With the noise that the denoiser says held fixed (DRTune), the derivatives of the steps (E3) telescope to 1 / a of
    the start, and that of renoising is a: the derivative of what is made by `signal` is the identity (methods.md 1.3).
    So the loss is a straight-through one, exact, and needs no graph through the steps.
    """
    with torch.no_grad():
        made = denoised(levels, denoise, signal.detach(), noise, grid)
        wrong = made - precise(picture)
    return Reward(wrong.square().mean(), (precise(signal) * (2 / wrong.numel() * wrong)).sum(), made)
