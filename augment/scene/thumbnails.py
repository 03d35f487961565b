"""Frames, so small that all of a recording can be held at once."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from augment.images import resize
from augment.scene.samples import shown
from robot_io.types import FrameSource

WINDOW = 32
HEIGHT = 60  # pixels


def thumbnail(picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "H W 3"]:
    height, width = picture.shape[:2]
    return resize(picture, HEIGHT, max(1, round(HEIGHT * width / height)), quick=True)


def glance(
    frames: FrameSource, indices: Sequence[int]
) -> tuple[UInt8[np.ndarray, "t H W 3"], dict[int, UInt8[np.ndarray, "h w 3"]]]:
    """Thumbnails of all frames, and some of the frames by index, in one pass. Of these, see `samples.shown`."""
    small, wanted, pictures = [], set(indices), {}
    for start in range(0, len(frames), WINDOW):
        for index, frame in enumerate(frames.read(start, min(start + WINDOW, len(frames))).frames, start):
            small.append(thumbnail(frame))
            if index in wanted:
                pictures[index] = frame.copy()
    return np.stack(small), shown(pictures)
