"""Painting with pixel diffusion that knows no words, by CLIP's gradients (Blended Diffusion, Avrahami et al. 2022)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from augment.diffusion.blending import Blend
from augment.diffusion.grids import Grid, linspace
from augment.diffusion.guidance import steer, steer_mean
from augment.diffusion.levels import CLEAN
from augment.diffusion.masks import gradual, repaint
from augment.diffusion.noise import Noise
from augment.diffusion.samplers import State, sample
from augment.errors import RequestError
from augment.models.clip import Clip
from augment.models.guided_diffusion.hub import PixelDiffusion, open_hub, open_original
from augment.models.painting.attempts import SAMPLERS, STREAM, InBatches, low_passed, noisy, numbers
from augment.models.painting.base import Canvas, Sampler, Sampling, Start, Wording
from augment.models.painting.energy import EditEnergy
from augment.models.painting.fit import Fit
from augment.models.runtime import Runtime


def open_pixels(place: Path, architecture: str | None, clip: Clip, runtime: Runtime) -> "PixelPainter":
    """A painter from a folder, or with an architecture from an original checkpoint. Raises RequestError as those."""
    network = open_original(place, architecture, runtime) if architecture else open_hub(place, runtime)
    return PixelPainter(network, clip, runtime.batch_size)


@dataclass(frozen=True, eq=False)
class PixelPainter(InBatches):
    """A Painter. Negative words, and a ControlNet's strength, are of no meaning to it."""

    network: PixelDiffusion
    clip: Clip
    batch: int

    def cut(self, prompt: str) -> str:
        """As Painter promises."""
        return self.clip.cut(prompt)

    def remarks(self, sampling: Sampling) -> list[str]:
        """As Painter promises: none, as these networks have one prediction and no autoencoder."""
        return []

    def attempt(
        self, canvases: Sequence[Canvas], wording: Wording, sampling: Sampling, key: int, floats: bool
    ) -> list[UInt8[np.ndarray, "h w 3"]]:
        """As InBatches says. Raises RequestError for a start that only latent networks have."""
        network = self.network.in_float32() if floats else self.network
        height, width = canvases[0].keep.shape
        fit = Fit.of(height, width, network.native, network.multiple)
        with torch.no_grad(), torch.backends.cudnn.flags(deterministic=True):
            source = fit.into([canvas.picture for canvas in canvases]).to(network.device)
            keep = fit.masks([canvas.keep for canvas in canvases]).to(network.device)
            region = repaint(keep)
            noise = Noise(key, tuple(canvas.number for canvas in canvases))
            energy = EditEnergy(self.clip, self.clip.read(wording.prompt), source, region, sampling, noise)
            return fit.out(numbers(edited(network, energy)))


def edited(network: PixelDiffusion, energy: EditEnergy) -> Float[Tensor, "n 3 h w"]:
    """The energy's source with its region painted anew; with `blend`, exactly the source outside of it."""
    sampling, noise, source = energy.sampling, energy.noise, energy.source
    grid = _grid(len(network.levels), sampling)
    x = noisy(network.levels, _signal(source, sampling), grid[0], noise(STREAM, CLEAN, source))
    blend = Blend(network.levels, source, gradual(energy.region, grid), noise) if sampling.blend else None
    return sample(
        SAMPLERS[sampling.sampler], network.levels, _steered(network, energy), State(x, grid[0]), grid, noise, blend
    ).x


def _grid(count: int, sampling: Sampling) -> Grid:
    """Respaced as by the authors, down to level 0. Of 100 steps they skip 25: 75 steps from 0.75 of the levels."""
    top = sampling.first(count)
    return linspace(top, min(sampling.steps, top + 1))


def _signal(source: Float[Tensor, "n 3 h w"], sampling: Sampling) -> Float[Tensor, "n 3 h w"] | None:
    if sampling.start is Start.POLICY:
        raise RequestError("start=policy is of latent networks; choose start=picture or noise for form=pixel")
    if sampling.start is Start.NOISE:
        return None
    return low_passed(source, sampling.blur) if sampling.blur else source


def _steered(network: PixelDiffusion, energy: EditEnergy) -> Callable[[Tensor, int], Any]:
    """Ancestral sampling moves its mean by the learned variance; other samplers know the noise alone."""
    through = energy.sampling.steering.through
    if energy.sampling.sampler is Sampler.ANCESTRAL:
        return steer_mean(network.levels, network, energy, through=through, mixed=through)
    return steer(network.levels, lambda x, t: network(x, t).noise, energy, through=through, mixed=through)
