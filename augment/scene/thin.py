"""What hangs from the things that are kept and is too thin for their masks: a cable, a string, the tip of a finger.

It is a ridge: darker, lighter or of another colour than what lies on either side of it, where the plate is even. What a
soft shadow falls on has no such sides; a surface in a narrow shadow keeps its colour, and some of its light.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8
from scipy import ndimage

from augment.images import bounds, box_sum, colours, grow, pixels, planes

WORKING_HEIGHT = 240  # pixels: at this height a thin part is up to 4 pixels wide
VISIBLE = 12  # grey levels in the most different channel: least difference from the plate
OFF = 1.0  # pixels by which an edge of the plate may be off
LIKELY = 14  # grey levels: likewise from the difference on both sides
CONTRAST = 18.0  # grey levels: likewise from what is expected from both sides
DRIFT = 0.1  # of a channel's ratio from the mean of all: more is another surface
DARKEST, BRIGHTEST = 0.45, 1.35  # ratios of the same surface in a narrow shadow, or with a glint, to what is beside it
SURE = 0.25  # share of a thin part that no shadow explains
GAP = 0.006  # of the height: half of the longest gap in a thin part
BAND = 0.012  # of the height: nearer than this to a mask, edges are matted anyway
FAR, LEAST_FAR = 0.06, 8  # of the height, and pixels: so far from that band a thin part leads
TOO_MUCH = 0.2  # of the picture: where more differs from the plate, it is not known what is thin
FULL = 0.8  # of the greatest difference near by: pixels that show a thin part alone
FAINT = 0.08  # share of the foreground that may as well be noise
SIDES = ((0, 1), (1, 0), (1, 1), (1, -1))

Picture = UInt8[np.ndarray, "h w 3"]
Mask = Bool[np.ndarray, "h w"]
Planes = Float32[np.ndarray, "3 h w"]
Colours = Float32[np.ndarray, "3 n"]
Part = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Ridges:
    """Pixels that differ from both of their sides."""

    found: Mask
    sure: Mask
    """Of them, those that no shadow explains."""


def thin_parts(seen: Picture, behind: Picture, keep: Mask, unknown: Mask) -> UInt8[np.ndarray, "h w"]:
    """Share of the foreground, 0..255, of thin parts that are connected to what is kept; 0 elsewhere.

    `behind`: the clean plate as the frame would show it, which is not trusted where `unknown`.
    """
    alpha = np.zeros(keep.shape, dtype=np.uint8)
    ridges = find_ridges(seen, behind, keep, unknown)
    if ridges is None or not (connected := _connected(ridges, keep)).any():
        return alpha
    scale = _scale(keep)
    part = bounds(connected, 8 * scale)
    alpha[part] = _matte(seen[part], behind[part], keep[part] | unknown[part], connected[part], scale)
    return alpha


def find_ridges(seen: Picture, behind: Picture, keep: Mask, unknown: Mask) -> Ridges | None:
    """None where nothing differs from the plate, or too much."""
    scale = _scale(keep)
    where = np.flatnonzero(_likely(seen, behind, 3 * scale) & ~keep & ~unknown)
    if not 0 < len(where) < TOO_MUCH * keep.size:
        return None
    contrast, light = _contrast(seen, behind, keep, where, 3 * scale)
    there = contrast > CONTRAST
    there[there] = contrast[there] > CONTRAST + OFF * _slope(behind, where[there], 2 * scale)
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
        for here, sides in _beside(height, width, apart):
            (one, other), middle = (away[side] for side in sides), away[here]
            found[here] |= np.minimum(one, other) - middle > LIKELY
            found[here] |= middle - np.maximum(one, other) > LIKELY
    return found


def _beside(height: int, width: int, apart: int) -> Iterator[tuple[Part, tuple[Part, Part]]]:
    """For every direction, the pixels that have two sides, and what lies on these."""
    for steps in SIDES:
        places = []
        for way in (0, 1, -1):
            margins = [
                (apart * abs(step), way * apart * step, size) for step, size in zip(steps, (height, width), strict=True)
            ]
            rows, columns = (slice(margin + by, size - margin + by) for margin, by, size in margins)
            places.append((rows, columns))
        yield places[0], (places[1], places[2])


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


def _connected(ridges: Ridges, keep: Mask) -> Mask:
    """The ridges that begin at what is kept, lead away from it, and are no shadow."""
    height = len(keep)
    near = grow(keep, pixels(BAND, height))
    far = ~grow(near, max(LEAST_FAR, pixels(FAR, height)))
    pieces, count = ndimage.label(grow(ridges.found, pixels(GAP, height)), np.ones((3, 3)))
    sizes = [np.bincount(pieces[where & ~near], minlength=count + 1) for where in (ridges.found, ridges.sure)]
    ends = np.stack([np.bincount(pieces[where], minlength=count + 1) for where in (near, far)])
    good = (ends > 0).all(axis=0) & (sizes[1] >= SURE * sizes[0])
    good[0] = False
    return np.asarray(good[pieces] & ridges.found)


def _matte(seen: Picture, behind: Picture, hidden: Mask, ridge: Mask, scale: int) -> UInt8[np.ndarray, "h w"]:
    """Share of the foreground on ridges and beside them; its colour is theirs where they differ most, near by."""
    area = grow(ridge, scale)
    recorded, plate = planes(seen), planes(behind)
    away = recorded - plate * _light(recorded, plate, ~(grow(ridge, 2 * scale) | hidden), 4 * scale)
    strength = np.abs(away).max(axis=0) * area
    full = (strength >= FULL * grow(strength, 4 * scale)) & ridge
    # foreground less background, of the pixels that show it alone
    foreground = _mean(away, full, 4 * scale)
    share = (away * foreground).sum(axis=0) / np.maximum((foreground * foreground).sum(axis=0), 1)
    share = np.where(area & ~hidden & (share > FAINT), np.clip(share, 0, 1), 0)
    return np.asarray(np.rint(255 * share), dtype=np.uint8)


def _light(seen: Planes, plate: Planes, background: Mask, radius: int) -> Planes:
    """Ratio of the frame to the plate around every pixel; 1 where no background is near."""
    ratio = _mean((seen + 2) / (plate + 2), background, radius)
    return np.where(ratio > 0, ratio, np.float32(1))


def _mean(values: Planes, where: Mask, radius: int) -> Planes:
    """Of the pixels of `where`, in a square around each; 0 where there is none."""
    weight = where.astype(np.float32)
    *sums, mass = box_sum(np.stack([*(values * weight), weight]), radius)
    return np.asarray(np.where(mass > 0, np.stack(sums) / np.maximum(mass, 1), 0), dtype=np.float32)


def _scale(keep: Mask) -> int:
    return max(1, round(len(keep) / WORKING_HEIGHT))
