"""The clean plate: what the camera would see with nobody there."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from augment.images import grow, pixels, translate
from robot_io.types import FrameSource, MaskTrack

STRIP_BYTES = 32 << 20
MASK_MARGIN = 0.01  # of the height: what touches a mask is not trusted to be background


def sample_indices(length: int, samples: int) -> list[int]:
    """Up to `samples` frame indices, spread evenly from the first to the last."""
    count = min(length, samples)
    return sorted({round(position) for position in np.linspace(0, length - 1, count)})


def clean_plate(
    frames: FrameSource, shifts: Float32[np.ndarray, "t 2"], tracks: Sequence[MaskTrack], samples: int
) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    """Per-pixel median of sampled, registered frames where no track covers them.

    Returns the plate and its hole: True where every sample was covered. The plate is black there.
    """
    margin = pixels(MASK_MARGIN, frames.height)
    pictures, covered = [], []
    for index in sample_indices(len(frames), samples):
        pictures.append(translate(frames.read(index, index + 1).frames[0], -shifts[index]))
        mask = np.zeros((frames.height, frames.width), dtype=np.bool_)
        for track in tracks:
            mask |= track.read(index, index + 1)[0]
        covered.append(translate(grow(mask, margin), -np.round(shifts[index])))
    return _masked_median(np.stack(pictures), np.stack(covered))


def _masked_median(
    pictures: UInt8[np.ndarray, "n h w 3"], covered: Bool[np.ndarray, "n h w"]
) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    samples, height, width, _ = pictures.shape
    plate = np.zeros((height, width, 3), dtype=np.uint8)
    seen = samples - covered.sum(axis=0)
    rows = max(1, STRIP_BYTES // (samples * width * 3 * 2))
    for top in range(0, height, rows):
        strip = pictures[:, top : top + rows].astype(np.int16)
        strip[covered[:, top : top + rows]] = 256  # sorts behind every real value
        strip.sort(axis=0)
        middle = np.maximum(seen[top : top + rows] - 1, 0) // 2
        values = np.take_along_axis(strip, middle[None, :, :, None], axis=0)[0]
        plate[top : top + rows] = np.where(values > 255, 0, values)
    return plate, seen == 0
