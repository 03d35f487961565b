"""How far a frame has shifted against a reference, to a fraction of a pixel."""

import numpy as np
from jaxtyping import Float32
from scipy import fft, ndimage


def detail(gray: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """Local contrast: what registration and comparison look at, blind to exposure and slow shading."""
    smooth = ndimage.gaussian_filter(gray, 1.0)
    return np.asarray(smooth - ndimage.gaussian_filter(smooth, 8.0))


def spectrum(detail: Float32[np.ndarray, "h w"]) -> np.ndarray:
    """Windowed Fourier transform, complex64 `(h, w // 2 + 1)`."""
    height, width = detail.shape
    window = np.hanning(height)[:, None] * np.hanning(width)[None, :]
    transform: np.ndarray = np.asarray(fft.rfft2(detail * window.astype(np.float32)))
    return transform


def shift_between(reference: np.ndarray, frame: np.ndarray, shape: tuple[int, int]) -> tuple[float, float]:
    """(dy, dx) in pixels that moves the reference onto the frame, by phase correlation of their spectra.

    Sub-pixel by a parabola through the peak and its neighbours. (0, 0) where either has no detail.
    """
    cross = frame * np.conj(reference)
    strength = np.abs(cross)
    if strength.max() <= 1e-6 * cross.size:
        return 0.0, 0.0
    # the square root keeps strong frequencies, which carry the signal, ahead of sensor noise
    surface = fft.irfft2(cross / np.sqrt(strength + 1e-3 * strength.max()), s=shape)
    peak = np.unravel_index(int(np.argmax(surface)), shape)
    dy, dx = (_refined(surface, peak, axis) for axis in (0, 1))
    return dy, dx


def _refined(surface: np.ndarray, peak: tuple[np.intp, ...], axis: int) -> float:
    size = surface.shape[axis]
    before, at, after = (
        float(np.take(surface[:, peak[1]] if axis == 0 else surface[peak[0]], (peak[axis] + step) % size))
        for step in (-1, 0, 1)
    )
    bend = before - 2 * at + after
    offset = 0.5 * (before - after) / bend if bend < 0 else 0.0
    position = float(peak[axis]) + offset
    return position - size if position > size / 2 else position
