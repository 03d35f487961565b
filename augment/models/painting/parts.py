"""Parts of a folder as diffusers keeps it: networks with their weights, tokenizers with their text encoders."""

from collections.abc import Iterable, Mapping
from math import inf
from pathlib import Path
from typing import Any

import torch
from transformers import CLIPTokenizer, T5EncoderModel, T5Tokenizer

from augment.errors import RequestError
from augment.models.hub import quietly
from augment.models.painting.readers import Reader
from augment.models.painting.settling import silently
from augment.models.weights import check_file

SCHEDULER = Path("scheduler", "scheduler_config.json")
COLOURS = 3


def clip_reader(folder: Path, number: str, architecture: Any, layer: int | None = None) -> Reader:
    """CLIP's tokenizer and text encoder of a folder, `number`: "" or "_2". Raises RequestError as `load_part`."""
    tokenizer = _tokenizer(CLIPTokenizer, "CLIP", folder / f"tokenizer{number}")
    return Reader(tokenizer, load_part(architecture, folder / f"text_encoder{number}"), layer)


def t5_reader(folder: Path, number: str, longest: int) -> Reader:
    """T5's, of which it reads so many tokens. Raises RequestError as `load_part`."""
    place = folder / f"tokenizer{number}"
    check_file(place / "tokenizer.json")  # without which the library makes up a vocabulary
    tokenizer = _tokenizer(T5Tokenizer, "T5", place)
    tokenizer.model_max_length = min(tokenizer.model_max_length, longest)
    return Reader(tokenizer, load_part(T5EncoderModel, folder / f"text_encoder{number}"))


def load_part(architecture: Any, folder: Path, **options: Any) -> Any:
    """A network with its weights, in half precision where only that is there. Fetches nothing, unpickles nothing.

    `options`: more of `from_pretrained`. Raises RequestError where it is missing, damaged or another one.
    """
    files = [path.name for path in folder.glob("*.safetensors")]
    variant = "fp16" if files and all(".fp16" in name for name in files) else None
    try:
        with quietly(), silently(), torch.random.fork_rng(devices=[]):
            network = architecture.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, variant=variant, low_cpu_mem_usage=False, **options
            )
    except (OSError, ValueError, TypeError, RuntimeError, KeyError) as error:
        problem = " ".join(str(error).split())
        raise RequestError(
            f"{folder} holds no {architecture.__name__} that can be opened ({problem}); get it anew, or give another"
        ) from error
    return network.eval().requires_grad_(False)


def check_latents(folder: Path, network: Any, vae: Any, inputs: Mapping[int, str], outputs: int) -> None:
    """Raises RequestError where what takes part in every step and the autoencoder do not fit each other.

    `inputs`: numbers of channels that the network may take, and what for; `outputs`: how many it has to give.
    """
    name, latents = type(network).__name__, vae.config.latent_channels
    taken, given = network.config.in_channels, network.config.out_channels or network.config.in_channels
    if taken not in inputs:
        known = ", or ".join(f"{count}{purpose}" for count, purpose in inputs.items())
        raise RequestError(
            f"{folder}: the {name} takes {taken} channels, the vae gives {latents}; {known}, fit together"
        )
    if given != outputs:
        raise RequestError(
            f"{folder}: the {name} gives {given} channels, for a vae of {latents} it has to be {outputs}; models with "
            "learned variance work on pixels, and are not opened here"
        )
    if vae.config.in_channels != COLOURS or vae.config.out_channels != COLOURS:
        raise RequestError(
            f"{folder}: the vae codes pictures of {vae.config.in_channels} channels as ones of "
            f"{vae.config.out_channels}; it has to be {COLOURS} and {COLOURS}"
        )
    scale = vae.config.scaling_factor
    if not (isinstance(scale, int | float) and 0 < scale < inf):
        raise RequestError(
            f"{folder}: the vae's config.json has scaling_factor={scale!r}; it has to be a number above 0: copy it "
            "from the model's page"
        )


def check_words(folder: Path, network: Any, readers: Iterable[Reader]) -> None:
    """Raises RequestError where a U-Net reads words of another width than the text encoders give beside each other."""
    taken, given = network.config.cross_attention_dim, sum(reader.encoder.config.hidden_size for reader in readers)
    if taken != given:
        raise RequestError(
            f"{folder}: the {type(network).__name__} reads words of {taken} numbers, the text encoders give {given}; "
            "take those that it was trained with"
        )


def check_same(control: Any, network: Any, names: Iterable[str], folder: Path) -> None:
    """Raises RequestError where a ControlNet is configured otherwise than the base's network in one of these."""
    for name in names:
        if control.config.get(name) != network.config.get(name):
            raise RequestError(
                f"{folder}: this ControlNet has {name}={control.config.get(name)}, the base "
                f"{network.config.get(name)}; take one that was made for this base"
            )


def _tokenizer(architecture: Any, name: str, place: Path) -> Any:
    try:
        with quietly():
            return architecture.from_pretrained(place, local_files_only=True)
    except (OSError, ValueError, TypeError) as error:
        raise RequestError(f"{place} holds no tokenizer of {name} ({error}); get it anew, or give another") from error
