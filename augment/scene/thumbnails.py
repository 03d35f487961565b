"""Every frame of a recording, so small that all of them can be held at once."""

import numpy as np
from jaxtyping import UInt8

from augment.images import resize
from robot_io.types import FrameSource

WINDOW = 32
HEIGHT = 60  # pixels


def thumbnail(picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "H W 3"]:
    height, width = picture.shape[:2]
    return resize(picture, HEIGHT, max(1, round(HEIGHT * width / height)), quick=True)


def thumbnails(frames: FrameSource) -> UInt8[np.ndarray, "t H W 3"]:
    """Of all frames, in one pass."""
    small = []
    for start in range(0, len(frames), WINDOW):
        small += [thumbnail(frame) for frame in frames.read(start, min(start + WINDOW, len(frames))).frames]
    return np.stack(small)
