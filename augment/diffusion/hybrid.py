"""Learning the variance of ancestral sampling: the hybrid loss of Nichol and Dhariwal 2021."""

from math import log

import torch
from jaxtyping import Float, Int
from torch import Tensor

from augment.diffusion.levels import CLEAN, Levels
from augment.diffusion.maps import clean, learned_variance, posterior_mean, posterior_variance, precise
from augment.diffusion.predictions import Reverse
from augment.errors import RequestError

HALF_STEP = 1 / 255  # half of the distance between two of 256 colours, -1..1
DARKEST, LIGHTEST = -0.999, 0.999  # beyond which a colour is the last one, whose bin has no end
LEAST = 1e-12  # probability of a bin, for its logarithm


def bound(
    levels: Levels, x0: Float[Tensor, "b *shape"], x: Float[Tensor, "b *shape"], t: Int[Tensor, " b"], said: Reverse
) -> Float[Tensor, " b"]:
    """The terms of the variational bound at levels t, in bits for each colour of each pixel; only to learn variances.

    How far p(x[t-1] | x[t]), as `said` of `x`, is from q(x[t-1] | x[t], x0); at level 0 how unlikely it makes x0, whose
    values are of 256 colours, -1..1. No gradient goes into the noise. Times the number of levels, and averaged over
    levels, it is the bound. Raises RequestError where no variance is said.
    """
    if said.fraction is None:
        raise RequestError("a network that says no variance cannot learn one; give it twice as many output channels")
    noise, fraction = said.noise.detach(), said.fraction
    rows = zip(x0.split(1), x.split(1), noise.split(1), fraction.split(1), t.tolist(), strict=True)
    return torch.stack([_term(levels, *row) for row in rows])


def _term(levels: Levels, x0: Tensor, x: Tensor, noise: Tensor, fraction: Tensor, t: int) -> Float[Tensor, ""]:
    s = t - 1
    variance = learned_variance(levels, t, s, fraction)
    believed = posterior_mean(levels, x, t, s, clean(levels, x, t, noise))
    if s == CLEAN:
        nats = surprise(precise(x0), believed, variance / 2)
    else:
        off = (posterior_mean(levels, x, t, s, x0) - believed).square()
        true = log(posterior_variance(levels, t, s))
        nats = (variance - true - 1 + (true - variance).exp() + off * (-variance).exp()) / 2
    return nats.mean() / log(2)


def surprise(
    x0: Float[Tensor, "b *shape"], mean: Float[Tensor, "b *shape"], deviation: Float[Tensor, "b *shape"]
) -> Float[Tensor, "b *shape"]:
    """Of one of 256 colours, -1..1, under a normal law: minus the logarithm of its bin's probability, in nats.

    `deviation`: its logarithm.
    """
    scale = (-deviation).exp()
    below = torch.special.ndtr((x0 - HALF_STEP - mean) * scale)
    above = torch.special.ndtr((x0 + HALF_STEP - mean) * scale)
    inside = torch.where(x0 < DARKEST, above, torch.where(x0 > LIGHTEST, 1 - below, above - below))
    return -inside.clamp(min=LEAST).log()
