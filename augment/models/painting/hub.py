"""Opening folders as diffusers keeps them: pipelines of Stable Diffusion, ControlNets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from augment.errors import RequestError
from augment.models.hub import quietly
from augment.models.painting.control import KEEP_AND_COLOURS, Control
from augment.models.painting.levels import levels_of, prediction_of
from augment.models.painting.painter import LatentPainter
from augment.models.painting.policy import open_policy
from augment.models.painting.settling import painter_of, settled, silently
from augment.models.painting.text_to_image import Reader, TextToImage
from augment.models.runtime import Runtime
from augment.models.weights import read_json

RGB = 3
SCHEDULER = Path("scheduler", "scheduler_config.json")


def open_hub(folders: Mapping[str, Path], runtime: Runtime) -> LatentPainter:
    """A painter. `folders`: of `base`, and where there are such of `controlnet` and `policy`.

    Raises RequestError as those that open each.
    """
    base = open_text_to_image(folders["base"], runtime)
    control = open_controlnet(folders["controlnet"], base) if "controlnet" in folders else None
    policy = open_policy(folders["policy"], base) if "policy" in folders else None
    return painter_of(base, control, policy, runtime)


def open_text_to_image(folder: Path, runtime: Runtime) -> TextToImage:
    """A pipeline of the Stable Diffusion family: text_encoder, tokenizer (two of each for XL), unet, vae, scheduler.

    Raises RequestError where parts are missing, damaged, or do not fit each other.
    """
    config = read_json(folder / SCHEDULER)
    large = (folder / "text_encoder_2").is_dir()
    readers = [_reader(folder, "", CLIPTextModel, -2 if large else None)]
    if large:
        readers.append(_reader(folder, "_2", CLIPTextModelWithProjection, -2))
    unet, vae = load_part(UNet2DConditionModel, folder / "unet"), load_part(AutoencoderKL, folder / "vae")
    where = str(folder / SCHEDULER)
    base = TextToImage(unet, vae, tuple(readers), levels_of(config, where), prediction_of(config, where))
    _check_fit(base, folder)
    return settled(base, runtime)


def open_controlnet(folder: Path, base: TextToImage) -> Control:
    """A ControlNet for a base, on its device. Raises RequestError where it is damaged, or made for another base."""
    network = load_part(ControlNetModel, folder)
    with silently():
        network.to(base.device, base.dtype)
    config, own = network.config, base.unet.config
    for name in ("block_out_channels", "cross_attention_dim"):
        if config[name] != own[name]:
            raise RequestError(
                f"{folder}: this ControlNet has {name}={config[name]}, the base {own[name]}; take one that was made "
                "for this base"
            )
    if config.conditioning_channels not in (RGB, KEEP_AND_COLOURS):
        raise RequestError(
            f"{folder}: this ControlNet is shown {config.conditioning_channels} channels; {RGB} (of inpainting) or "
            f"{KEEP_AND_COLOURS} (colours and mask) are known"
        )
    return Control(network)


def _reader(folder: Path, number: str, architecture: Any, layer: int | None) -> Reader:
    place = folder / f"tokenizer{number}"
    try:
        with quietly():
            tokenizer = CLIPTokenizer.from_pretrained(place, local_files_only=True)
    except (OSError, ValueError, TypeError) as error:
        raise RequestError(f"{place} holds no tokenizer of CLIP ({error}); get it anew, or give another") from error
    return Reader(tokenizer, load_part(architecture, folder / f"text_encoder{number}"), layer)


def load_part(architecture: Any, folder: Path) -> Any:
    """A network with its weights, in half precision where only that is there. Fetches nothing, unpickles nothing."""
    variant = "fp16" if any(folder.glob("*.fp16.safetensors")) and not _plain(folder) else None
    try:
        with quietly(), silently(), torch.random.fork_rng(devices=[]):
            network = architecture.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, variant=variant, low_cpu_mem_usage=False
            )
    except (OSError, ValueError, TypeError, RuntimeError, KeyError) as error:
        problem = " ".join(str(error).split())
        raise RequestError(
            f"{folder} holds no {architecture.__name__} that can be opened ({problem}); get it anew, or give another"
        ) from error
    return network.eval().requires_grad_(False)


def _plain(folder: Path) -> bool:
    return any(".fp16." not in path.name for path in folder.glob("*.safetensors"))


def _check_fit(base: TextToImage, folder: Path) -> None:
    latents, channels = base.vae.config.latent_channels, base.unet.config.in_channels
    if channels not in (latents, 2 * latents + 1):
        raise RequestError(
            f"{folder}: the unet takes {channels} channels, the vae gives {latents}; {latents}, or {2 * latents + 1} "
            "for an inpainting unet, fit together"
        )
    if base.unet.config.out_channels != latents:
        raise RequestError(
            f"{folder}: the unet gives {base.unet.config.out_channels} channels, the vae has {latents}; models with "
            "learned variance work on pixels, and are not opened here"
        )
    if not base.vae.config.scaling_factor:
        raise RequestError(f"{folder}: the vae's config.json has no scaling_factor; copy it from the model's page")
