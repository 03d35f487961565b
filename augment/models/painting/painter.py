"""Painting with latent diffusion: what is kept guides the rest, and comes back exactly as it was."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import UInt8
from torch.nn import functional

from augment.diffusion.blending import Blend
from augment.diffusion.grids import Grid, every, trailing
from augment.diffusion.levels import CLEAN
from augment.diffusion.masks import gradual, repaint, shrinking
from augment.diffusion.noise import Noise
from augment.diffusion.predictions import Prediction
from augment.diffusion.samplers import State, sample
from augment.errors import RequestError
from augment.models.painting import probe
from augment.models.painting.attempts import SAMPLERS, STREAM, InBatches, low_passed, noisy, numbers
from augment.models.painting.base import NO_FEW_STEPS, Canvas, Sampler, Sampling, Start, Wording
from augment.models.painting.control import Control
from augment.models.painting.fit import Fit
from augment.models.painting.kept import on_grey
from augment.models.painting.latent_model import Condition, LatentModel, Latents, Masks, Pixels, Words

KNOWN_TO_FEW_STEP = 50  # levels that few-step networks were distilled at


@runtime_checkable
class Policy(Protocol):
    """An initialization policy."""

    @property
    def start(self) -> int:
        """The noise level that it was trained for, at which what it predicts is taken up."""
        ...

    def __call__(self, base: Any, words: Words, kept: Pixels, keep: Masks) -> Latents:
        """The composition that it predicts (methods.md 1.1), scaled as the latents of `base`, for which it was opened.
        `kept`: on grey."""
        ...

    def in_float32(self) -> "Policy":
        """A copy that computes in float32."""
        ...


@dataclass(frozen=True, eq=False)
class LatentPainter(InBatches):
    """A Painter."""

    base: LatentModel
    control: Control | None
    policy: Policy | None
    batch: int

    def cut(self, prompt: str) -> str:
        """As Painter promises."""
        return self.base.cut(prompt)

    def remarks(self, sampling: Sampling) -> list[str]:
        """As Painter promises."""
        return [*self._probed, *self._of_policy(sampling)]

    def first(self, sampling: Sampling) -> int:
        """The noise level at which sampling begins."""
        return sampling.first(len(self.base.levels), self.policy.start if self.policy else None)

    def _of_policy(self, sampling: Sampling) -> list[str]:
        if self.policy is None or sampling.start is not Start.POLICY or self.first(sampling) == self.policy.start:
            return []
        return [
            f"level={sampling.level:g} takes the policy's composition up at noise level {self.first(sampling)} of "
            f"{len(self.base.levels)}; it was trained for {self.policy.start}, which level=null takes"
        ]

    @cached_property
    def _probed(self) -> list[str]:
        return probe.remarks(self.base)

    def attempt(
        self, canvases: Sequence[Canvas], wording: Wording, sampling: Sampling, key: int, floats: bool
    ) -> list[UInt8[np.ndarray, "h w 3"]]:
        """As InBatches says."""
        painter = self._in_float32() if floats else self
        height, width = canvases[0].keep.shape
        fit = Fit.of(height, width, self.base.native, self.base.multiple)
        base = painter.base.sized(*fit.padded)
        with torch.inference_mode():
            pixels = fit.into([canvas.picture for canvas in canvases]).to(base.device)
            keep = fit.masks([canvas.keep for canvas in canvases]).to(base.device)
            noise = Noise(key, tuple(canvas.number for canvas in canvases))
            latents = _Run(replace(painter, base=base), fit, wording, sampling, noise, canvases).latents(pixels, keep)
            return fit.out(numbers(base.decode(numbers(latents))))

    def tile(self) -> bool:
        """As InBatches says."""
        return self.base.tile()

    def _in_float32(self) -> "LatentPainter":
        control, policy = self.control and self.control.in_float32(), self.policy and self.policy.in_float32()
        return replace(self, base=self.base.in_float32(), control=control, policy=policy)


@dataclass(frozen=True, eq=False)
class _Run:
    """One batch on its way."""

    painter: LatentPainter
    fit: Fit
    wording: Wording
    sampling: Sampling
    noise: Noise
    canvases: Sequence[Canvas]

    @property
    def base(self) -> LatentModel:
        return self.painter.base

    def latents(self, pixels: Pixels, keep: Masks) -> Latents:
        base, sampling, grid = self.base, self.sampling, self._grid()
        words, negative = (base.words([text]).repeated(len(pixels)) for text in self._texts)
        condition, beside = self._condition(pixels, keep), base.beside(pixels, keep)
        denoise = base.denoiser(words, negative, sampling.guidance, condition, beside)
        source = base.encode(pixels)
        x = self._start(words, pixels, keep, source, grid[0])
        cells = functional.max_pool2d(repaint(keep), base.stride)  # as of the pixel that is painted most
        masks = shrinking((cells > 0).to(source), grid) if sampling.thin else gradual(cells, grid)
        blend = Blend(base.levels, source, masks, self.noise) if sampling.blend else None
        sampler = SAMPLERS[sampling.sampler]
        return sample(sampler, base.levels, denoise, State(x, grid[0]), grid, self.noise, blend).x

    @property
    def _texts(self) -> tuple[str, str]:
        return self.wording.prompt, self.wording.negative

    def _condition(self, pixels: Pixels, keep: Masks) -> Condition | None:
        control, strength = self.painter.control, self.sampling.control
        return control.condition(self.base, pixels, keep, strength) if control and strength else None

    def _grid(self) -> Grid:
        top, steps = self.painter.first(self.sampling), self.sampling.steps
        if self.sampling.sampler is Sampler.FEW_STEP:
            if self.base.prediction is Prediction.FLOW:
                raise RequestError(NO_FEW_STEPS)
            return every(trailing(top, KNOWN_TO_FEW_STEP), steps)
        return trailing(top, min(steps, top + 1))

    def _start(self, words: Words, pixels: Pixels, keep: Masks, source: Latents, level: int) -> Latents:
        """x at the grid's first level."""
        signal = self._signal(words, pixels, keep, source)
        return noisy(self.base.levels, signal, level, self.noise(STREAM, CLEAN, source))

    def _signal(self, words: Words, pixels: Pixels, keep: Masks, source: Latents) -> Latents | None:
        """The composition, None for none."""
        if self.sampling.start is Start.NOISE:
            return None
        if self.sampling.start is Start.PICTURE:
            return self.base.encode(low_passed(pixels, self.sampling.blur)) if self.sampling.blur else source
        leads = [canvas.lead or canvas for canvas in self.canvases]
        pixels = self.fit.into([lead.picture for lead in leads]).to(self.base.device)
        keep = self.fit.masks([lead.keep for lead in leads]).to(self.base.device)
        return self._policy(self.base, words, on_grey(pixels, keep), keep)

    @property
    def _policy(self) -> Policy:
        if self.painter.policy is None:
            raise RequestError(
                "start=policy needs an initialization policy, and this pack has none; choose a pack with one "
                "(models=NAME), or start=picture"
            )
        return self.painter.policy
