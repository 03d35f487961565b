"""From a picture up to the noise from which a deterministic sampler makes it again."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from augment.diffusion.grids import Grid
from augment.diffusion.levels import CLEAN, Levels
from augment.diffusion.maps import clean, ddim, precise
from augment.diffusion.predictions import Denoiser


@dataclass(frozen=True, eq=False)
class Inverted:
    """Where a picture comes from."""

    x: Float[Tensor, "b *shape"]
    """At `level`."""
    noise: Float[Tensor, "b *shape"]
    """What the denoiser says of `x`: e_gt."""
    level: int

    def signal(self, levels: Levels) -> Float[Tensor, "b *shape"]:
        """(1.2) The picture as seen from there, of low frequencies only: the initialization policy's label.

        Methods.md 1.3, correction 1: the root is of 1 / ab - 1; the source prints that of a negative number.
        """
        return clean(levels, self.x, self.level, self.noise)


def invert(
    levels: Levels, denoise: Denoiser, x0: Float[Tensor, "b *shape"], grid: Grid, refinements: int = 2
) -> Inverted:
    """DDIM inversion of pictures up the grid (start, ..., CLEAN), which is the sampler's own, to its start.

    It runs the sampler's differential equation backwards, and adds the noise that the denoiser predicts; the forward
    process would draw it (methods.md 1.3, correction 2). A step down uses the noise at the level that it leaves. A step
    up does not know that yet: it takes the noise at the level below, then is repeated `refinements` times with the
    noise of where it led, which converges to the inverse of the step down. From CLEAN, of which denoisers know nothing,
    the first guess is made with the level above. Use a denoiser without guidance; it is called once a step, once a
    refinement, and once more for the result.
    """
    x, below = precise(x0), grid[-1]
    for t in reversed(grid[:-1]):
        e = denoise(x, t if below == CLEAN else below)
        up = ddim(levels, x, below, t, e)
        for _ in range(refinements):
            up = ddim(levels, x, below, t, denoise(up, t))
        x, below = up, t
    return Inverted(x, precise(denoise(x, below)), below)
