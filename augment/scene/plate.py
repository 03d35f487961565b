"""The clean plate: what the camera would see with nobody there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from augment.images import grow, pixels, translate
from augment.scene.exposure import exposure
from robot_io.types import FrameSource, MaskTrack

STRIP_BYTES = 8 << 20
MASK_MARGIN = 0.01  # of the height: what touches a mask is not trusted to be background
ALIKE = 10  # grey levels: samples that differ by less, in every channel, show the same thing


@dataclass(frozen=True, eq=False)
class Samples:
    """Frames laid over each other: registered, and brought to one exposure."""

    pictures: UInt8[np.ndarray, "n h w 3"]
    covered: Bool[np.ndarray, "n h w"]
    """True where something stands before the background, or nothing was filmed."""

    def __add__(self, other: "Samples") -> "Samples":
        return Samples(np.concatenate([self.pictures, other.pictures]), np.concatenate([self.covered, other.covered]))


def sample_indices(length: int, samples: int) -> list[int]:
    """Up to `samples` frame indices, spread evenly from the first to the last."""
    count = min(length, samples)
    return sorted({round(position) for position in np.linspace(0, length - 1, count)})


def take_samples(
    frames: FrameSource,
    shifts: Float32[np.ndarray, "t 2"],
    samples: int,
    tracks: Sequence[MaskTrack] = (),
    reference: UInt8[np.ndarray, "h w 3"] | None = None,
) -> Samples:
    """Registered samples of a camera; with a `reference` plate, brought to its exposure."""
    margin = pixels(MASK_MARGIN, frames.height)
    pictures, covered = [], []
    for index in sample_indices(len(frames), samples):
        picture = translate(frames.read(index, index + 1).frames[0], -shifts[index])
        if reference is not None:
            gain = exposure(picture, reference)
            picture = np.rint(np.minimum(picture / gain, 255)).astype(np.uint8)
        mask = np.zeros((frames.height, frames.width), dtype=np.bool_)
        for track in tracks:
            mask |= track.read(index, index + 1)[0]
        pictures.append(picture)
        covered.append(translate(grow(mask, margin), -np.round(shifts[index])) | _beyond(mask, shifts[index]))
    return Samples(np.stack(pictures), np.stack(covered))


def median_plate(samples: Samples) -> UInt8[np.ndarray, "h w 3"]:
    """Per-pixel median: quick, and good enough to register to."""
    return np.asarray(np.rint(np.median(samples.pictures, axis=0)), dtype=np.uint8)


def clean_plate(samples: Samples) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    """Per-pixel mode: the mean of the largest group of uncovered samples that look alike.

    A mode rather than a median, because an object that rests in one place for a third of the time pulls a median
    towards its colour. Returns the plate and its hole, True where every sample was covered; the plate is black there.
    """
    count, height, width, _ = samples.pictures.shape
    plate = np.zeros((height, width, 3), dtype=np.uint8)
    rows = max(1, STRIP_BYTES // (count * width * 3))
    for top in range(0, height, rows):
        strip = slice(top, top + rows)
        plate[strip] = _mode(samples.pictures[:, strip], ~samples.covered[:, strip])
    return plate, np.asarray(samples.covered.all(axis=0))


def _mode(pictures: UInt8[np.ndarray, "n h w 3"], seen: Bool[np.ndarray, "n h w"]) -> UInt8[np.ndarray, "h w 3"]:
    planes = np.ascontiguousarray(np.moveaxis(pictures, -1, 1))
    group = seen.astype(np.uint8)  # size of the group that each sample is the centre of
    for first in range(len(planes)):
        for second in range(first + 1, len(planes)):
            alike = _alike(planes[first], planes[second]) & seen[first] & seen[second]
            group[first] += alike
            group[second] += alike
    centre = group.argmax(axis=0)
    reference = np.take_along_axis(planes, centre[None, None], axis=0)[0]
    total = np.zeros(reference.shape, dtype=np.uint32)
    members = np.zeros(centre.shape, dtype=np.uint32)
    for plane, visible in zip(planes, seen, strict=True):
        belongs = _alike(plane, reference) & visible
        total += plane * belongs
        members += belongs
    return np.asarray(np.moveaxis((total + members // 2) // np.maximum(members, 1), 0, -1), dtype=np.uint8)


def _alike(first: UInt8[np.ndarray, "3 h w"], second: UInt8[np.ndarray, "3 h w"]) -> Bool[np.ndarray, "h w"]:
    apart = np.maximum(first, second) - np.minimum(first, second)
    return np.asarray((apart <= ALIKE).all(axis=0))


def _beyond(picture: Bool[np.ndarray, "h w"], shift: Float32[np.ndarray, "2"]) -> Bool[np.ndarray, "h w"]:
    """Pixels that lie outside the frame once it is moved back by `shift`."""
    outside = np.ones_like(picture)
    top, left = (max(0, int(np.ceil(-distance))) for distance in shift)
    bottom, right = (size - max(0, int(np.ceil(distance))) for size, distance in zip(picture.shape, shift, strict=True))
    outside[top:bottom, left:right] = False
    return outside
