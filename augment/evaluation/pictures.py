"""Figures for pictures against a truth. Pure; pictures are uint8 `(t, h, w, 3)`."""

import numpy as np
from jaxtyping import Bool, UInt8

PEAK = 255.0


def psnr(
    pictures: UInt8[np.ndarray, "t h w 3"], truth: UInt8[np.ndarray, "t h w 3"], where: Bool[np.ndarray, "t h w"]
) -> float:
    """Peak signal-to-noise ratio over the pixels of `where`, dB; infinite where they are equal, NaN for none."""
    if not where.any():
        return float("nan")
    error = pictures[where].astype(np.float64) - truth[where]
    squared = float((error * error).mean())
    return float(10 * np.log10(PEAK**2 / squared)) if squared else float("inf")


def flicker(
    pictures: UInt8[np.ndarray, "t h w 3"], truth: UInt8[np.ndarray, "t h w 3"], where: Bool[np.ndarray, "t h w"]
) -> float:
    """Mean change, from frame to frame, of the difference from the truth, grey levels, where both frames count."""
    both = where[1:] & where[:-1]
    if not both.any():
        return 0.0
    error = pictures.astype(np.int16) - truth
    return float(np.abs(error[1:] - error[:-1])[both].mean())
