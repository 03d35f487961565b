"""Text-to-image models that others are trained over, and folders of new ones."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor

from augment.errors import RequestError
from augment.models.kinds import INDEX, KINDS
from augment.models.packs import Component
from augment.models.painting.hub import open_text_to_image
from augment.models.painting.parts import SCHEDULER
from augment.models.painting.text_to_image import TextToImage
from augment.models.runtime import Runtime
from augment.models.weights import check_folder, read_json

ZERO_TERMINAL: Mapping[str, Any] = {
    "_class_name": "DDIMScheduler",
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "num_train_timesteps": 1000,
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
    "clip_sample": False,
    "set_alpha_to_one": True,
    "steps_offset": 1,
}
"""Of models trained from scratch: their last level, where sampling starts, is noise alone (Lin et al. 2024)."""
PARTS = {
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    **{name: [None, None] for name in ("safety_checker", "feature_extractor", "image_encoder")},
}
"""What diffusers' pipeline consists of: library and class."""


@dataclass(frozen=True, eq=False)
class BaseModel:
    """A model, frozen, and where it comes from."""

    networks: TextToImage
    scheduler: Mapping[str, Any]
    """Its configuration."""
    identity: str


def open_base(source: str | None, device: torch.device) -> BaseModel:
    """The model in a folder, of this package (`package:`) or in the Hub cache, in float32; nothing is fetched.

    Raises RequestError where it is not there, damaged, or takes more than latents.
    """
    if not source:
        raise RequestError(
            "method.base is required: a text-to-image model, such as the folder that `restage train method=base` writes"
        )
    component = Component("stable_diffusion", source)
    folder = component.locate()
    check_folder(folder, KINDS[component.kind])
    networks = open_text_to_image(folder, Runtime(str(device), "float32", threads=torch.get_num_threads()))
    if networks.unet.config.in_channels != networks.vae.config.latent_channels:
        raise RequestError(f"{folder}: its unet is one for inpainting; what is learned here needs a base model")
    for network in (networks.unet, networks.vae):
        suited(network, device)
    return BaseModel(networks, read_json(folder / SCHEDULER), component.digest)


def write_layout(folder: Path, scheduler: Mapping[str, Any]) -> None:
    """What makes a folder of networks a pipeline of diffusers: its index and its scheduler."""
    index = {"_class_name": "StableDiffusionPipeline", **PARTS, "requires_safety_checker": False}
    contents = {INDEX: {**index, "scheduler": ["diffusers", scheduler["_class_name"]]}, str(SCHEDULER): dict(scheduler)}
    (folder / SCHEDULER).parent.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")


def suited(network: Any, device: torch.device) -> Any:
    """Itself, on a device, laid out as suits it. On a CPU torch's own attention is slow backwards at small sizes."""
    if device.type == "cpu" and hasattr(network, "set_attn_processor"):
        network.set_attn_processor(AttnProcessor())
    return network.to(device=device, memory_format=torch.channels_last)
