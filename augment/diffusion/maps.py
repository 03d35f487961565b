"""The elementary maps between noise levels, with both levels said (methods.md 0.3); steps to anywhere are made of them.

Written with a and b of `Levels`, so that they hold for diffusion and for rectified flows.
"""

from math import log, sqrt

from jaxtyping import Float, Int
from torch import Tensor, float32

from augment.diffusion.levels import CLEAN, Levels

HALVES = 2  # bytes


def precise(values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The same values in float32, or in float64 if they are in that already."""
    return values.to(float32) if values.element_size() <= HALVES else values


def clean(
    levels: Levels, x: Float[Tensor, "b *shape"], t: int | Int[Tensor, " b"], e: Float[Tensor, "b *shape"]
) -> Float[Tensor, "b *shape"]:
    """(E1) The picture x0 of which `x` at level t is a noisy version, if its noise is `e`."""
    x, e = precise(x), precise(e)
    signal, noise = levels.of(t, x)
    return (x - noise * e) / signal


def renoise(
    levels: Levels, x0: Float[Tensor, "b *shape"], t: int | Int[Tensor, " b"], e: Float[Tensor, "b *shape"]
) -> Float[Tensor, "b *shape"]:
    """(E2) The picture `x0` at level t with noise `e`."""
    x0, e = precise(x0), precise(e)
    signal, noise = levels.of(t, x0)
    return signal * x0 + noise * e


def ddim(
    levels: Levels,
    x: Float[Tensor, "b *shape"],
    t: int,
    s: int,
    e: Float[Tensor, "b *shape"],
    fresh: Float[Tensor, "b *shape"] | None = None,
    eta: float = 1.0,
) -> Float[Tensor, "b *shape"]:
    """(E3) From level t to level s: the picture that `e` says, with that noise at the new level.

    Down or, for inversion, up. Given `fresh` noise, standard normal, a part of the old is exchanged for it (down only):
    `eta` squared, 0..1, of the variance of q(x[s] | x[t], x0). All of it makes ancestral sampling.
    """
    signal, noise = levels.at(s)
    x0, e = clean(levels, x, t, e), precise(e)
    if fresh is None:
        return signal * x0 + noise * e
    exchanged = eta**2 * posterior_variance(levels, t, s)
    return signal * x0 + sqrt(noise**2 - exchanged) * e + sqrt(exchanged) * precise(fresh)


def affine(levels: Levels, t: int, s: int) -> tuple[float, float]:
    """a and b of (E3) without fresh noise as x[s] = a x[t] - b e.

    For diffusion a = sqrt(ab[s] / ab[t]), b = sqrt(ab[s]) (sqrt(1 / ab[t] - 1) - sqrt(1 / ab[s] - 1)): methods.md 1.4,
    correction 4; what its source has for b is 6 to 21 times too large at level 800.
    """
    (signal, noise), (new_signal, new_noise) = levels.at(t), levels.at(s)
    return new_signal / signal, new_signal * (noise / signal - new_noise / new_signal)


def transition_variance(levels: Levels, t: int, s: int) -> float:
    """Of q(x[t] | x[s]), s < t: the noise between the levels. Between neighbours of diffusion it is beta[t]."""
    return levels.at(t)[0] ** 2 * (levels.ratio(t) ** 2 - levels.ratio(s) ** 2)


def posterior_variance(levels: Levels, t: int, s: int) -> float:
    """Of q(x[s] | x[t], x0), s < t. 0 for s = CLEAN."""
    return (levels.at(s)[1] / levels.at(t)[1]) ** 2 * transition_variance(levels, t, s)


def learned_variance(levels: Levels, t: int, s: int, fraction: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Logarithm of the variance of p(x[s] | x[t]), s < t, that a network says (Nichol and Dhariwal 2021).

    `fraction`: -1 for that of the posterior, 1 for that of the transition. To CLEAN the posterior has none; then it is
    that of the step above.
    """
    small = posterior_variance(levels, t, s) if s != CLEAN else posterior_variance(levels, t + 1, t)
    share = (precise(fraction) + 1) / 2
    return share * log(transition_variance(levels, t, s)) + (1 - share) * log(small)


def posterior_mean(
    levels: Levels, x: Float[Tensor, "b *shape"], t: int, s: int, x0: Float[Tensor, "b *shape"]
) -> Float[Tensor, "b *shape"]:
    """Of q(x[s] | x[t], x0), s < t. `x0` itself for s = CLEAN."""
    (signal, noise), (new_signal, new_noise) = levels.at(t), levels.at(s)
    of_x = (new_noise / noise) ** 2 * signal / new_signal
    of_x0 = new_signal * transition_variance(levels, t, s) / noise**2
    return of_x * precise(x) + of_x0 * precise(x0)
