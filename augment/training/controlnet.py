"""Training an FCO-ControlNet: what a frozen text-to-image model needs to go on from a foreground (methods.md 1.7)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from augment.diffusion.maps import renoise
from augment.diffusion.masks import in_cells
from augment.diffusion.predictions import target
from augment.errors import RequestError
from augment.models.controlnet import controlled, foreground_controlnet, output
from augment.models.foreground import conditioning, on_grey
from augment.models.stable_diffusion import StableDiffusion, open_stable_diffusion, side_of, suited
from augment.training.crops import (
    HELD_OUT,
    Crops,
    captions_of,
    check_size,
    levels_for,
    noise_like,
    pictures_of,
)
from augment.training.method import Data, Loss, Method, Picture, Task, Workshop, save_half
from augment.training.scenes import CaptionedScene
from augment.training.sheets import drawn, shown, tiled


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a batch is about; tensors of n pictures."""

    latents: Tensor
    """Float32 `(n, c, h, w)`, scaled."""
    words: Tensor
    """`(n, length, width)`."""
    hint: Tensor
    """Foreground and mask, `(n, 4, height, width)`, 0..1."""
    times: Tensor
    """Int64 `(n,)`."""
    noise: Tensor
    """As `latents`."""


@dataclass(frozen=True)
class ControlNet(Method):
    """A ControlNet that is shown the foreground on grey and its mask, before a frozen base model."""

    base: str | None = None
    """The model: a folder, or a Hub id that is in the Hub cache."""
    size: int = 64
    """Pixels of a picture's side."""
    crops: int = 8
    """Of each picture."""
    prompt_dropout: float = 0.1
    """Share of captions that are left out."""
    ring: float = 4.0
    """How much more errors count just outside the foreground, where it would be continued; 0: no more."""
    ring_width: int = 2
    """Cells of latents."""

    def check(self) -> None:
        """As of all methods."""
        super().check()
        self._at_least("ring", 0)
        self._at_least("ring_width", 1)
        check_base(self.base)

    def build(self, data: Data, workshop: Workshop) -> Task:
        """Writes a ControlNet of diffusers."""
        device = workshop.machine.device
        learnt, held = data.scenes()
        model = open_stable_diffusion(str(self.base))
        network = suited(foreground_controlnet(model, self.seed), device)
        model.frozen(device)
        check_size(self.size, side_of(model.autoencoder) * 2 ** (len(model.unet.config.block_out_channels) - 1))
        held_crops = Crops(held, self.size, 1, self.seed)
        of_held = self._loss(model, held_crops, workshop)
        return Task(
            network,
            self._loss(model, Crops(learnt, self.size, self.crops, self.seed), workshop),
            save_half,
            lambda network, number: of_held(network, number + HELD_OUT),
            control_sheet(model, shown(held_crops), device),
            {"data": learnt.identity, "model": model.identity},
        )

    def _loss(self, model: StableDiffusion, crops: Crops, workshop: Workshop) -> Loss:
        device = workshop.machine.device
        latents = crops.cached(
            "latents",
            model.identity,
            lambda scenes: model.encode(pictures_of(scenes, device)[0]),
            self.batch,
            workshop,
        )

        def lesson(number: int) -> Lesson:
            rng = self.rng(number)
            chosen = rng.integers(len(crops), size=self.batch).tolist()
            scenes = [crops[item] for item in chosen]
            x0 = torch.from_numpy(latents[chosen]).to(device).float()
            with torch.no_grad():
                words = model.embed(captions_of(scenes, self.prompt_dropout, rng))
            times = levels_for(self.batch, len(model.levels), rng).to(device)
            return Lesson(x0, words, conditioning(*pictures_of(scenes, device)), times, noise_like(x0, rng))

        return controlnet_loss(model, lesson, self.ring, self.ring_width)


def controlnet_loss(
    model: StableDiffusion, lessons: Callable[[int], Lesson], ring: float = 0.0, ring_width: int = 1
) -> Loss:
    """The loss of a batch: the error of what the model predicts, more so around the foreground."""

    def loss(network: nn.Module, number: int) -> dict[str, Tensor]:
        lesson = lessons(number)
        seen = renoise(model.levels, lesson.latents, lesson.times, lesson.noise)
        wanted = target(model.levels, model.prediction, lesson.latents, lesson.times, lesson.noise)
        made = output(model, network, seen, lesson.times, lesson.words, lesson.hint).float()
        keep = in_cells(lesson.hint[:, 3:], lesson.hint.shape[-1] // seen.shape[-1])
        weight = 1 + ring * around(keep, ring_width)
        return {str(model.prediction): (weight * (made - wanted).square()).sum() / weight.expand_as(made).sum()}

    return loss


def around(keep: Float[Tensor, "n 1 h w"], width: int) -> Float[Tensor, "n 1 h w"]:
    """Cells within `width` of the foreground that are not, or only in part, foreground: 0..1."""
    near = functional.max_pool2d((keep > 0).float(), 2 * width + 1, stride=1, padding=width)
    return near * (1 - keep)


def control_sheet(
    model: StableDiffusion, scenes: Sequence[CaptionedScene], device: torch.device
) -> Callable[[Any], Picture]:
    """Rows: pictures, foregrounds, what is made of these, and the same with the foreground pasted back."""
    truth, keep = pictures_of(scenes, device)
    hint = conditioning(truth, keep)

    def sheet(network: Any) -> Picture:
        prompted, unprompted = (
            controlled(model, network, model.embed(captions), hint)
            for captions in ([scene.caption for scene in scenes], [""] * len(scenes))
        )
        made = model.decode(drawn(model.levels, prompted, unprompted, model.encode(truth)))
        return tiled([truth, on_grey(truth, keep), made, torch.where(keep > 0, truth, made)])

    return sheet


def check_base(base: str | None) -> None:
    """Raises RequestError where no model is named."""
    if not base:
        raise RequestError(
            "method.base is required: a text-to-image model, such as the folder that `restage train method=base` writes"
        )
