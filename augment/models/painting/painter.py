"""Painting with latent diffusion: what is kept guides the rest, and comes back exactly as it was."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from augment.diffusion import samplers
from augment.diffusion.blending import Blend
from augment.diffusion.grids import Grid, every, trailing
from augment.diffusion.levels import CLEAN
from augment.diffusion.maps import renoise
from augment.diffusion.masks import in_cells, repaint, shrinking, steady
from augment.diffusion.noise import Noise
from augment.diffusion.samplers import State, sample
from augment.errors import PaintError, RequestError
from augment.models.painting.base import Canvas, Sampler, Sampling, Start, Wording
from augment.models.painting.control import Control, masked_latents, on_grey
from augment.models.painting.fit import Fit
from augment.models.painting.text_to_image import Condition, Latents, TextToImage, Words

SAMPLERS: dict[Sampler, samplers.Sampler] = {
    Sampler.MULTISTEP: samplers.Multistep(),
    Sampler.DDIM: samplers.DDIM(),
    Sampler.ANCESTRAL: samplers.Ancestral(),
    Sampler.FEW_STEP: samplers.FewStep(),
}
KNOWN_TO_FEW_STEP = 50  # levels that few-step networks were distilled at
STREAM = "start"
Pixels = Float[Tensor, "n 3 H W"]
Masks = Float[Tensor, "n 1 H W"]


@runtime_checkable
class Policy(Protocol):
    """An initialization policy."""

    def __call__(self, base: TextToImage, words: Words, kept: Pixels, keep: Masks) -> Latents:
        """The composition that it predicts (methods.md 1.1), scaled as the base's latents. `kept`: on grey."""
        ...


@dataclass(frozen=True, eq=False)
class LatentPainter:
    """A Painter."""

    base: TextToImage
    control: Control | None
    policy: Policy | None
    batch: int
    """Canvases that go through the networks at once."""

    def __call__(
        self, canvases: Sequence[Canvas], wording: Wording, sampling: Sampling, key: int
    ) -> list[UInt8[np.ndarray, "h w 3"]]:
        """As Painter promises."""
        sampling.check()
        made: list[UInt8[np.ndarray, "h w 3"]] = []
        for start in range(0, len(canvases), self.batch):
            made += self._painted(canvases[start : start + self.batch], wording, sampling, key)
        return made

    def cut(self, prompt: str) -> str:
        """As Painter promises."""
        return max((reader.cut(prompt) for reader in self.base.readers), key=len)

    def _painted(
        self, canvases: Sequence[Canvas], wording: Wording, sampling: Sampling, key: int
    ) -> list[UInt8[np.ndarray, "h w 3"]]:
        """A batch; in two where memory does not suffice."""
        try:
            return self._in_good_numbers(canvases, wording, sampling, key)
        except torch.cuda.OutOfMemoryError as error:
            if len(canvases) == 1:
                raise PaintError(
                    f"the GPU's memory does not suffice for one picture of {canvases[0].keep.shape[1]} x "
                    f"{canvases[0].keep.shape[0]} pixels: {str(error).splitlines()[0]}"
                ) from error
        middle = len(canvases) // 2
        first, second = canvases[:middle], canvases[middle:]
        return self._painted(first, wording, sampling, key) + self._painted(second, wording, sampling, key)

    def _in_good_numbers(
        self, canvases: Sequence[Canvas], wording: Wording, sampling: Sampling, key: int
    ) -> list[UInt8[np.ndarray, "h w 3"]]:
        """In the base's precision, and where that overflows in float32."""
        try:
            return self._attempt(self.base, canvases, wording, sampling, key)
        except FloatingPointError:
            pass
        try:
            return self._attempt(self.base.in_float32(), canvases, wording, sampling, key)
        except FloatingPointError as error:
            raise PaintError("the networks painted values that are no numbers, in float32 too") from error

    def _attempt(
        self, base: TextToImage, canvases: Sequence[Canvas], wording: Wording, sampling: Sampling, key: int
    ) -> list[UInt8[np.ndarray, "h w 3"]]:
        height, width = canvases[0].keep.shape
        fit = Fit.of(height, width, base.native, base.multiple)
        with torch.inference_mode():
            pixels = fit.into([canvas.picture for canvas in canvases]).to(base.device)
            keep = fit.masks([canvas.keep for canvas in canvases]).to(base.device)
            noise = Noise(key, tuple(canvas.number for canvas in canvases))
            latents = _Run(self, base, wording, sampling, noise).latents(pixels, keep)
            if not torch.isfinite(latents).all():
                raise FloatingPointError("not a number")
            pictures = fit.out(base.decode(latents))
        return [_pasted(picture, canvas) for picture, canvas in zip(pictures, canvases, strict=True)]


@dataclass(frozen=True, eq=False)
class _Run:
    """One batch on its way."""

    painter: LatentPainter
    base: TextToImage
    wording: Wording
    sampling: Sampling
    noise: Noise

    def latents(self, pixels: Pixels, keep: Masks) -> Latents:
        base, sampling = self.base, self.sampling
        words, negative = (base.words([text]).repeated(len(pixels)) for text in self._texts)
        beside = masked_latents(base.encode, pixels, keep, base.stride) if self._inpaints else None
        denoise = base.denoiser(words, negative, sampling.guidance, self._condition(pixels, keep), beside)
        source = base.encode(pixels)
        grid = self._grid()
        x = self._start(words, pixels, keep, source, grid[0])
        cells = repaint((in_cells(keep, base.stride) >= 1).to(source))
        masks = shrinking(cells, grid) if sampling.thin else steady(cells)
        blend = Blend(base.levels, source, masks, self.noise) if sampling.blend else None
        sampler = SAMPLERS[sampling.sampler]
        return sample(sampler, base.levels, denoise, State(x, grid[0]), grid, self.noise, blend).x

    @property
    def _texts(self) -> tuple[str, str]:
        return self.wording.prompt, self.wording.negative

    @property
    def _inpaints(self) -> bool:
        return bool(self.base.unet.config.in_channels > self.base.vae.config.latent_channels)

    def _condition(self, pixels: Pixels, keep: Masks) -> Condition | None:
        control, strength = self.painter.control, self.sampling.control
        return control.condition(self.base, pixels, keep, strength) if control and strength else None

    def _grid(self) -> Grid:
        count, steps = len(self.base.levels), self.sampling.steps
        top = count - 1 if self.sampling.start is Start.NOISE else min(count - 1, round(self.sampling.level * count))
        if self.sampling.sampler is Sampler.FEW_STEP:
            return every(trailing(top, KNOWN_TO_FEW_STEP), steps)
        return trailing(top, min(steps, top + 1))

    def _start(self, words: Words, pixels: Pixels, keep: Masks, source: Latents, level: int) -> Latents:
        """x at the grid's first level."""
        noise = self.noise(STREAM, CLEAN, source)
        if self.sampling.start is Start.NOISE:
            return (
                noise if self.base.levels.at(level)[0] < 0.01 else renoise(self.base.levels, 0 * source, level, noise)
            )
        if self.sampling.start is Start.PICTURE:
            signal = self.base.encode(_low_passed(pixels, self.sampling.blur)) if self.sampling.blur else source
        else:
            signal = self._shared(self._policy(self.base, words, on_grey(pixels, keep), keep))
        return renoise(self.base.levels, signal, level, noise)

    @property
    def _policy(self) -> Policy:
        if self.painter.policy is None:
            raise RequestError(
                "start=policy needs an initialization policy, and this pack has none; choose a pack with one "
                "(models=NAME), or start=picture"
            )
        return self.painter.policy

    def _shared(self, signal: Latents) -> Latents:
        """Canvases of one number get the composition of the first of them."""
        numbers = self.noise.numbers
        return signal[[numbers.index(number) for number in numbers]]


def _low_passed(pixels: Pixels, blur: float) -> Pixels:
    deviation = blur * min(pixels.shape[-2:])
    side = 2 * min(round(3 * deviation), min(pixels.shape[-2:]) // 2 - 1) + 1
    return gaussian_blur(pixels, [side, side], [deviation, deviation])


def _pasted(painted: UInt8[np.ndarray, "h w 3"], canvas: Canvas) -> UInt8[np.ndarray, "h w 3"]:
    """What is kept as it was, mixtures in between."""
    share = canvas.keep[..., None]
    mixed = np.rint(share * canvas.picture + (1 - share) * painted).astype(np.uint8)
    return np.where(share >= 1, canvas.picture, np.where(share <= 0, painted, mixed))
