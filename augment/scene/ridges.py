"""Narrow things before a plate: darker, lighter or of another colour than what lies on either side of them.

What a soft shadow falls on has no such sides; a surface in a narrow shadow keeps its colour, and some of its light.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from augment.images import colours

VISIBLE = 12  # grey levels in the most different channel: least difference from the plate of what is not the plate
LIKELY = 14  # grey levels: least change of that difference towards both sides
CONTRAST = 18.0  # grey levels: least difference from what both sides make of the plate
OFF = 1.0  # pixels by which an edge of the plate may be off
DRIFT = 0.1  # of a channel's ratio from the mean of all: more is another surface
DARKEST, BRIGHTEST = 0.45, 1.35  # ratios of the same surface in a narrow shadow, or with a glint, to what is beside it
TOO_MUCH = 0.2  # of the picture: where more changes, it is not known what is narrow
SIDES = ((0, 1), (1, 0), (1, 1), (1, -1))

Picture = UInt8[np.ndarray, "h w 3"]
Mask = Bool[np.ndarray, "h w"]
Colours = Float32[np.ndarray, "3 n"]
Part = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Ridges:
    """Pixels that differ from both of their sides."""

    found: Mask
    sure: Mask
    """Of them, those that no shadow explains."""


def find_ridges(seen: Picture, behind: Picture, unknown: Mask, keep: Mask, apart: int) -> Ridges | None:
    """What is not kept, and narrower than its sides are far: `apart` pixels. None where nothing may be, or too much.

    `behind`: the clean plate as the frame would show it, which is not trusted where `unknown`.
    """
    where = np.flatnonzero(_likely(seen, behind, apart) & ~keep & ~unknown)
    if not 0 < len(where) < TOO_MUCH * keep.size:
        return None
    contrast, light = _contrast(seen, behind, keep, where, apart)
    there = contrast > CONTRAST
    there[there] = contrast[there] > CONTRAST + OFF * _slope(behind, where[there], apart - 1)
    found, sure = np.zeros((2, *keep.shape), dtype=np.bool_)
    found.put(where[there], True)
    sure.put(where[there & _strange(light)], True)
    return Ridges(found, sure)


def _likely(seen: Picture, behind: Picture, apart: int) -> Mask:
    """Pixels whose difference from the plate is another than on either side: a quick look, which leaves few."""
    height, width = seen.shape[:2]
    found = np.zeros((height, width), dtype=np.bool_)
    for channel in range(3):  # all at once takes ten times as long
        away = np.subtract(seen[..., channel], behind[..., channel], dtype=np.int16)
        above, below = away + np.int16(LIKELY), away - np.int16(LIKELY)
        for here, sides in _beside(height, width, apart):
            one, other = (away[side] for side in sides)
            found[here] |= np.minimum(one, other) > above[here]
            found[here] |= np.maximum(one, other) < below[here]
    return found


def _beside(height: int, width: int, apart: int) -> Iterator[tuple[Part, list[Part]]]:
    """For every direction, the pixels that have two sides, and what lies on these."""
    for down, right in SIDES:
        here, *sides = (
            (
                _shifted(height, apart * abs(down), way * apart * down),
                _shifted(width, apart * abs(right), way * apart * right),
            )
            for way in (0, 1, -1)
        )
        yield here, sides


def _shifted(size: int, margin: int, by: int) -> slice:
    """All but a margin at both ends, moved."""
    return slice(margin + by, max(0, size - margin + by))


def _contrast(
    seen: Picture, behind: Picture, keep: Mask, where: Int64[np.ndarray, " n"], apart: int
) -> tuple[Float32[np.ndarray, " n"], Colours]:
    """By how much pixels differ from both sides, in grey levels, and the ratio to these; in the direction where most.

    What the sides tell is how much light there is: the plate is known.
    """
    height, width = keep.shape
    rows, columns = np.divmod(where, width)
    here, plate = colours(seen, where), colours(behind, where)
    most, ratio = np.zeros(len(where), dtype=np.float32), np.ones_like(here)
    for down, right in SIDES:
        expected, plain = [], np.ones(len(where), dtype=np.bool_)
        for away in (apart, -apart):
            row, column = rows + away * down, columns + away * right
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            side = np.where(inside, row * width + column, 0)
            there, known = colours(seen, side), colours(behind, side)
            light = (there + 2) / (known + 2)
            plain &= inside & ~keep.ravel()[side] & (~_strange(light) | (np.abs(there - known).max(axis=0) < VISIBLE))
            expected.append(plate * light)
        darker, lighter = np.minimum(*expected) - here, here - np.maximum(*expected)
        contrast = np.maximum(darker, lighter).max(axis=0) * plain
        ratio = np.where(contrast > most, (here + 2) / ((expected[0] + expected[1]) / 2 + 2), ratio)
        most = np.maximum(most, contrast)
    return most, ratio


def _slope(picture: Picture, where: Int64[np.ndarray, " n"], reach: int) -> Float32[np.ndarray, " n"]:
    """Grey levels from pixel to pixel, in the most different channel, where it is steepest near by."""
    height, width = picture.shape[:2]
    rows, columns = np.divmod(where, width)
    most = np.zeros(len(where), dtype=np.float32)
    for down, right in SIDES:
        values = []
        for away in range(-reach, reach + 1):
            row, column = np.clip(rows + away * down, 0, height - 1), np.clip(columns + away * right, 0, width - 1)
            values.append(colours(picture, row * width + column))
        steps = [np.abs(after - before).max(axis=0) for before, after in pairwise(values)]
        most = np.maximum.reduce([most, *steps])
    return most


def _strange(ratio: Colours) -> Bool[np.ndarray, " n"]:
    """Whether another surface must be there, not the same one in other light."""
    light = ratio.mean(axis=0)
    drift = np.abs(ratio - light).max(axis=0)
    return np.asarray(
        (drift > DRIFT + 0.1 * np.maximum(1 - light, 0)) | (light < DARKEST) | (light > BRIGHTEST), dtype=np.bool_
    )
