"""What looks like the things that move, and never does: a second arm at rest, the column that an arm stands on."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32
from PIL import Image
from scipy import ndimage

from augment.images import grow, unwarp, warp
from augment.likeness import bins, histogram, likeness
from augment.segment.appearance import smoothed
from augment.segment.spread import ease, spread
from augment.segment.still import StillMask, keep_still
from augment.types import Background, MaskTrack, Role
from robot_io.types import FrameSource

WORKING_HEIGHT = 240  # pixels
SAMPLES = 16  # frames that tell the colours of what moves
INSIDE = 2  # pixels from a mask's outline: from there on, colours are those of what moves alone
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
    places = bins(plate)
    right, down = (ease([plate], axis) for axis in (2, 1))
    swept[:, [0, -1]] = swept[[0, -1]] = True
    found = np.zeros_like(swept)
    for _ in range(ROUNDS if moving.any() else 0):
        evidence = likeness(moving, histogram(places[~found]))[places]
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
    total = histogram(np.zeros(0, dtype=int))
    swept: Bool[np.ndarray, "H W"] = np.zeros(background.plate.shape[:2], dtype=np.bool_)
    for index in sorted({round(place) for place in np.linspace(0, len(frames) - 1, SAMPLES).tolist()}):
        mask = np.logical_or.reduce([track.read(index, index + 1)[0] for track in tracks])
        swept |= warp(mask, unwarp(background.warps[index]))
        inside = ~grow(~mask, INSIDE * reduction)[part]
        seen = smoothed(frames.read(index, index + 1).frames[0], reduction) / background.gains[index][:, None, None]
        total += histogram(bins(seen)[inside])
    return total, swept[part]


def _touching(mask: Bool[np.ndarray, "h w"], other: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """The pieces that are large enough and touch another mask."""
    pieces, count = ndimage.label(mask)
    large = np.bincount(pieces.ravel(), minlength=count + 1) > SMALLEST * mask.size
    touching = np.zeros(count + 1, dtype=np.bool_)
    touching[pieces[mask & other]] = True
    return np.asarray((large & touching)[pieces])


def _whole(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Small holes, such as lights and labels, are part of what surrounds them; at the picture's edge there are none."""
    holes, _ = ndimage.label(~mask)
    small = np.bincount(holes.ravel()) < SMALLEST * mask.size
    for edge in (holes[0], holes[-1], holes[:, 0], holes[:, -1]):
        small[edge] = False
    return np.asarray(mask | small[holes])
