"""The outline of what is kept has an edge only where the recording has one."""

import numpy as np
from jaxtyping import Float32, UInt8

from augment.check.base import CameraCheck, Verdict, Window
from augment.images import grow, planes, shares

WORKING_HEIGHT = 240  # pixels: outlines are too fine for less
EVERY = 8  # frames: outlines do not change much from one to the next
FLAT, EDGE = 8.0, 20.0  # grey levels from pixel to pixel: at most where there is no edge, at least where there is one
APART = 2  # pixels by which the same edge may lie elsewhere in the composed frame


class Seam(CameraCheck):
    def __init__(self, most: float) -> None:
        self._most = most
        self._bare = 0
        self._outline = 0

    def see(self, window: Window) -> None:
        reduction = max(1, round(window.keep.shape[1] / WORKING_HEIGHT))
        for index in range(-window.recorded.start % EVERY, len(window.keep), EVERY):
            keep = shares(window.keep[index], reduction) > 127
            outline = grow(keep, 1) & ~keep
            frames = window.composed.frames[index], window.recorded.frames[index]
            made, was = (_slope(frame, reduction) for frame in frames)
            bare = (grow(made, 1) > EDGE) & (grow(was, 1 + APART) < FLAT)
            self._bare += int((bare & outline).sum())
            self._outline += int(outline.sum())

    def verdict(self) -> Verdict:
        if not self._outline:
            return Verdict()
        share = self._bare / self._outline
        figures = {"seam_share": round(share, 4)}
        if share <= self._most:
            return Verdict(None, False, figures)
        return Verdict(
            f"{share:.0%} of the outline has an edge that was not recorded (> {self._most:.0%})", True, figures
        )


def _slope(picture: UInt8[np.ndarray, "H W 3"], reduction: int) -> Float32[np.ndarray, "h w"]:
    """Change of brightness from pixel to pixel, grey levels."""
    return np.asarray(np.hypot(*np.gradient(planes(picture, reduction).mean(axis=0))))
