"""Noise levels as data: x[t] = a[t] x0 + b[t] e, for diffusion and rectified flows alike."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int
from torch import Tensor, from_numpy

from augment.errors import RequestError

CLEAN = -1
"""The level of a picture without noise: a = 1, b = 0."""

LEAST_SIGNAL = 2.0**-12
"""Of levels whose noise is said to be all: what a denoiser says of the noise must still tell the picture. Or half of
that of the level below, if that is less."""


@dataclass(frozen=True, eq=False)
class Levels:
    """What is left of a picture at levels 0..T-1, of more and more noise.

    Raises RequestError unless signal falls strictly and stays above 0, and noise never falls.
    """

    signal: Float64[np.ndarray, " T"]
    """a[t], 1 or less: sqrt(ab[t]) of diffusion, 1 - sigma of a flow."""
    noise: Float64[np.ndarray, " T"]
    """b[t], above 0: sqrt(1 - ab[t]) of diffusion, sigma of a flow."""

    def __post_init__(self) -> None:
        falls = np.all(np.diff(self.signal, prepend=1.0) <= 0) and np.all(np.diff(self.signal) < 0)
        if not (len(self) and falls and self.signal[-1] > 0 and self.noise[0] > 0 and np.all(np.diff(self.noise) >= 0)):
            raise RequestError(
                f"{len(self)} noise levels with signal {self.signal[:2]}..{self.signal[-2:]} and noise "
                f"{self.noise[:2]}..{self.noise[-2:]}; from level to level signal must fall, and stay above 0, and "
                "noise must not fall: check the betas or sigmas of the model's scheduler"
            )

    def __len__(self) -> int:
        return len(self.signal)

    def at(self, t: int) -> tuple[float, float]:
        """a[t] and b[t]; 1 and 0 for CLEAN. Raises RequestError for a level that there is not."""
        if not CLEAN <= t < len(self):
            raise RequestError(f"noise level {t}; this model has levels 0 to {len(self) - 1} (and {CLEAN}, no noise)")
        return (1.0, 0.0) if t == CLEAN else (float(self.signal[t]), float(self.noise[t]))

    def of(self, t: int | Int[Tensor, " b"], like: Tensor) -> tuple[Any, Any]:
        """a[t] and b[t] to multiply `like` (b, ...) with: numbers, or where each picture has its own level, tensors."""
        if isinstance(t, int):
            return self.at(t)
        for extreme in (t.min(), t.max()):
            self.at(int(extreme))
        shape = (-1,) + (1,) * (like.dim() - 1)
        tables = (np.append(values, clean) for values, clean in ((self.signal, 1.0), (self.noise, 0.0)))
        signal, noise = (from_numpy(table).to(like.dtype)[t.cpu()].to(like.device).reshape(shape) for table in tables)
        return signal, noise

    def ratio(self, t: int) -> float:
        """b[t] / a[t]: noise to signal, which is what "the same level" means between models. 0 for CLEAN."""
        signal, noise = self.at(t)
        return noise / signal

    def sigma(self, t: int) -> float:
        """The time of a rectified flow at the same noise-to-signal ratio r: r / (1 + r), 0..1 (methods.md 0.4)."""
        return self.ratio(t) / (1 + self.ratio(t))

    def nearest(self, ratio: float) -> int:
        """The level, CLEAN among them, whose noise-to-signal ratio is closest, as flow times are close."""
        sigmas = np.append(self.noise / (self.signal + self.noise), 0.0)
        number = int(np.abs(sigmas - ratio / (1 + ratio)).argmin())
        return CLEAN if number == len(self) else number


def from_cumulative(kept: Float64[np.ndarray, " T"]) -> Levels:
    """Levels of diffusion from ab[t], the share of the variance that is signal: `alphas_cumprod` of a scheduler."""
    return Levels(np.sqrt(kept), np.sqrt(1 - kept))


def from_betas(betas: Float64[np.ndarray, " T"]) -> Levels:
    """Levels of diffusion from the variance that each step adds; the product runs from 0 to t (methods.md 0.1)."""
    return from_cumulative(np.cumprod(1 - betas))


def linear(first: float = 1e-4, last: float = 0.02, count: int = 1000) -> Float64[np.ndarray, " T"]:
    """Betas that grow evenly: DDPM, and pixel models after it."""
    return np.linspace(first, last, count)


def scaled_linear(first: float = 0.00085, last: float = 0.012, count: int = 1000) -> Float64[np.ndarray, " T"]:
    """Betas whose roots grow evenly: Stable Diffusion."""
    return np.square(np.linspace(first**0.5, last**0.5, count))


def squared_cosine(count: int = 1000, largest: float = 0.999) -> Float64[np.ndarray, " T"]:
    """Betas under which the kept variance falls as a squared cosine (Nichol and Dhariwal 2021)."""
    kept = np.square(np.cos((np.linspace(0, 1, count + 1) + 0.008) / 1.008 * np.pi / 2))
    return np.minimum(1 - kept[1:] / kept[:-1], largest)


def zero_terminal(levels: Levels) -> Levels:
    """Levels of diffusion rescaled so that the last is noise alone (Lin et al. 2024); level 0 stays as it is.

    The last has b = 1 exactly, and a = LEAST_SIGNAL rather than 0, at which E1 would divide by 0.
    """
    first, last = levels.signal[0], levels.signal[-1]
    signal = (levels.signal - last) * (first / (first - last))
    return Levels(_with_signal(signal), np.sqrt(1 - np.square(signal)))


def rectified_flow(count: int = 1000, shift: float = 1.0) -> Levels:
    """Levels of a flow, a = 1 - sigma and b = sigma: sigma = (t + 1) / count, moved towards noise by `shift` (SD3: 3).

    Networks of such models are told `1000 * levels.noise[t]`. The last level has b = 1 and a = LEAST_SIGNAL.
    """
    even = np.arange(1, count + 1) / count
    sigma = shift * even / (1 + (shift - 1) * even)
    return Levels(_with_signal(1 - sigma), sigma)


def _with_signal(signal: Float64[np.ndarray, " T"]) -> Float64[np.ndarray, " T"]:
    least = np.minimum(LEAST_SIGNAL, signal[-2:-1] / 2)
    return np.concatenate([signal[:-1], least])
