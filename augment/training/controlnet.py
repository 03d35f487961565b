"""Training an FCO-ControlNet: what a frozen text-to-image model needs to go on from a foreground (methods.md 1.7)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import ControlNetModel
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from augment.diffusion.maps import renoise
from augment.diffusion.masks import in_cells
from augment.diffusion.predictions import target
from augment.models.painting.control import KEEP_AND_COLOURS, Control, hint
from augment.models.painting.kept import on_grey
from augment.models.painting.latent_model import Words
from augment.models.painting.text_to_image import TextToImage
from augment.training.base_model import BaseModel, open_base, suited
from augment.training.crops import (
    HELD_OUT,
    Crops,
    cached_latents,
    captions_of,
    check_size,
    levels_for,
    noise_like,
    pictures_of,
)
from augment.training.method import Data, Loss, Method, Picture, Task, Workshop, save_half
from augment.training.scenes import CaptionedScene
from augment.training.sheets import drawn, shown, tiled

HINT_CHANNELS = (16, 32, 96, 256)
"""Of the layers that bring what is shown to the size of latents; each after the first halves it. As published for 8."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a batch is about; tensors of n pictures."""

    latents: Tensor
    """Float32 `(n, c, h, w)`, scaled."""
    words: Words
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
        self._at_least("crops", 1)
        self._at_least("ring", 0)
        self._at_least("ring_width", 1)

    def build(self, data: Data, workshop: Workshop) -> Task:
        """Writes a ControlNet of diffusers."""
        model = open_base(self.base, workshop.machine.device)
        networks = model.networks
        check_size(self.size, networks.multiple)
        learnt, held = data.scenes()
        held_crops = Crops(held, self.size, 1, self.seed)
        of_held = self._loss(model, held_crops, workshop)
        return Task(
            suited(foreground_controlnet(networks, self.seed), networks.device),
            self._loss(model, Crops(learnt, self.size, self.crops, self.seed), workshop),
            save_half,
            lambda network, number: of_held(network, number + HELD_OUT),
            control_sheet(networks, shown(held_crops)),
            {"data": learnt.identity, "model": model.identity},
        )

    def _loss(self, model: BaseModel, crops: Crops, workshop: Workshop) -> Loss:
        networks, latents = model.networks, cached_latents(model, crops, self.batch, workshop)

        def lesson(number: int) -> Lesson:
            rng = self.rng(number)
            chosen = rng.integers(len(crops), size=self.batch).tolist()
            scenes = [crops[item] for item in chosen]
            x0 = torch.from_numpy(latents[chosen]).to(networks.device).float()
            with torch.no_grad():
                words = networks.words(captions_of(scenes, self.prompt_dropout, rng))
            shown = hint(*pictures_of(scenes, networks.device), KEEP_AND_COLOURS)
            times = levels_for(self.batch, len(networks.levels), rng).to(x0.device)
            return Lesson(x0, words, shown, times, noise_like(x0, rng))

        return controlnet_loss(networks, lesson, self.ring, self.ring_width)


def foreground_controlnet(model: TextToImage, seed: int) -> Any:
    """A new ControlNet for a model, with its weights where they fit; it changes nothing yet."""
    halvings = model.stride.bit_length() - 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ControlNetModel.from_unet(
            model.unet,
            conditioning_embedding_out_channels=HINT_CHANNELS[: halvings + 1],
            conditioning_channels=KEEP_AND_COLOURS,
        ).requires_grad_(True)


def controlnet_loss(
    model: TextToImage, lessons: Callable[[int], Lesson], ring: float = 0.0, ring_width: int = 1
) -> Loss:
    """The loss of a batch: the error of what the model predicts, more so around the foreground."""

    def loss(network: Any, number: int) -> dict[str, Tensor]:
        lesson = lessons(number)
        seen = renoise(model.levels, lesson.latents, lesson.times, lesson.noise)
        wanted = target(model.levels, model.prediction, lesson.latents, lesson.times, lesson.noise)
        asked = {"encoder_hidden_states": lesson.words.hidden, "added_cond_kwargs": model.added(lesson.words, seen)}
        down, middle = network(seen, lesson.times, controlnet_cond=lesson.hint, return_dict=False, **asked)
        said = {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
        made = model.unet(seen, lesson.times, **said, **asked).sample.float()
        weight = 1 + ring * around(in_cells(lesson.hint[:, 3:], model.stride), ring_width)
        return {str(model.prediction): (weight * (made - wanted).square()).sum() / weight.expand_as(made).sum()}

    return loss


def around(keep: Float[Tensor, "n 1 h w"], width: int) -> Float[Tensor, "n 1 h w"]:
    """Cells within `width` of the foreground that are not, or only in part, foreground: 0..1."""
    near = functional.max_pool2d((keep > 0).float(), 2 * width + 1, stride=1, padding=width)
    return near * (1 - keep)


def control_sheet(model: TextToImage, scenes: Sequence[CaptionedScene]) -> Callable[[Any], Picture]:
    """Rows: pictures, foregrounds, what is made of these, and the same with the foreground pasted back."""
    truth, keep = pictures_of(scenes, model.device)
    captions = [scene.caption for scene in scenes]

    def sheet(network: Any) -> Picture:
        condition = Control(network).condition(model, truth, keep, 1.0)
        made = model.decode(drawn(model, captions, model.encode(truth), condition))
        return tiled([truth, on_grey(truth, keep), made, torch.where(keep > 0, truth, made)])

    return sheet
