"""What networks predict, and what it says: the picture and its noise."""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

from augment.diffusion.levels import Levels
from augment.diffusion.maps import precise

Denoiser = Callable[[Tensor, int], Tensor]
"""Of pictures x (b, c, h, w) at level t, the noise e in them, of the same shape: guidance and all."""


class Reverse(NamedTuple):
    """What a denoiser may say for ancestral sampling, beyond the noise."""

    noise: Float[Tensor, "b *shape"]
    fraction: Float[Tensor, "b *shape"] | None = None
    """The learned variance, -1 (that of the posterior) to 1 (that of the transition), between them by logarithms."""
    gradient: Float[Tensor, "b *shape"] | None = None
    """Of an energy by x; the mean is moved against it, by the variance (methods.md 4.2, with the corrected sign)."""


class Prediction(StrEnum):
    """What a network was trained to say; the names are those of diffusers' schedulers."""

    NOISE = "epsilon"
    VELOCITY = "v_prediction"
    """a e - b x0: Stable Diffusion 2.1 at 768 pixels."""
    PICTURE = "sample"
    FLOW = "flow_prediction"
    """e - x0: rectified flows."""


def read(
    levels: Levels,
    prediction: Prediction,
    x: Float[Tensor, "b *shape"],
    t: int | Int[Tensor, " b"],
    output: Float[Tensor, "b *shape"],
) -> tuple[Float[Tensor, "b *shape"], Float[Tensor, "b *shape"]]:
    """The picture x0 and the noise e of which `x` at level t, not CLEAN, is made, from a network's output."""
    x, output = precise(x), precise(output)
    signal, noise = levels.of(t, x)
    if prediction is Prediction.NOISE:
        return (x - noise * output) / signal, output
    if prediction is Prediction.PICTURE:
        return output, (x - signal * output) / noise
    if prediction is Prediction.VELOCITY:
        power = signal**2 + noise**2
        return (signal * x - noise * output) / power, (noise * x + signal * output) / power
    return (x - noise * output) / (signal + noise), (x + signal * output) / (signal + noise)


def target(
    levels: Levels,
    prediction: Prediction,
    x0: Float[Tensor, "b *shape"],
    t: int | Int[Tensor, " b"],
    e: Float[Tensor, "b *shape"],
) -> Float[Tensor, "b *shape"]:
    """What a network should say of renoise(x0, t, e)."""
    x0, e = precise(x0), precise(e)
    signal, noise = levels.of(t, x0)
    if prediction is Prediction.NOISE:
        return e
    if prediction is Prediction.PICTURE:
        return x0
    return signal * e - noise * x0 if prediction is Prediction.VELOCITY else e - x0


def denoiser(levels: Levels, prediction: Prediction, network: Callable[[Tensor, int], Tensor]) -> Denoiser:
    """A network of any prediction as one that says the noise.

    Of what it says only the noise should ever be held fixed, for gradients: with the velocity held fixed, they come out
    at 0.895 rather than 5.208 from level 800 down (methods.md 1.4, pitfall).
    """
    return lambda x, t: read(levels, prediction, x, t, network(x, t))[1]
