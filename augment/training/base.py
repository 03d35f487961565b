"""Training text-to-image diffusion in latents (Rombach et al. 2022): one network from captions to pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from augment.diffusion.levels import Levels
from augment.diffusion.maps import renoise
from augment.diffusion.predictions import Prediction, target
from augment.errors import RequestError
from augment.models.hub import quietly
from augment.models.painting.levels import levels_of, prediction_of
from augment.models.painting.parts import load_part
from augment.models.painting.readers import Reader
from augment.models.painting.text_to_image import TextToImage
from augment.models.places import content_of
from augment.models.small_diffusion import small_text_encoder, small_unet, write_caption_tokenizer
from augment.training.base_model import ZERO_TERMINAL, BaseModel, open_base, suited, write_layout
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
        device = workshop.machine.device
        model = open_base(self.base, device) if self.base else self._small(learnt, held, workshop)
        networks = model.networks
        if len(networks.readers) > 1:
            raise RequestError(f"method.base={self.base} reads words twice; Stable Diffusion 1 and 2 are trained")
        check_size(self.size, networks.multiple)
        tokenizer, encoder = networks.readers[0].tokenizer, networks.readers[0].encoder
        network = nn.ModuleDict({"unet": networks.unet, "text_encoder": encoder}).requires_grad_(True)

        def save(network: Any, folder: Path) -> None:
            tokenizer.save_pretrained(folder / "tokenizer")
            for name, part in {"vae": networks.vae, "unet": network["unet"]}.items():
                save_half(part, folder / name)
            with quietly():  # in float32: pipelines keep a text encoder's precision, and raise that of the others
                network["text_encoder"].save_pretrained(folder / "text_encoder")
            write_layout(folder, model.scheduler)

        held_crops = Crops(held, self.size, 1, self.seed)
        of_held = self._loss(model, held_crops, workshop)
        return Task(
            network,
            self._loss(model, Crops(learnt, self.size, self.crops, self.seed), workshop),
            save,
            lambda network, number: of_held(network, number + HELD_OUT),
            self._sheet(networks, held_crops),
            {"data": learnt.identity, "model": model.identity},
        )

    def _small(self, learnt: Scenes, held: Scenes, workshop: Workshop) -> BaseModel:
        vae = Path(str(self.autoencoder)).expanduser() / "vae"
        tokenizer = write_caption_tokenizer([*learnt.captions, *held.captions], workshop.folder / "tokenizer")
        autoencoder = load_part(AutoencoderKL, vae)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            unet, encoder = small_unet(), small_text_encoder(tokenizer)
        device, where = workshop.machine.device, "a small model"
        unet, autoencoder = suited(unet, device), suited(autoencoder, device)
        levels, prediction = levels_of(ZERO_TERMINAL, where), prediction_of(ZERO_TERMINAL, where)
        readers = (Reader(tokenizer, encoder.to(device)),)
        networks = TextToImage(unet, vae=autoencoder, readers=readers, levels=levels, prediction=prediction)
        return BaseModel(networks, ZERO_TERMINAL, content_of(vae))

    def _loss(self, model: BaseModel, crops: Crops, workshop: Workshop) -> Loss:
        networks, latents = model.networks, cached_latents(model, crops, self.batch, workshop)

        def lesson(number: int) -> Lesson:
            rng = self.rng(number)
            chosen = rng.integers(len(crops), size=self.batch).tolist()
            captions = captions_of([crops[item] for item in chosen], self.prompt_dropout, rng)
            x0 = torch.from_numpy(latents[chosen]).to(networks.device).float()
            times = levels_for(self.batch, len(networks.levels), rng).to(x0.device)
            tokens = networks.readers[0].tokens(captions)
            return Lesson(x0, tokens, times, noise_like(x0, rng))

        return base_loss(networks.levels, lesson, networks.prediction)

    def _sheet(self, model: TextToImage, crops: Crops) -> Callable[[Any], Picture]:
        scenes = shown(crops)
        truth, _ = pictures_of(scenes, model.device)

        def sheet(network: Any) -> Picture:  # which is the model's own U-Net and text encoder
            return tiled([truth, model.decode(drawn(model, [scene.caption for scene in scenes], model.encode(truth)))])

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
