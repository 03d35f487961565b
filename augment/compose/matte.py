"""How much of a mixed pixel is foreground, by the matting equation with a known background.

It shows `share * foreground + (1 - share) * background`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64, Shaped, UInt8

from augment.images import around, box_sum, planes, shares

WORKING_HEIGHT = 240  # pixels: the colours of what is kept are smooth
DRIFT = 0.1  # of a channel's ratio from the mean of all: more is another surface, not another light
DARKEST, BRIGHTEST = 0.45, 1.35  # ratios that light explains, beyond what is known of it
CONTRAST = 400.0  # squared grey levels: foreground and background that differ by less cannot be told apart

Colours = Float32[np.ndarray, "3 n"]
Values = Float32[np.ndarray, " n"]
Indices = Int64[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Shot:
    """A frame, what of it stays, and its light."""

    seen: UInt8[np.ndarray, "H W 3"]
    keep: Bool[np.ndarray, "H W"]
    exact: Bool[np.ndarray, "H W"]
    """What stays as recorded."""
    inside: Bool[np.ndarray, "H W"]
    """What would, by the masks alone: the foreground's colours."""
    said: UInt8[np.ndarray, "H W"]
    """Share of the foreground, 1..255, where more is known than that; else 0."""
    mixed: Indices
    """Where old and new may both have a share: flat indices of the outline of what is kept and the band around it."""
    light: UInt8[np.ndarray, "H W 3"]
    """What a white background would be recorded as."""


def matte(shot: Shot, seen: Colours, background: Colours, radius: int) -> tuple[Values, Colours]:
    """Share of the foreground in the mixed pixels, 0..1, and its colour, that of the pixels near by that are inside.

    `seen`, `background`: colours of the mixed pixels; `radius`: width of the band. Outside what is kept, the share is
    limited by the distance from it, which decides alone where foreground and background are too much alike to tell.
    """
    rows, columns = np.divmod(shot.mixed, shot.keep.shape[1])
    foreground = _foreground(shot, rows, columns, radius)
    away = foreground - background
    length = (away * away).sum(axis=0)
    found = ((seen - background) * away).sum(axis=0) / np.maximum(length, 1)
    nearness = _nearness(shot.keep, rows, columns, radius)
    return np.where(length > CONTRAST, np.clip(found, 0, nearness), nearness), foreground


def in_other_light(seen: Colours, background: Colours) -> tuple[Bool[np.ndarray, " n"], Values]:
    """Where pixels show the background's surface in some light, and how much of it, relative to that known of."""
    ratios = (seen + 2) / (background + 2)
    light = ratios.mean(axis=0)
    drift = np.abs(ratios - light).max(axis=0)
    return (drift < DRIFT) & (light > DARKEST) & (light < BRIGHTEST), light


def _foreground(shot: Shot, rows: Indices, columns: Indices, radius: int) -> Colours:
    """Mean colour of the pixels near by that are inside what is kept."""
    reduction = max(1, round(len(shot.keep) / WORKING_HEIGHT))
    rows, columns, radius = rows // reduction, columns // reduction, -(-radius // reduction)
    part = around(rows, columns, radius)
    there = tuple(slice(reduction * span.start, reduction * span.stop) for span in part)
    weight = shares(shot.inside[there], reduction).astype(np.float32)
    sums = box_sum(np.stack([*(planes(shot.seen[there], reduction) * weight), weight]), radius)
    *colour, mass = _at(sums, rows - part[0].start, columns - part[1].start)
    return np.asarray(np.stack(colour) / np.maximum(mass, np.float32(1e-3)))


def _nearness(keep: Bool[np.ndarray, "H W"], rows: Indices, columns: Indices, radius: int) -> Values:
    """1 in what is kept, less outside of it, 0 beyond the band."""
    part = around(rows, columns, radius)
    window = (2 * radius + 1) ** 2
    count = box_sum(keep[part].astype(np.min_scalar_type(window)), radius)
    # beside a straight edge half of the window is covered
    outside = np.float32(2 / window) * _at(count, rows - part[0].start, columns - part[1].start)
    return np.where(_at(keep, rows, columns), np.float32(1), np.minimum(outside, 1))


def _at(values: Shaped[np.ndarray, "*c h w"], rows: Indices, columns: Indices) -> Shaped[np.ndarray, "*c n"]:
    return np.asarray(values.reshape(*values.shape[:-2], -1).take(rows * values.shape[-1] + columns, axis=-1))
