"""The recording's level, colour cast and grain, given to a new plate; never to what is kept."""

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float32, Int16, UInt8

from augment.images import exposed

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
    linear = (np.arange(256, dtype=np.float32) / 255) ** np.float32(GAMMA)
    ours, theirs = (linear[plate[known]] for plate in (clean, new))
    factor = np.clip((ours.mean(axis=0) + 1e-3) / (theirs.mean(axis=0) + 1e-3), 1 / (1 + most), 1 + most)
    return exposed(new, factor.astype(np.float32) ** np.float32(1 / GAMMA))


def grain(frame: int, sigma: Float32[np.ndarray, "3"], height: int, width: int) -> Int16[np.ndarray, "h w 3"]:
    """Noise of one frame, `sigma` its standard deviation per channel: another piece of one field for every number."""
    down, right = np.random.default_rng(frame).integers(0, PERIOD, 2)
    return _field(height, width, *sigma.tolist())[down : down + height, right : right + width]


@lru_cache(maxsize=4)
def _field(height: int, width: int, *sigma: float) -> Int16[np.ndarray, "H W 3"]:
    shape = (height + PERIOD, width + PERIOD, 3)
    normal = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    return np.rint(normal * np.array(sigma, dtype=np.float32)).astype(np.int16)
