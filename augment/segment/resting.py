"""What looks like the things that move, and never does: a second arm at rest, the column that an arm stands on."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, Int
from PIL import Image
from scipy import ndimage

from augment.images import grow, unwarp, warp
from augment.segment.appearance import smoothed
from augment.segment.spread import ease, spread
from augment.segment.still import StillMask, keep_still
from augment.types import Background, MaskTrack, Role
from robot_io.types import FrameSource

WORKING_HEIGHT = 240  # pixels
SAMPLES = 16  # frames that tell the colours of what moves
INSIDE = 2  # pixels from a mask's outline: from there on, colours are those of what moves alone
BRIGHTNESSES, HUES = 13, 16  # bins of brightness, and of two differences of channels
BRIGHTNESS, HUE = 20.0, 8.0  # grey levels per bin
RARE = 1e-6  # share of a bin: fewer pixels tell nothing
SURE = 7.4  # how many times likelier a colour must be of what moves, to be certain
REACH = 60.0  # squared pixels over which evidence spreads
SMALLEST, LARGEST = 0.005, 0.35  # shares of the picture
ROUNDS = 2
LABEL = "looks like what moves, never moves"


def find_resting(frames: FrameSource, background: Background, tracks: Sequence[MaskTrack]) -> StillMask | None:
    """The parts of the plate that have the colours of what `tracks` hold and touch it, or the picture's edge.

    By the ratio of two histograms of colour, what moves over what does not, whose logarithm spreads up to the plate's
    edges. None if there are none, or if so much looks alike that colours tell nothing.
    """
    reduction = max(1, round(frames.height / WORKING_HEIGHT))
    plate = smoothed(background.plate, reduction)
    moving, swept = _moving(frames, background, tracks, reduction)
    bins = _bins(plate)
    right, down = (ease([plate], axis) for axis in (2, 1))
    swept[:, [0, -1]] = swept[[0, -1]] = True
    found = np.zeros_like(swept)
    for _ in range(ROUNDS if moving.any() else 0):
        ratio = (moving + RARE) / (_histogram(bins[~found]) + RARE)
        evidence = np.clip(np.log(ratio) / np.log(SURE), -1, 1).astype(np.float32)[bins]
        belief = spread(evidence, np.ones_like(evidence), right, down, REACH)
        found = _whole(_touching(belief > 0, grow(swept, 1)))
    if not SMALLEST < found.mean() < LARGEST:
        return None
    large = Image.fromarray(found).resize((frames.width, frames.height), Image.Resampling.NEAREST)
    return keep_still(np.asarray(large), frames, background, Role.ROBOT, LABEL)


def _moving(
    frames: FrameSource, background: Background, tracks: Sequence[MaskTrack], reduction: int
) -> tuple[Float32[np.ndarray, " n"], Bool[np.ndarray, "h w"]]:
    """Histogram of the colours of what moves, at the plate's exposure, and where on the plate it ever was."""
    part = (slice(None, None, reduction), slice(None, None, reduction))
    total = np.zeros(BRIGHTNESSES * HUES * HUES, dtype=np.float32)
    swept: Bool[np.ndarray, "H W"] = np.zeros(background.plate.shape[:2], dtype=np.bool_)
    for index in sorted({round(place) for place in np.linspace(0, len(frames) - 1, SAMPLES).tolist()}):
        mask = np.logical_or.reduce([track.read(index, index + 1)[0] for track in tracks])
        swept |= warp(mask, unwarp(background.warps[index]))
        inside = ~grow(~mask, INSIDE * reduction)[part]
        seen = smoothed(frames.read(index, index + 1).frames[0], reduction) / background.gains[index][:, None, None]
        total += _histogram(_bins(seen)[inside], scaled=False)
    return total / max(total.sum(), 1), swept[part]


def _bins(planes: Float32[np.ndarray, "3 h w"]) -> Int[np.ndarray, "h w"]:
    """The bin of every pixel's colour."""
    red, green, blue = planes
    brightness = np.clip(planes.mean(axis=0) / BRIGHTNESS, 0, BRIGHTNESSES - 1).astype(int)
    warm, cold = (np.clip((plane - green) / HUE + HUES / 2, 0, HUES - 1).astype(int) for plane in (red, blue))
    return np.asarray((brightness * HUES + warm) * HUES + cold)


def _histogram(bins: Int[np.ndarray, " n"], scaled: bool = True) -> Float32[np.ndarray, " m"]:
    """Smoothed over neighbouring colours; of sum 1, if scaled."""
    counts = np.bincount(bins, minlength=BRIGHTNESSES * HUES * HUES).reshape(BRIGHTNESSES, HUES, HUES)
    smooth = ndimage.gaussian_filter(counts.astype(np.float32), 1.0).ravel()
    return np.asarray(smooth / max(float(smooth.sum()), 1.0) if scaled else smooth)


def _touching(mask: Bool[np.ndarray, "h w"], other: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """The pieces that are large enough and touch another mask."""
    pieces, count = ndimage.label(mask)
    large = np.bincount(pieces.ravel(), minlength=count + 1) > SMALLEST * mask.size
    touching = np.zeros(count + 1, dtype=np.bool_)
    touching[pieces[mask & other]] = True
    return np.asarray((large & touching)[pieces])


def _whole(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Small holes, such as lights and labels, are part of what surrounds them."""
    holes, _ = ndimage.label(~mask)
    return np.asarray(mask | (np.bincount(holes.ravel()) < SMALLEST * mask.size)[holes])
