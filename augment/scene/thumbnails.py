"""Frames, so small that all of a recording can be held at once."""

import numpy as np
from jaxtyping import UInt8

from augment.images import resize

HEIGHT = 60  # pixels


def thumbnail(picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "H W 3"]:
    height, width = picture.shape[:2]
    return resize(picture, HEIGHT, max(1, round(HEIGHT * width / height)), quick=True)
