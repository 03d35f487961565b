"""Which of two things a colour is likelier to be of: the ratio of two histograms."""

import numpy as np
from jaxtyping import Float32, Int
from scipy import ndimage

BRIGHTNESSES, HUES = 13, 16  # bins of brightness, and of two differences of channels
BRIGHTNESS, HUE = 20.0, 8.0  # grey levels per bin
RARE = 1e-6  # share of a bin: fewer pixels tell nothing
SURE = 7.4  # how many times likelier a colour must be of one thing, to be certain


def bins(planes: Float32[np.ndarray, "3 *p"]) -> Int[np.ndarray, "*p"]:
    """The bin of every pixel's colour."""
    red, green, blue = planes
    brightness = np.clip(planes.mean(axis=0) / BRIGHTNESS, 0, BRIGHTNESSES - 1).astype(int)
    warm, cold = (np.clip((plane - green) / HUE + HUES / 2, 0, HUES - 1).astype(int) for plane in (red, blue))
    return np.asarray((brightness * HUES + warm) * HUES + cold)


def histogram(found: Int[np.ndarray, " n"]) -> Float32[np.ndarray, " m"]:
    """Pixels in every bin, smoothed over neighbouring colours."""
    counts = np.bincount(found, minlength=BRIGHTNESSES * HUES * HUES).reshape(BRIGHTNESSES, HUES, HUES)
    return np.asarray(ndimage.gaussian_filter(counts.astype(np.float32), 1.0).ravel())


def likeness(these: Float32[np.ndarray, " m"], others: Float32[np.ndarray, " m"]) -> Float32[np.ndarray, " m"]:
    """Of every bin: 1 if its colours are surely of these, -1 if of the others. From histograms."""
    ours, theirs = (counts / max(float(counts.sum()), 1.0) + np.float32(RARE) for counts in (these, others))
    return np.clip(np.log(ours / theirs) / np.float32(np.log(SURE)), -1, 1)
