"""Towards the prompt and away from energies."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from augment.diffusion.levels import Levels
from augment.diffusion.maps import clean, precise
from augment.diffusion.predictions import Denoiser, Reverse

Energy = Callable[[Tensor, int], Tensor]
"""Of pictures (b, c, h, w) as they are seen from level t, how wrong each is (b): strength and all, to be descended."""


def classifier_free(
    conditional: Float[Tensor, "b *shape"], unconditional: Float[Tensor, "b *shape"], scale: float
) -> Float[Tensor, "b *shape"]:
    """The noise, guided: e[u] + scale (e[c] - e[u]); 1 is the conditional noise, more is further that way."""
    conditional, unconditional = precise(conditional), precise(unconditional)
    return unconditional + scale * (conditional - unconditional)


def steer(levels: Levels, denoise: Denoiser, energy: Energy, through: bool = True, mixed: bool = False) -> Denoiser:
    """A denoiser whose samples descend the energy: e + b[t] times its gradient by x.

    Methods.md 4.2, correction 5: the energy is a distance and must be descended; the source prints the other sign. It
    moves x0 by -(b/a)^2 times the gradient by x0 where that stops at the denoiser, which overshoots where little signal
    is left: 0.8 squared at level 300 of Stable Diffusion, 5 squared at 800. Start lower, or weaken the energy by level.
    `through`, `mixed`: as of `steer_mean`. It computes gradients under `torch.no_grad`, but cannot under
    `torch.inference_mode`.
    """

    def steered(x: Tensor, t: int) -> Tensor:
        reverse, gradient = _differentiated(levels, denoise, energy, through, mixed, x, t)
        return reverse.noise + levels.at(t)[1] * gradient

    return steered


def steer_mean(
    levels: Levels,
    denoise: Callable[[Tensor, int], Tensor | Reverse],
    energy: Energy,
    through: bool = True,
    mixed: bool = False,
) -> Callable[[Tensor, int], Reverse]:
    """The same for `Ancestral`, which moves its mean by -Sigma times the gradient.

    `through`: the gradient goes through the denoiser, as in the authors' code; otherwise its noise counts as fixed, and
    the gradient is that by x0 over a[t]: one call without a graph, and no derivative of a network.
    `mixed`: the energy is shown b[t] x0 + (1 - b[t]) x rather than x0, again as in the authors' code (correction 6).
    """

    def steered(x: Tensor, t: int) -> Reverse:
        reverse, gradient = _differentiated(levels, denoise, energy, through, mixed, x, t)
        return reverse._replace(gradient=gradient)

    return steered


def _differentiated(
    levels: Levels,
    denoise: Callable[[Tensor, int], Tensor | Reverse],
    energy: Energy,
    through: bool,
    mixed: bool,
    x: Tensor,
    t: int,
) -> tuple[Reverse, Tensor]:
    """What the denoiser says, cut from its graph, and the energy's gradient by x."""
    x = precise(x).detach().requires_grad_()
    with torch.set_grad_enabled(through):
        said = denoise(x, t)
    reverse = said if isinstance(said, Reverse) else Reverse(said)
    with torch.enable_grad():
        seen = clean(levels, x, t, reverse.noise)
        if mixed:
            share = levels.at(t)[1]
            seen = share * seen + (1 - share) * x
        (gradient,) = torch.autograd.grad(energy(seen, t).sum(), x)
    fraction = None if reverse.fraction is None else reverse.fraction.detach()
    return Reverse(precise(reverse.noise.detach()), fraction), gradient
