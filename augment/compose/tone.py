"""The recording's level, colour cast and grain, given to a new plate; never to what is kept."""

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from augment.images import planar

GAMMA = 2.2
PERIOD = 64  # pixels within which every frame takes another piece of the same noise


def matched(
    new: UInt8[np.ndarray, "h w 3"], clean: UInt8[np.ndarray, "h w 3"], hole: Bool[np.ndarray, "h w"], most: float
) -> UInt8[np.ndarray, "h w 3"]:
    """A new plate whose channels come closer to the clean plate's mean light, each by a factor of at most 1 + `most`.

    So a scene is as bright and as warm as the robot that is lit elsewhere, as far as the materials allow. Means are of
    linear light, where the clean plate is known.
    """
    known = ~hole if not hole.all() else np.ones_like(hole)
    ours, theirs = ((plate[known].astype(np.float32) / 255) ** np.float32(GAMMA) for plate in (clean, new))
    factor = np.clip((ours.mean(axis=0) + 1e-3) / (theirs.mean(axis=0) + 1e-3), 1 / (1 + most), 1 + most)
    levels = np.arange(256, dtype=np.float32)[:, None] * factor.astype(np.float32) ** np.float32(1 / GAMMA)
    table = np.rint(np.clip(levels, 0, 255)).astype(np.uint8)
    return np.stack([table[new[..., channel], channel] for channel in range(3)], axis=-1)


def grain(frame: int, height: int, width: int) -> Float32[np.ndarray, "h w 3"]:
    """Noise of one frame, standard normal: another piece of one field for every number, the same in every run."""
    down, right = np.random.default_rng(frame).integers(0, PERIOD, 2)
    return _field(height, width)[down : down + height, right : right + width]


@lru_cache(maxsize=4)
def _field(height: int, width: int) -> Float32[np.ndarray, "H W 3"]:
    shape = (height + PERIOD, width + PERIOD, 3)
    return planar(np.random.default_rng(0).standard_normal(shape, dtype=np.float32))
