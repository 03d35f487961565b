"""Which noise levels a sampler visits: whole numbers that fall strictly and end with CLEAN."""

from enum import StrEnum

import numpy as np

from augment.diffusion.levels import CLEAN
from augment.errors import RequestError

Grid = tuple[int, ...]


class Span(StrEnum):
    """How far the steps of the diffusion reward reach."""

    FULL = "full"
    """From the start down to the picture."""
    SOURCE = "source"
    """As printed: steps as long as those from T to the start would be, then the picture as seen from there."""


def trailing(start: int, steps: int) -> Grid:
    """Even steps that begin at `start` exactly; with start = T - 1, diffusers' "trailing"."""
    _check(start, steps)
    return (*(round(level) - 1 for level in (start + 1) * (1 - np.arange(steps) / steps)), CLEAN)


def linspace(start: int, steps: int) -> Grid:
    """Even steps from `start` to level 0, then to CLEAN; with start = T - 1, diffusers' "linspace"."""
    _check(start, steps)
    return (*np.linspace(start, 0, steps).round().astype(int).tolist(), CLEAN)


def leading(start: int, steps: int, offset: int = 1) -> Grid:
    """Multiples of a whole stride, plus `offset`; with start = T - 1, diffusers' "leading", which begins below it."""
    _check(start, steps)
    stride = (start + 1) // steps
    return (*(number * stride + offset for number in reversed(range(steps))), CLEAN)


def strided(start: int, stride: int) -> Grid:
    """Steps of `stride` levels: 800, 790, ..., 10, CLEAN (methods.md 1.6)."""
    _check(start, 1)
    if stride < 1:
        raise RequestError(f"steps of {stride} levels; at least 1")
    return (start, *range(start - stride, 0, -stride), CLEAN)


def begin(grid: Grid, start: int) -> Grid:
    """The grid from `start` on, which need not be one of its levels: of most grids 800 is not (methods.md 0.3)."""
    _check(start, 1)
    return (start, *(level for level in grid if level < start))


def every(grid: Grid, steps: int) -> Grid:
    """As many of a grid's levels, evenly from its first: few-step models know a grid of 50, trailing."""
    known = len(grid) - 1
    _check(known - 1, steps)
    return (*(grid[known * number // steps] for number in range(steps)), CLEAN)


def reward_stride(start: int, steps: int, span: Span = Span.FULL, count: int = 1000) -> int:
    """How many levels a step of the diffusion reward spans, at least 1: the random first step is 1 to that many.

    Methods.md 1.4, correction 3: the stride that the source prints, (T - start) / steps, does not reach the picture.
    """
    _check(start, steps)
    return max((start if span is Span.FULL else count - start) // steps, 1)


def reward_grid(start: int, steps: int, stride: int, first: int) -> Grid:
    """From `start` a first step of `first` levels, 1 to `stride`, then `steps` - 1 of `stride`, then to CLEAN.

    At most `steps` + 1 levels above CLEAN, the start among them; fewer where level 0 is reached before.
    """
    _check(start, steps)
    if not 1 <= first <= stride:
        raise RequestError(f"a first step of {first} levels; it must be 1 to the stride, {stride}")
    levels = (start - first - number * stride for number in range(steps))
    return (start, *(level for level in levels if level > 0), CLEAN)


def _check(start: int, steps: int) -> None:
    if start < 0 or not 1 <= steps <= start + 1:
        raise RequestError(
            f"{steps} steps from level {start}; it takes a level of at least 0, and 1 to {start + 1} steps"
        )
