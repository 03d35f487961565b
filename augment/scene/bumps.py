"""A camera that is bumped: from one frame to the next, the whole picture jumps, and stays where it is."""

from itertools import pairwise

import numpy as np
from jaxtyping import Float32, UInt8

from augment.images import luma

FARTHEST = 8  # pixels of a thumbnail
CHANGED = 8.0  # grey levels
SUDDEN = 1.6  # times the change that is usual from frame to frame
LEAST = 0.1  # of the pixels
EXPLAINED = 0.5  # of the changed pixels, at most, are left once a jump is taken back


def find_bumps(thumbnails: UInt8[np.ndarray, "t h w 3"]) -> Float32[np.ndarray, "t 2"]:
    """How far the picture has jumped since the first frame, (down, right) pixels of a thumbnail; 0 before a bump.

    A jump is sudden, unlike the sway of a camera, explains most of what changes, unlike a flash or a fast arm, and is
    not taken back by the next frame.
    """
    changes = np.array([_changed(luma(before), luma(after)) for before, after in pairwise(thumbnails)])
    jumps = np.zeros((len(thumbnails), 2), dtype=np.float32)
    usual = float(np.median(changes)) if len(changes) else 0.0
    for index in np.flatnonzero(changes > max(SUDDEN * usual, LEAST)):
        around = np.clip([index - 1, index, index + 1, index + 2], 0, len(changes))
        earlier, before, after, later = (luma(thumbnails[frame]) for frame in around)
        jump = _jump(before, after)
        if all(_left(*pair, jump) < _left(*pair, (0, 0)) for pair in ((earlier, after), (before, later))):
            jumps[index + 1] = jump
    return np.cumsum(jumps, axis=0)


def _changed(before: Float32[np.ndarray, "h w"], after: Float32[np.ndarray, "h w"]) -> float:
    """Share of the pixels that differ, whatever the exposure."""
    gain = np.median(after / np.maximum(before, 1))
    return float((np.abs(after - gain * before) > CHANGED).mean())


def _jump(before: Float32[np.ndarray, "h w"], after: Float32[np.ndarray, "h w"]) -> tuple[int, int]:
    """The whole shift that makes one frame of another; none if there is no such shift."""
    far = range(-FARTHEST, FARTHEST + 1)
    left = {(down, right): _left(before, after, (down, right)) for down in far for right in far}
    best = min(left, key=lambda shift: left[shift])
    return best if left[best] < EXPLAINED * left[0, 0] else (0, 0)


def _left(before: Float32[np.ndarray, "h w"], after: Float32[np.ndarray, "h w"], shift: tuple[int, int]) -> float:
    """Share of the pixels that differ even if one frame is shifted."""
    (height, width), (down, right) = before.shape, shift
    ours = before[max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)]
    theirs = after[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)]
    return _changed(ours, theirs)
