"""Sampling that repaints one region, and keeps the rest at the picture's own noise (Blended Diffusion)."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from augment.diffusion.levels import CLEAN, Levels
from augment.diffusion.maps import precise, renoise
from augment.diffusion.masks import Schedule
from augment.diffusion.noise import Noise

STREAM = "background"


@dataclass(frozen=True, eq=False)
class Blend:
    """A sampler's hook: what is not repainted is replaced after each step (methods.md 4.3).

    The background gets the noise of level s, to which the step has gone. Correction 8: the paper's algorithm and the
    authors' code have it one level too noisy, so that without a final paste it is never exact; here it is.
    """

    levels: Levels
    source: Float[Tensor, "b *shape"]
    masks: Schedule
    """1 = repaint."""
    noise: Noise
    fresh: bool = False
    """Other noise for each level, rather than the same for all, which is smoother and steadier over a clip."""

    def __call__(self, x: Float[Tensor, "b *shape"], s: int) -> Float[Tensor, "b *shape"]:
        """x at level `s`, as it is where the mask is 1, and the source at that level where it is 0."""
        return paste(x, self.background(s), self.masks(s))

    def background(self, s: int) -> Float[Tensor, "b *shape"]:
        """The source at level `s`, itself at CLEAN; at the grid's start, where sampling starts."""
        return renoise(self.levels, self.source, s, self.noise(STREAM, s if self.fresh else CLEAN, self.source))


def paste(
    x: Float[Tensor, "b *shape"], source: Float[Tensor, "b *shape"], mask: Float[Tensor, "..."]
) -> Float[Tensor, "b *shape"]:
    """x where the mask is 1, the source where it is 0, exactly, and in between a mixture."""
    x, source = precise(x), precise(source)
    mask = mask.to(x)
    return mask * x + (1 - mask) * source
