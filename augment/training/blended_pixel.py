"""Training pixel diffusion that knows no words, with a learned variance (Nichol and Dhariwal 2021)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from augment.diffusion.grids import linspace
from augment.diffusion.hybrid import bound
from augment.diffusion.levels import Levels
from augment.diffusion.maps import renoise
from augment.diffusion.predictions import Reverse
from augment.diffusion.samplers import Ancestral, State, sample
from augment.models.guided_diffusion.architectures import ARCHITECTURES
from augment.models.guided_diffusion.hub import PixelDiffusion, published_levels, write
from augment.models.guided_diffusion.unet import UNet
from augment.training.crops import HELD_OUT, Crops, levels_for, noise_like, pictures_of
from augment.training.method import Data, Loss, Method, Picture, Task, Workshop
from augment.training.scenes import Scenes
from augment.training.sheets import NOISE, shown, tiled

STEPS = 50  # of the samples of a sheet


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a batch is about."""

    pictures: Tensor
    """Float32 `(n, 3, h, w)`, -1..1."""
    times: Tensor
    """Int64 `(n,)`."""
    noise: Tensor
    """As `pictures`."""


@dataclass(frozen=True)
class BlendedPixel(Method):
    """An unconditional U-Net of guided diffusion, from scratch: what `recipe=blended_pixel` paints with."""

    architecture: str = "small_64"
    """Which says the size of pictures, too."""
    bound: float = 0.001
    """Weight of the variational bound, by which the variance is learned; 0: not at all."""

    def check(self) -> None:
        """As of all methods."""
        super().check()
        self._one_of("architecture", tuple(ARCHITECTURES))
        self._at_least("bound", 0)

    def build(self, data: Data, workshop: Workshop) -> Task:
        """Writes a folder that `augment.models.guided_diffusion.hub.open_hub` reads."""
        learnt, held = data.scenes()
        architecture, levels = ARCHITECTURES[self.architecture], published_levels()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = UNet(architecture).to(workshop.machine.device)

        def lessons(scenes: Scenes, first: int = 0) -> Callable[[int], Lesson]:
            def lesson(number: int) -> Lesson:
                rng = self.rng(number + first)
                crops = scenes.batch(self.batch, architecture.size, rng)
                pictures, _ = pictures_of(crops, workshop.machine.device)
                times = levels_for(self.batch, len(levels), rng).to(pictures.device)
                return Lesson(pictures, times, noise_like(pictures, rng))

            return lesson

        def save(network: Any, folder: Path) -> None:
            write(folder, self.architecture, network.state_dict())

        truth, _ = pictures_of(shown(Crops(held, architecture.size, 1, self.seed)), workshop.machine.device)

        def sheet(network: Any) -> Picture:
            return tiled([truth, drawn(PixelDiffusion(network, levels), truth)])

        return Task(
            network,
            hybrid_loss(levels, lessons(learnt), self.bound),
            save,
            hybrid_loss(levels, lessons(held, HELD_OUT), self.bound),
            sheet,
            {"data": learnt.identity},
        )


def hybrid_loss(levels: Levels, lessons: Callable[[int], Lesson], weight: float) -> Loss:
    """The loss of a batch: the error of the noise, and the variational bound, from which variances alone learn."""

    def loss(network: nn.Module, number: int) -> dict[str, Tensor]:
        lesson = lessons(number)
        x = renoise(levels, lesson.pictures, lesson.times, lesson.noise)
        noise, fraction = network(x, lesson.times).float().chunk(2, dim=1)
        terms = {"epsilon": (noise - lesson.noise).square().mean()}
        if weight:
            far = bound(levels, lesson.pictures, x, lesson.times, Reverse(noise, fraction))
            terms["bound"] = weight * len(levels) * far.mean()
        return terms

    return loss


def drawn(network: PixelDiffusion, like: Tensor) -> Tensor:
    """Pictures from noise alone; the same noise every time."""
    top = len(network.levels) - 1
    start = State(NOISE("start", 0, like), top)
    return sample(Ancestral(), network.levels, network, start, linspace(top, STEPS), NOISE).x
