"""The clean plate: what the camera would see with nobody there."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, Int, UInt8

from augment.images import planes
from augment.likeness import bins, histogram, likeness
from augment.scene.ghosts import connected_to_background
from augment.scene.modes import Modes, channels_first, mean_of_alike, most_light, sample_at, two_modes
from augment.scene.samples import Samples

LEAST_HIDDEN = 0.005  # of the samples: that much tells the colours of what hides the background
WORKING_HEIGHT = 240  # pixels: which sample shows the background is decided at about this size

Picture = UInt8[np.ndarray, "h w 3"]


def median_plate(pictures: Sequence[Picture] | UInt8[np.ndarray, "n h w 3"]) -> Picture:
    """Per-pixel median, the upper one of two: quick, and good enough to register to."""
    median = np.zeros(pictures[0].shape, dtype=np.uint8)
    number, half = np.min_scalar_type(len(pictures)), (len(pictures) + 1) // 2
    for bit in (128, 64, 32, 16, 8, 4, 2, 1):  # of the greatest value that half of the pictures reach
        higher = median | np.uint8(bit)
        reached = np.zeros(median.shape, dtype=number)
        for picture in pictures:
            reached += (picture >= higher).view(np.uint8)
        np.copyto(median, higher, where=reached >= half)
    return median


def clean_plate(samples: Samples, shadows_known: bool) -> tuple[Picture, Bool[np.ndarray, "h w"]]:
    """Per pixel, the mean of those uncovered samples that look alike and show the background.

    A mode rather than a median, because an object that rests in one place for a third of the time pulls a median
    towards its colour. Of two modes the one that continues the picture around it (`ghosts`); and of a surface seen in
    shadow and in light, the light, once `shadows_known`: once what casts shadows is covered, so that it is not taken
    for a well-lit background. Returns the plate and its hole, True where every sample was covered; the plate is black
    there.
    """
    small = samples.reduced(max(1, round(samples.pictures.shape[1] / WORKING_HEIGHT)))
    modes = two_modes(small)
    centre = connected_to_background(modes, _foreign(small, modes))
    if shadows_known:
        centre = most_light(modes, centre)
    hole = np.asarray(samples.covered.all(axis=0))
    plate = _mean_around(samples, _enlarged(centre, hole.shape))
    return np.where(hole[..., None], np.uint8(0), plate), hole


def _foreign(samples: Samples, modes: Modes) -> Float32[np.ndarray, "2 h w"]:
    """How likely the colours of both modes are those of what hides the background, -1..1; 0 where none is known.

    For what looks much like the background is easily missed, and then rests in the plate.
    """
    if samples.hidden.mean() < LEAST_HIDDEN:
        return np.zeros(modes.centres.shape, dtype=np.float32)
    hidden = seen = histogram(np.zeros(0, dtype=int))
    for picture, hides, covers in zip(samples.pictures[::4], samples.hidden[::4], samples.covered[::4], strict=True):
        colours = bins(planes(picture))
        hidden, seen = hidden + histogram(colours[hides]), seen + histogram(colours[~covers])
    found = [bins(colour.astype(np.float32)) for colour in modes.colours]
    return np.asarray(likeness(hidden, seen)[np.stack(found)])


def _mean_around(samples: Samples, centre: Int[np.ndarray, "h w"]) -> Picture:
    """Mean of the uncovered samples that look like the one that `centre` names."""
    planes = channels_first(samples)
    return np.moveaxis(mean_of_alike(planes, ~samples.covered, sample_at(planes, centre)), 0, -1)


def _enlarged(centre: Int[np.ndarray, "h w"], shape: tuple[int, ...]) -> Int[np.ndarray, "H W"]:
    for axis, size in enumerate(shape):
        positions = np.minimum(np.arange(size) * centre.shape[axis] // size, centre.shape[axis] - 1)
        centre = np.take(centre, positions, axis=axis)
    return centre
