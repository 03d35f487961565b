"""How much of a pixel is foreground, by the matting equation with a known background: seen = share * foreground +
(1 - share) * background."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from augment.images import box_sum, shares

HALF = 2  # light, and the colours of what is kept, are smooth: half the resolution is plenty
CONTRAST = 400.0  # squared grey levels: foreground and background that differ by less cannot be told apart

Colours = Float32[np.ndarray, "3 n"]
Values = Float32[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Shot:
    """A frame, what of it stays, and its light."""

    seen: UInt8[np.ndarray, "H W 3"]
    half: Float32[np.ndarray, "3 h w"]
    """The same at half the resolution."""
    keep: Bool[np.ndarray, "H W"]
    exact: Bool[np.ndarray, "H W"]
    """What stays as recorded."""
    mixed: Int64[np.ndarray, " n"]
    """Where old and new may both have a share: flat indices of the outline of what is kept and the band around it."""
    light: UInt8[np.ndarray, "H W 3"]
    """What a white background would be recorded as."""


def share(shot: Shot, seen: Colours, background: Colours, guessed: Bool[np.ndarray, " n"], radius: int) -> Values:
    """Of the foreground in the mixed pixels, 0..1. `seen`, `background`: their colours; `radius`: of the band.

    Outside what is kept it is limited by the distance from that, which also decides alone where the background is
    `guessed`.
    """
    rows, columns = np.divmod(shot.mixed, shot.keep.shape[1])
    away = _foreground(shot, rows // HALF, columns // HALF, (radius + 1) // HALF) - background
    length = (away * away).sum(axis=0)
    share = ((seen - background) * away).sum(axis=0) / np.maximum(length, 1)
    nearness = _nearness(shot.keep, rows, columns, radius)
    known = (length > CONTRAST) & ~guessed
    return np.where(known, np.clip(share, 0, nearness), nearness)


def rectangle(rows: Int64[np.ndarray, " n"], columns: Int64[np.ndarray, " n"], margin: int) -> tuple[slice, slice]:
    """Around some pixels."""
    spans = [slice(max(0, int(at.min()) - margin), int(at.max()) + margin + 1) for at in (rows, columns)]
    return spans[0], spans[1]


def _foreground(
    shot: Shot, rows: Int64[np.ndarray, " n"], columns: Int64[np.ndarray, " n"], radius: int
) -> Float32[np.ndarray, "3 n"]:
    """Mean colour of the exact pixels near by."""
    part = rectangle(rows, columns, radius)
    weight = shares(shot.exact, HALF)[part].astype(np.float32)
    sums = box_sum(np.stack([*(shot.half[:, *part] * weight), weight]), radius)
    near = (rows - part[0].start) * weight.shape[1] + columns - part[1].start
    *colour, mass = sums.reshape(4, -1).take(near, axis=1)
    return np.asarray(colour) / np.maximum(mass, np.float32(1e-3))


def _nearness(
    keep: Bool[np.ndarray, "h w"], rows: Int64[np.ndarray, " n"], columns: Int64[np.ndarray, " n"], radius: int
) -> Values:
    """1 in what is kept, less outside of it, 0 beyond the band."""
    part = rectangle(rows, columns, radius)
    kept, window = keep[part], (2 * radius + 1) ** 2
    count = box_sum(kept.astype(np.min_scalar_type(window)), radius)
    near = (rows - part[0].start) * kept.shape[1] + columns - part[1].start
    # beside a straight edge half of the window is covered
    outside = np.minimum(count.ravel().take(near) * np.float32(2 / window), np.float32(1))
    return np.where(kept.ravel().take(near), np.float32(1), outside)
