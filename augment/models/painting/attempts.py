"""What painters of all kinds do alike: batches, second attempts where numbers or memory run out, the final paste."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from augment.diffusion import samplers
from augment.diffusion.levels import Levels
from augment.diffusion.maps import renoise
from augment.errors import PaintError
from augment.models.painting.base import Canvas, Sampler, Sampling, Wording

SAMPLERS: dict[Sampler, samplers.Sampler] = {
    Sampler.MULTISTEP: samplers.Multistep(),
    Sampler.DDIM: samplers.DDIM(),
    Sampler.ANCESTRAL: samplers.Ancestral(),
    Sampler.FEW_STEP: samplers.FewStep(),
}
STREAM = "start"  # of the noise that sampling starts with
ALL_NOISE = 0.01  # signal below which a level is noise alone


class InBatches(ABC):
    """A Painter, but for the painting itself."""

    batch: int
    """Canvases that go through the networks at once."""

    @abstractmethod
    def attempt(
        self, canvases: Sequence[Canvas], wording: Wording, sampling: Sampling, key: int, floats: bool
    ) -> list[UInt8[np.ndarray, "h w 3"]]:
        """A batch, painted, not yet pasted. `floats`: in float32, whatever the networks' precision.

        Raises FloatingPointError where values are no numbers.
        """

    def tile(self) -> bool:
        """Switch to tiles, which need less memory, for good; whether that changes anything."""
        return False

    def __call__(
        self, canvases: Sequence[Canvas], wording: Wording, sampling: Sampling, key: int
    ) -> list[UInt8[np.ndarray, "h w 3"]]:
        """As Painter promises."""
        sampling.check()
        made: list[UInt8[np.ndarray, "h w 3"]] = []
        for start in range(0, len(canvases), self.batch):
            made += self._painted(canvases[start : start + self.batch], wording, sampling, key)
        return [pasted(picture, canvas) for picture, canvas in zip(made, canvases, strict=True)]

    def _painted(
        self, canvases: Sequence[Canvas], wording: Wording, sampling: Sampling, key: int
    ) -> list[UInt8[np.ndarray, "h w 3"]]:
        """A batch; in two where memory does not suffice, then in tiles."""
        try:
            return self._in_good_numbers(canvases, wording, sampling, key)
        except torch.cuda.OutOfMemoryError as error:
            if len(canvases) == 1 and not self.tile():
                raise PaintError(
                    f"the GPU's memory does not suffice for one picture of {canvases[0].keep.shape[1]} x "
                    f"{canvases[0].keep.shape[0]} pixels: {str(error).splitlines()[0]}"
                ) from error
        if len(canvases) == 1:
            return self._painted(canvases, wording, sampling, key)
        middle = len(canvases) // 2
        first, second = canvases[:middle], canvases[middle:]
        return self._painted(first, wording, sampling, key) + self._painted(second, wording, sampling, key)

    def _in_good_numbers(
        self, canvases: Sequence[Canvas], wording: Wording, sampling: Sampling, key: int
    ) -> list[UInt8[np.ndarray, "h w 3"]]:
        """In the networks' precision, and where that overflows in float32."""
        try:
            return self.attempt(canvases, wording, sampling, key, floats=False)
        except FloatingPointError:
            pass
        try:
            return self.attempt(canvases, wording, sampling, key, floats=True)
        except FloatingPointError as error:
            raise PaintError("the networks painted values that are no numbers, in float32 too") from error


def numbers(values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The same. Raises FloatingPointError where one is none."""
    if not torch.isfinite(values).all():
        raise FloatingPointError("not a number")
    return values


def noisy(
    levels: Levels, signal: Float[Tensor, "n c h w"] | None, level: int, noise: Float[Tensor, "n c h w"]
) -> Float[Tensor, "n c h w"]:
    """Where sampling starts: a composition at a level; None for grey, which the last levels hardly tell from noise."""
    if signal is None:
        return noise if levels.at(level)[0] < ALL_NOISE else renoise(levels, 0 * noise, level, noise)
    return renoise(levels, signal, level, noise)


def low_passed(pixels: Float[Tensor, "n 3 H W"], blur: float) -> Float[Tensor, "n 3 H W"]:
    """Blurred by a deviation that is a fraction of the shorter side."""
    deviation = blur * min(pixels.shape[-2:])
    side = 2 * min(round(3 * deviation), min(pixels.shape[-2:]) // 2 - 1) + 1
    return gaussian_blur(pixels, [side, side], [deviation, deviation])


def pasted(painted: UInt8[np.ndarray, "h w 3"], canvas: Canvas) -> UInt8[np.ndarray, "h w 3"]:
    """What is kept as it was, mixtures in between."""
    share = canvas.keep[..., None]
    mixed = np.rint(share * canvas.picture + (1 - share) * painted).astype(np.uint8)
    return np.where(share >= 1, canvas.picture, np.where(share <= 0, painted, mixed))
