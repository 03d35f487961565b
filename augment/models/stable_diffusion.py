"""Text-to-image networks from, and into, folders in the layout of Stable Diffusion, as diffusers keeps them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from diffusers.utils import logging
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from augment.diffusion.levels import Levels
from augment.diffusion.predictions import Denoiser, Prediction, denoiser
from augment.errors import RequestError
from augment.models.hub import quietly
from augment.models.places import content_of, places
from augment.models.schedulers import levels_of, prediction_of
from augment.models.weights import read_json

INDEX = "model_index.json"
UNET, AUTOENCODER, TEXT_ENCODER, TOKENIZER, SCHEDULER = "unet", "vae", "text_encoder", "tokenizer", "scheduler"
CLASSES = {
    UNET: UNet2DConditionModel,
    AUTOENCODER: AutoencoderKL,
    TEXT_ENCODER: CLIPTextModel,
    TOKENIZER: CLIPTokenizer,
}
ABSENT = ("safety_checker", "feature_extractor", "image_encoder")  # of what diffusers' pipeline may have


@dataclass(frozen=True, eq=False)
class StableDiffusion:
    """A latent text-to-image model (Rombach et al. 2022)."""

    unet: Any
    autoencoder: Any
    text_encoder: Any
    tokenizer: Any
    scheduler: Mapping[str, Any]
    """Its configuration."""
    identity: str = ""
    """Hash of the files that it was read from."""

    def frozen(self, device: torch.device) -> "StableDiffusion":
        """Itself, on a device, not to be trained."""
        for network in (self.unet, self.autoencoder, self.text_encoder):
            suited(network, device).eval().requires_grad_(False)
        return self

    @property
    def levels(self) -> Levels:
        """Its noise levels."""
        return levels_of(self.scheduler)

    @property
    def prediction(self) -> Prediction:
        """What the U-Net says."""
        return prediction_of(self.scheduler)

    def encode(self, pictures: Float[Tensor, "n 3 _ _"]) -> Float[Tensor, "n c _ _"]:
        """Scaled latents of pictures, -1..1."""
        return scaled_latents(self.autoencoder, pictures)

    def decode(self, latents: Float[Tensor, "n c _ _"]) -> Float[Tensor, "n 3 _ _"]:
        """Pictures, -1..1 or a little beyond."""
        factor, shift = _scale(self.autoencoder)
        pictures: Tensor = self.autoencoder.decode(latents / factor + shift).sample.float()
        return pictures

    def embed(self, captions: Sequence[str]) -> Float[Tensor, "n length width"]:
        """Captions as the U-Net reads them; cut where they are too long."""
        tokens = tokens_of(self.tokenizer, captions).to(self.text_encoder.device)
        words: Tensor = self.text_encoder(tokens).last_hidden_state
        return words

    def denoiser(self, words: Float[Tensor, "n length width"]) -> Denoiser:
        """What the U-Net says of the noise, without guidance."""
        return denoiser(self.levels, self.prediction, lambda x, t: self.unet(x, t, words).sample)


def open_stable_diffusion(source: str) -> StableDiffusion:
    """The model in a local folder, a folder of this package (`package:`) or the Hub cache; float32, on the CPU.

    Leaves torch's random numbers as they were. Raises RequestError where a file is missing or damaged, or parts do not
    fit each other; nothing is fetched.
    """
    folder = _locate(source)
    unet, autoencoder, text_encoder, tokenizer = (load(kind, folder / name) for name, kind in CLASSES.items())
    scheduler = read_json(folder / SCHEDULER / "scheduler_config.json")
    model = StableDiffusion(unet, autoencoder, text_encoder, tokenizer, scheduler, identity_of(folder))
    _check_fit(model, folder)
    return model


def load(architecture: Any, folder: Path) -> Any:
    """A network, in float32, or a tokenizer. Raises RequestError where it cannot be read."""
    if not folder.is_dir():
        raise RequestError(f"{folder} is not a folder; it should hold a {architecture.__name__}")
    safely = {"use_safetensors": True} if issubclass(architecture, nn.Module) else {}
    level = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        with quietly(), torch.random.fork_rng(devices=[]):
            part = architecture.from_pretrained(str(folder), local_files_only=True, **safely)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise RequestError(f"{folder}: no {architecture.__name__} can be read from it ({error})") from error
    finally:
        logging.set_verbosity(level)
    if hasattr(part, "register_to_config"):
        part.register_to_config(_name_or_path=None)  # or where it was read from would be written with it
    return part.float() if safely else part


def write_layout(folder: Path, scheduler: Mapping[str, Any]) -> None:
    """What makes a folder of networks a pipeline of diffusers: its index and its scheduler."""
    libraries = {name: [kind.__module__.partition(".")[0], kind.__name__] for name, kind in CLASSES.items()}
    index = {
        "_class_name": "StableDiffusionPipeline",
        **libraries,
        SCHEDULER: ["diffusers", scheduler["_class_name"]],
        **{name: [None, None] for name in ABSENT},
        "requires_safety_checker": False,
    }
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n")
    write_scheduler(folder / SCHEDULER, scheduler)


def write_scheduler(folder: Path, scheduler: Mapping[str, Any]) -> None:
    """As diffusers reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scheduler_config.json").write_text(json.dumps(dict(scheduler), indent=2) + "\n")


def tokens_of(tokenizer: Any, captions: Sequence[str]) -> Int[Tensor, "n length"]:
    """All of one length: padded, or cut."""
    length = tokenizer.model_max_length
    made = tokenizer(list(captions), padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    tokens: Tensor = made.input_ids
    return tokens


def scaled_latents(autoencoder: Any, pictures: Float[Tensor, "n 3 _ _"]) -> Float[Tensor, "n c _ _"]:
    """Latents of pictures, -1..1, as diffusion has them, of a deviation about 1: the mean of the encoder's law."""
    factor, shift = _scale(autoencoder)
    latents: Tensor = (autoencoder.encode(pictures).latent_dist.mean.float() - shift) * factor
    return latents


def side_of(autoencoder: Any) -> int:
    """Pixels of a latent cell's side."""
    return int(2 ** (len(autoencoder.config.block_out_channels) - 1))


def suited(network: Any, device: torch.device) -> Any:
    """Itself, on a device, laid out as suits it. On a CPU torch's own attention is slow backwards at small sizes."""
    if device.type == "cpu" and hasattr(network, "set_attn_processor"):
        network.set_attn_processor(AttnProcessor())
    return network.to(device=device, memory_format=torch.channels_last)


def identity_of(folder: Path) -> str:
    """Hash of a model's parts."""
    return "-".join(content_of(part)[:12] for part in sorted(folder.iterdir()) if part.name in (*CLASSES, SCHEDULER))


def _scale(autoencoder: Any) -> tuple[float, float]:
    config = autoencoder.config
    return float(config.scaling_factor), float(config.get("shift_factor") or 0.0)


def _locate(source: str) -> Path:
    found = next((place for place in places(source, INDEX, None, None) if place.is_file()), None)
    if found is None:
        raise RequestError(
            f"{source} is no text-to-image model on this machine: it takes a folder (beginning with /, . or ~) with "
            f"{INDEX}, such as `restage train method=base` writes, or a Hub id that is in the Hub cache"
        )
    return found.parent


def _check_fit(model: StableDiffusion, folder: Path) -> None:
    channels = model.autoencoder.config.latent_channels
    found = (model.unet.config.in_channels, model.unet.config.out_channels)
    if found != (channels, channels):
        raise RequestError(
            f"{folder}: the U-Net takes {found[0]} channels and gives {found[1]}, the autoencoder has {channels}; what "
            "is learned here needs a base model, not one for inpainting"
        )
    width, words = model.unet.config.cross_attention_dim, model.text_encoder.config.hidden_size
    if width != words:
        raise RequestError(f"{folder}: the U-Net reads words of width {width}, the text encoder has {words}")
