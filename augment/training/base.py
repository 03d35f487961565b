"""Training text-to-image diffusion in latents (Rombach et al. 2022): one network from captions to pictures."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from augment.diffusion.levels import Levels
from augment.diffusion.maps import renoise
from augment.diffusion.predictions import Prediction, target
from augment.errors import RequestError
from augment.models.places import content_of
from augment.models.schedulers import ZERO_TERMINAL
from augment.models.small_diffusion import small_text_encoder, small_unet, write_caption_tokenizer
from augment.models.stable_diffusion import (
    AUTOENCODER,
    TEXT_ENCODER,
    TOKENIZER,
    UNET,
    StableDiffusion,
    load,
    open_stable_diffusion,
    side_of,
    suited,
    tokens_of,
    write_layout,
)
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
from augment.training.scenes import Scenes
from augment.training.sheets import drawn, shown, tiled

SNR_LIMIT = 5.0  # min-SNR (Hang et al. 2023): levels with less noise than this say little about scenes


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a batch is about."""

    latents: Tensor
    """Float32 `(n, c, h, w)`, scaled."""
    tokens: Tensor
    """Int64 `(n, length)`."""
    times: Tensor
    """Int64 `(n,)`."""
    noise: Tensor
    """As `latents`."""


@dataclass(frozen=True)
class Base(Method):
    """A text-to-image model: a small one from scratch, over a trained autoencoder, or another one trained further."""

    size: int = 64
    """Pixels of a picture's side."""
    crops: int = 8
    """Of each picture."""
    prompt_dropout: float = 0.1
    """Share of captions that are left out."""
    autoencoder: str | None = None
    """Folder that `method=autoencoder` wrote; of a model from scratch."""
    base: str | None = None
    """Model to train further: a folder, or a Hub id that is in the Hub cache."""

    def check(self) -> None:
        """As of all methods."""
        super().check()
        if (self.autoencoder is None) == (self.base is None):
            raise RequestError(
                "method=base takes either method.autoencoder=<folder of method=autoencoder> or method.base=<model>"
            )

    def build(self, data: Data, workshop: Workshop) -> Task:
        """Writes a folder that diffusers' StableDiffusionPipeline opens."""
        learnt, held = data.scenes()
        model = open_stable_diffusion(self.base) if self.base else self._small(learnt, held, workshop.folder)
        check_size(self.size, side_of(model.autoencoder) * 2 ** (len(model.unet.config.block_out_channels) - 1))
        device = workshop.machine.device
        network = nn.ModuleDict({UNET: suited(model.unet, device), TEXT_ENCODER: suited(model.text_encoder, device)})
        suited(model.autoencoder, device).eval().requires_grad_(False)

        def save(network: Any, folder: Path) -> None:
            model.tokenizer.save_pretrained(folder / TOKENIZER)
            parts = {UNET: network.unet, TEXT_ENCODER: network.text_encoder, AUTOENCODER: model.autoencoder}
            for name, part in parts.items():
                save_half(part, folder / name)
            write_layout(folder, model.scheduler)

        held_crops = Crops(held, self.size, 1, self.seed)
        of_held = self._loss(model, held_crops, workshop)
        return Task(
            network,
            self._loss(model, Crops(learnt, self.size, self.crops, self.seed), workshop),
            save,
            lambda network, number: of_held(network, number + HELD_OUT),
            self._sheet(model, held_crops, device),
            {"data": learnt.identity, "model": model.identity},
        )

    def _small(self, learnt: Scenes, held: Scenes, folder: Path) -> StableDiffusion:
        vae = Path(str(self.autoencoder)).expanduser() / AUTOENCODER
        tokenizer = write_caption_tokenizer([*learnt.captions, *held.captions], folder / TOKENIZER)
        autoencoder = load(AutoencoderKL, vae)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            unet, encoder = small_unet(), small_text_encoder(tokenizer)
        return StableDiffusion(unet, autoencoder, encoder, tokenizer, ZERO_TERMINAL, content_of(vae))

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
            captions = captions_of([crops[item] for item in chosen], self.prompt_dropout, rng)
            x0 = torch.from_numpy(latents[chosen]).to(device).float()
            times = levels_for(self.batch, len(model.levels), rng)
            tokens = tokens_of(model.tokenizer, captions).to(device)
            return Lesson(x0, tokens, times.to(device), noise_like(x0, rng))

        return base_loss(model.levels, lesson, model.prediction)

    def _sheet(self, model: StableDiffusion, crops: Crops, device: torch.device) -> Callable[[Any], Picture]:
        scenes = shown(crops)
        truth, _ = pictures_of(scenes, device)

        def sheet(network: Any) -> Picture:
            own = replace(model, unet=network.unet, text_encoder=network.text_encoder)
            prompted, unprompted = (
                own.denoiser(own.embed(captions))
                for captions in ([scene.caption for scene in scenes], [""] * len(scenes))
            )
            return tiled([truth, own.decode(drawn(own.levels, prompted, unprompted, own.encode(truth)))])

        return sheet


def base_loss(levels: Levels, lessons: Callable[[int], Lesson], prediction: Prediction = Prediction.VELOCITY) -> Loss:
    """The loss of a batch: the error of what is predicted, weighted by min-SNR.

    The network has `unet` and `text_encoder`.
    """

    def loss(network: nn.Module, number: int) -> dict[str, Tensor]:
        lesson = lessons(number)
        seen = renoise(levels, lesson.latents, lesson.times, lesson.noise)
        wanted = target(levels, prediction, lesson.latents, lesson.times, lesson.noise)
        words = network.text_encoder(lesson.tokens).last_hidden_state
        made = network.unet(seen, lesson.times, words).sample.float()
        weight = min_snr(levels, prediction, lesson.times, seen)
        return {str(prediction): (weight * (made - wanted).square()).mean()}

    return loss


def min_snr(levels: Levels, prediction: Prediction, times: Tensor, like: Tensor) -> Tensor:
    """Weights by which errors of any prediction count as those of the picture at most SNR_LIMIT times."""
    signal, noise = levels.of(times, like)
    ratio = (signal / noise).square()
    per = {Prediction.NOISE: ratio, Prediction.VELOCITY: ratio + 1, Prediction.PICTURE: torch.ones_like(ratio)}
    if prediction not in per:
        raise RequestError(f"a base model that predicts {prediction} is not trained here; known: {', '.join(per)}")
    return ratio.clamp(max=SNR_LIMIT) / per[prediction]
