"""What is wrong with a picture on its way: how far the painted region is from the words, and what else counts."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from augment.diffusion.noise import Noise
from augment.models.clip import Clip, spherical
from augment.models.painting.base import Sampling
from augment.models.painting.views import extended


@dataclass(frozen=True, eq=False)
class EditEnergy:
    """The energy of Blended Diffusion (methods.md 4.2), to be descended: D of each picture of a batch."""

    clip: Clip
    words: Float[Tensor, "1 d"]
    """As CLIP reads them."""
    source: Float[Tensor, "b 3 h w"]
    """-1..1."""
    region: Float[Tensor, "b 1 h w"]
    """1 = repaint; what is in between is painted in that last share of the steps."""
    sampling: Sampling
    noise: Noise

    def __call__(self, seen: Float[Tensor, "b 3 h w"], t: int) -> Float[Tensor, " b"]:
        """Of pictures as they are seen from level t."""
        steering = self.sampling.steering
        wrong = steering.range * out_of_range(seen)
        if self.sampling.guidance:
            wrong = wrong + self.sampling.guidance * self.distance(seen, t)
        if steering.background and not self.sampling.blend:
            wrong = wrong + steering.background * beside(seen, self.source, self.region)
        return wrong

    def distance(self, seen: Float[Tensor, "b 3 h w"], t: int) -> Float[Tensor, " b"]:
        """From the words to the region on grey, the mean over its views."""
        views = extended(self.noise, t, self.clip.fitted(seen * self.region), self.sampling.steering.views)
        looked = self.clip.look(views.flatten(0, 1))
        return spherical(looked, self.words).unflatten(0, views.shape[:2]).mean(dim=1)


def out_of_range(seen: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
    """The mean square of how far colours are beyond -1..1."""
    return (seen - seen.clamp(-1, 1)).square().mean(dim=(1, 2, 3))


def beside(
    seen: Float[Tensor, "b 3 h w"], source: Float[Tensor, "b 3 h w"], region: Float[Tensor, "b 1 h w"]
) -> Float[Tensor, " b"]:
    """The mean square of differences outside of the region.

    Correction 7: of both, what is outside; the authors' code compares it with the whole source. Their other half,
    LPIPS, is left out: it takes one more network.
    """
    return ((seen - source) * (1 - region)).square().mean(dim=(1, 2, 3))
