"""What is repainted: 1 here, while everywhere else in the project 1 is kept; and when, for masks that change."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from augment.diffusion.grids import Grid
from augment.errors import RequestError

Schedule = Callable[[int], Tensor]
"""The mask (b, 1, h, w), 1 = repaint, to blend with at level s."""

DILATIONS = (7, 5, 3, 1)
"""Sides of squares of latent cells, one for each quarter of the steps."""


def repaint(keep: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
    """The one place where 1 = keep turns into 1 = repaint, 0..1; its own inverse."""
    return 1 - keep


def in_cells(keep: Float[Tensor, "b 1 h w"], side: int = 8) -> Float[Tensor, "b 1 h//{side} w//{side}"]:
    """Share of each latent cell, `side` pixels wide, that is kept; its `== 1` are cells without a pixel to repaint.

    By area, since sampling at points loses cables and fingers. Raises RequestError unless the side divides the size.
    """
    if keep.shape[-2] % side or keep.shape[-1] % side:
        raise RequestError(f"a mask of {keep.shape[-2]} x {keep.shape[-1]} pixels; pad it to multiples of {side}")
    return functional.avg_pool2d(keep, side)


def steady(mask: Float[Tensor, "b 1 h w"]) -> Schedule:
    """The same mask at all levels; soft values mix."""
    return lambda s: mask


def shrinking(mask: Float[Tensor, "b 1 h w"], grid: Grid) -> Schedule:
    """For thin masks: dilated to squares of 7, 5, 3 cells and as it is, over four quarters of the steps (4.4)."""
    grown = [functional.max_pool2d(mask, side, stride=1, padding=side // 2) for side in DILATIONS]
    return lambda s: grown[len(grown) * (_number(grid, s) - 1) // (len(grid) - 1)]


def gradual(mask: Float[Tensor, "b 1 h w"], grid: Grid) -> Schedule:
    """For soft masks, without mixing noise: a value of 0.7 is repainted in the last 0.7 of the steps (9.4).

    Masks that come out are 0 or 1. What is above 0 takes part in the last step at least, and 0 never.
    """
    return lambda s: (mask > 1 - _number(grid, s) / (len(grid) - 1)).to(mask.dtype)


def _number(grid: Grid, s: int) -> int:
    """Of the step to level s, from 1."""
    if s not in grid[1:]:
        raise RequestError(f"no step of {grid} leads to level {s}; give the mask and the sampler the same grid")
    return grid.index(s)
