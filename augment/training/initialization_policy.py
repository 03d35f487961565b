"""Training an initialization policy: labels by inversion, and the diffusion reward (methods.md 1.2 to 1.5)."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from augment.diffusion.grids import Grid, Span, reward_grid, reward_stride, trailing
from augment.diffusion.inversion import invert
from augment.diffusion.maps import renoise
from augment.diffusion.predictions import Denoiser
from augment.diffusion.reward import reward
from augment.errors import RequestError
from augment.models.painting.kept import on_grey
from augment.models.painting.latent_model import Words
from augment.models.painting.policy import Composer, InitializationPolicy, scratch, widened
from augment.models.painting.text_to_image import TextToImage
from augment.training.base_model import BaseModel, open_base, suited
from augment.training.crops import HELD_OUT, Crops, captions_of, check_size, pictures_of
from augment.training.method import Data, Loss, Method, Picture, Task, Workshop
from augment.training.scenes import CaptionedScene
from augment.training.shards import Shards
from augment.training.sheets import NOISE, denoised, shown, tiled

INITIALISATIONS = ("unet", "scratch")


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a batch is about; tensors `(n, c, h, w)` of scaled latents, float32, and the words."""

    latents: Tensor
    foreground: Tensor
    """On grey."""
    signal: Tensor
    """The label: the picture as seen from the level at which sampling starts, if it is the inversion's end."""
    noise: Tensor
    """What the model says of the noise there."""
    words: Words
    """Some are of no caption."""
    grid: Grid | None
    """Of the reward; None where this batch has none."""


@dataclass(frozen=True)
class Policy(Method):
    """A policy for a frozen base model."""

    base: str | None = None
    """The model: a folder, or a Hub id that is in the Hub cache."""
    size: int = 64
    """Pixels of a picture's side."""
    crops: int = 1
    """Of each picture; each needs a label."""
    prompt_dropout: float = 0.1
    """Share of captions that are left out."""
    initialisation: str = "unet"
    """Of the weights: unet (the model's own) or scratch."""
    start: int = 800
    """t_s: the level at which sampling starts."""
    inversion_steps: int = 50
    refinements: int = 2
    """Repetitions of each step of the inversion."""
    reward_weight: float = 1.0
    """Lambda; 0: labels alone."""
    reward_steps: int = 10
    """K."""
    reward_span: str = "full"
    """How far the reward denoises: full (down to the picture) or source (as printed; see methods.md 1.4)."""
    reward_every: int = 1
    """Batches from one that is rewarded to the next."""

    def check(self) -> None:
        """As of all methods."""
        super().check()
        for name in ("crops", "inversion_steps", "reward_steps", "reward_every"):
            self._at_least(name, 1)
        for name in ("refinements", "reward_weight"):
            self._at_least(name, 0)
        self._one_of("initialisation", INITIALISATIONS)
        self._one_of("reward_span", tuple(Span))

    def build(self, data: Data, workshop: Workshop) -> Task:
        """Writes a folder that `open_policy` reads."""
        model = open_base(self.base, workshop.machine.device)
        networks = model.networks
        self._check_levels(len(networks.levels))
        check_size(self.size, networks.multiple)
        learnt, held = data.scenes()
        held_crops = Crops(held, self.size, 1, self.seed)
        of_held = self._loss(model, held_crops, workshop)
        return Task(
            self._network(networks),
            self._loss(model, Crops(learnt, self.size, self.crops, self.seed), workshop),
            _save,
            lambda network, number: of_held(network, number + HELD_OUT),
            policy_sheet(networks, shown(held_crops)),
            {"data": learnt.identity, "model": model.identity},
        )

    def labels(self, model: BaseModel, crops: Crops, workshop: Workshop) -> Shards:
        """Of each crop latents, foreground, label and noise: `(4, c, h, w)`."""
        grid = trailing(self.start, self.inversion_steps)
        maker = f"{model.identity} {grid} {self.refinements} {self.precision}"

        def compute(scenes: Sequence[CaptionedScene]) -> Tensor:
            return label(model.networks, scenes, grid, self.refinements)

        return crops.cached("labels", maker, compute, self.batch, workshop)

    def _network(self, model: TextToImage) -> InitializationPolicy:
        # The model's own U-Net stays as it is, for labels and rewards.
        unet = scratch(model.unet, self.seed) if self.initialisation == "scratch" else deepcopy(model.unet)
        unet = suited(widened(unet, model.vae.config.latent_channels), model.device).requires_grad_(True)
        cells = self.size // model.stride
        return InitializationPolicy(unet, model.levels, model.prediction, self.start, self.seed, (cells, cells))

    def _loss(self, model: BaseModel, crops: Crops, workshop: Workshop) -> Loss:
        networks, labels = model.networks, self.labels(model, crops, workshop)
        stride = reward_stride(self.start, self.reward_steps, Span(self.reward_span), len(networks.levels))

        def lesson(number: int) -> Lesson:
            rng = self.rng(number)
            chosen = rng.integers(len(crops), size=self.batch).tolist()
            with torch.no_grad():
                words = networks.words(captions_of([crops[item] for item in chosen], self.prompt_dropout, rng))
            latents, foreground, signal, noise = torch.from_numpy(labels[chosen]).to(networks.device).float().unbind(1)
            rewarded = self.reward_weight > 0 and number % self.reward_every == 0
            first = int(rng.integers(1, stride + 1))
            grid = reward_grid(self.start, self.reward_steps, stride, first) if rewarded else None
            return Lesson(latents, foreground, signal, noise, words, grid)

        return policy_loss(networks, lesson, self.reward_weight)

    def _check_levels(self, count: int) -> None:
        if not self.start < count:
            raise RequestError(f"method.start={self.start}; the model has levels 0 to {count - 1}")
        trailing(self.start, self.inversion_steps)
        reward_stride(self.start, self.reward_steps, Span(self.reward_span), count)


def label(model: TextToImage, scenes: Sequence[CaptionedScene], grid: Grid, refinements: int) -> Tensor:
    """(1.2) Latents, foreground, label and noise of pictures: `(n, 4, c, h, w)`; inverted with their captions."""
    pictures, keep = pictures_of(scenes, model.device)
    latents, foreground = model.encode(pictures), model.encode(on_grey(pictures, keep))
    denoise = unguided(model, model.words([scene.caption for scene in scenes]))
    found = invert(model.levels, denoise, latents, grid, refinements)
    return torch.stack([latents, foreground, found.signal(model.levels), found.noise], dim=1)


def unguided(model: TextToImage, words: Words) -> Denoiser:
    """The model as it is, for inversion and reward."""
    return model.denoiser(words, words, 1.0, None, None)


def policy_loss(model: TextToImage, lessons: Callable[[int], Lesson], weight: float = 1.0) -> Loss:
    """The loss of a batch: distance from the label, and what the model makes of it against the real picture.

    Reported beside it: how strong the reward's gradient by the signal is, relative to the label's.
    """

    def loss(network: Any, number: int) -> dict[str, Tensor]:
        lesson = lessons(number)
        made = network(lesson.foreground, lesson.words.hidden, model.added(lesson.words, lesson.foreground))
        terms = {"label": (made - lesson.signal).square().mean()}
        if lesson.grid:
            denoise = unguided(model, lesson.words)
            found = reward(model.levels, denoise, made, lesson.noise, lesson.latents, lesson.grid)
            # Its value is what is reported, its gradient that of the surrogate.
            terms["reward"] = weight * (found.value + found.loss - found.loss.detach())
            wrong = (found.picture - lesson.latents).norm()
            terms["reward to label"] = weight * wrong / (made - lesson.signal).detach().norm()
        return terms

    return loss


def policy_sheet(model: TextToImage, scenes: Sequence[CaptionedScene]) -> Callable[[Any], Picture]:
    """Rows: pictures, foregrounds, the signal of these, and what the base model makes of it and fresh noise."""
    truth, keep = pictures_of(scenes, model.device)
    captions = [scene.caption for scene in scenes]

    def sheet(network: Any) -> Picture:
        signal = Composer(network)(model, model.words(captions), on_grey(truth, keep), keep)
        x = renoise(model.levels, signal, network.start, NOISE("start", 0, signal))
        made = denoised(model, captions, x, network.start)
        return tiled([truth, on_grey(truth, keep), model.decode(signal), model.decode(made)])

    return sheet


def _save(policy: Any, folder: Path) -> None:
    policy.unet.register_to_config(_name_or_path=None)
    policy.unet.half()
    policy.save_pretrained(folder)
