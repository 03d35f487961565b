"""Whether painted surroundings fit what they surround (methods.md 1.9, 6.6)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from augment.images import grow, pixels

REACH = 0.25  # of the height: how far from its true place an edge is looked for
SPAN = 0.012  # of the height: pixels above and below an edge that are compared
COLUMNS = 0.15  # of the width: an edge that is seen in fewer columns says nothing


@dataclass(frozen=True)
class Extent:
    """How much of a class a picture shows, compared with what was given of it."""

    expansion: float
    """Area of it outside the given mask, over the mask's area: limbs that grew, doubles. 0 is ideal."""
    loss: float
    """Share of the given mask in which it is not found. 0 is ideal."""

    @property
    def ratio(self) -> float:
        """Area that is found over the area that was given: the SAM score. 1 is ideal."""
        return 1 - self.loss + self.expansion


def extent(found: Bool[np.ndarray, "h w"], given: Bool[np.ndarray, "h w"]) -> Extent:
    """`found`: union of all that a detector calls so; `given`: what was kept, with at least a pixel."""
    area = np.count_nonzero(given)
    return Extent(np.count_nonzero(found & ~given) / area, np.count_nonzero(given & ~found) / area)


def support_edge(support: Bool[np.ndarray, "h w"], hidden: Bool[np.ndarray, "h w"]) -> Float32[np.ndarray, " w"]:
    """Row of the support's far edge in each column, NaN where it is hidden or beyond the picture.

    `hidden`: what stands before it.
    """
    height, width = support.shape
    margin = pixels(SPAN, height) + 1
    top = support.argmax(axis=0)
    seen = support.any(axis=0) & (top > margin) & (top < height - margin)
    near = grow(hidden, margin)
    seen &= ~near[np.maximum(top - 1, 0), np.arange(width)]
    return np.where(seen, top, np.nan).astype(np.float32)


def edge_error(
    picture: UInt8[np.ndarray, "h w 3"], edge: Float32[np.ndarray, " w"], keep: Bool[np.ndarray, "h w"]
) -> float:
    """How far from its true place the picture's strongest edge of that shape lies, as a share of the height.

    NaN where the true edge is seen in too few columns. `keep`: what was given, whose own edges do not count.
    """
    height, width = keep.shape
    columns = np.flatnonzero(~np.isnan(edge))
    if len(columns) < COLUMNS * width:
        return float("nan")
    span, reach = pixels(SPAN, height), round(REACH * height)
    colours, foreign = picture.astype(np.float32), grow(keep, span + 1)
    offsets = range(-reach, reach + 1)
    steps = [_step(colours, foreign, columns, edge[columns].astype(int) + offset, span) for offset in offsets]
    return abs(int(np.nanargmax(steps)) - reach) / height if np.isfinite(steps).any() else float("nan")


def _step(colours: np.ndarray, foreign: np.ndarray, columns: np.ndarray, rows: np.ndarray, span: int) -> float:
    """Difference of the mean colours just above and below a line; NaN where hardly anything of it is to be seen."""
    inside = (rows - span >= 0) & (rows + span < len(colours))
    rows, columns = rows[inside], columns[inside]
    free = ~foreign[rows, columns]
    if np.count_nonzero(free) < max(4, len(foreign[0]) * COLUMNS / 2):
        return float("nan")
    rows, columns = rows[free], columns[free]
    above = np.mean([colours[rows - 1 - by, columns] for by in range(span)], axis=0)
    below = np.mean([colours[rows + by, columns] for by in range(span)], axis=0)
    return float(np.abs(above - below).sum(axis=1).mean())
