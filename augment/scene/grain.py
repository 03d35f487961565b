"""How noisy a recording is."""

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from augment.scene.samples import Samples

FRAMES = 4
EVERY = 3  # pixels along each axis; more tell nothing new
MIDDLE = (slice(1, -1, EVERY), slice(1, -1, EVERY))
CALM = 50.0  # percentile of the plate's slopes up to which noise is looked for: a plate never fits exactly at its edges
NEIGHBOURS = 1.25  # variance of the difference of a pixel to the mean of its four neighbours, for a variance of 1
ROUNDING = 1 / 6  # squared grey levels that rounding makes, of a frame and of the plate


def measure_grain(
    samples: Samples, plate: UInt8[np.ndarray, "h w 3"], hole: Bool[np.ndarray, "h w"]
) -> Float32[np.ndarray, "3"]:
    """Standard deviation of the sensor's noise, grey levels per channel; 0 where nothing tells.

    From the finest detail of a few frames' differences from the plate: what is coarser than a pixel is a shadow, or a
    change of exposure.
    """
    plates = _neighbours(plate)
    slope = np.hypot(*((after - before).mean(axis=-1) / 2 for before, after in (plates[1:3], plates[3:])))
    calm = (slope <= np.percentile(slope, CALM)) & ~hole[MIDDLE]
    details = [
        _detail(samples.pictures[index], plates)[calm & ~samples.covered[index][MIDDLE]]
        for index in np.linspace(0, len(samples.pictures) - 1, FRAMES).astype(int)
    ]
    detail = np.concatenate(details)
    if not len(detail):
        return np.zeros(3, dtype=np.float32)
    usual = 3 * (np.median(np.abs(detail), axis=0) + 1)
    square = np.where(np.abs(detail) <= usual, detail**2, np.nan)
    variance = np.nanmean(square, axis=0) / NEIGHBOURS - ROUNDING
    return np.asarray(np.sqrt(np.maximum(variance, 0)), dtype=np.float32)


def _detail(
    picture: UInt8[np.ndarray, "H W 3"], plates: Float32[np.ndarray, "5 h w 3"]
) -> Float32[np.ndarray, "h w 3"]:
    middle, *beside = _neighbours(picture) - plates
    return np.asarray(middle - sum(beside) / 4)


def _neighbours(picture: UInt8[np.ndarray, "H W 3"]) -> Float32[np.ndarray, "5 h w 3"]:
    """Some pixels, and what is above, below, left and right of them."""
    height, width = picture.shape[:2]
    places = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
    some = [picture[1 + y : height - 1 + y : EVERY, 1 + x : width - 1 + x : EVERY] for y, x in places]
    return np.stack(some).astype(np.float32)
