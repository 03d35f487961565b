"""Opening folders as diffusers keeps them: pipelines of Stable Diffusion and FLUX, ControlNets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from augment.errors import RequestError
from augment.models.kinds import CONFIG
from augment.models.painting.control import KEEP_AND_COLOURS, Control
from augment.models.painting.flow_hub import open_flux, open_stable_diffusion_3, open_stable_diffusion_3_controlnet
from augment.models.painting.latent_model import LatentModel
from augment.models.painting.levels import levels_of, prediction_of
from augment.models.painting.painter import LatentPainter
from augment.models.painting.parts import SCHEDULER, check_latents, check_same, check_words, clip_reader, load_part
from augment.models.painting.policy import Composer, open_policy
from augment.models.painting.settling import painter_of, settled, silently
from augment.models.painting.text_to_image import TextToImage
from augment.models.runtime import Runtime
from augment.models.weights import read_json

RGB = 3


def open_hub(folders: Mapping[str, Path], runtime: Runtime) -> LatentPainter:
    """A painter. `folders`: of `base`, and where there are such of `controlnet` and `policy`.

    Raises RequestError as those that open each, and for a ControlNet or a policy where none is known for the base.
    """
    name = _class_of(folders["base"])
    family = FAMILIES[name]
    for role, door in {"controlnet": family.controlnet, "policy": family.policy}.items():
        if role in folders and door is None:
            raise RequestError(
                f"{folders[role]}: no {role} is known for a base of class {name}; models.{role}=null leaves it out"
            )
    base = family.base(folders["base"], runtime)
    control = family.controlnet(folders["controlnet"], base) if family.controlnet and "controlnet" in folders else None
    with silently():
        policy = family.policy(folders["policy"], base) if family.policy and "policy" in folders else None
    return painter_of(base, control, policy, runtime)


def open_text_to_image(folder: Path, runtime: Runtime) -> TextToImage:
    """A pipeline before Stable Diffusion 3: text_encoder, tokenizer (two of each for XL), unet, vae, scheduler.

    Raises RequestError where parts are missing, damaged, or do not fit each other.
    """
    config = read_json(folder / SCHEDULER)
    large = (folder / "text_encoder_2").is_dir()
    readers = [clip_reader(folder, "", CLIPTextModel, -2 if large else None)]
    if large:
        readers.append(clip_reader(folder, "_2", CLIPTextModelWithProjection, -2))
    unet, vae = load_part(UNet2DConditionModel, folder / "unet"), load_part(AutoencoderKL, folder / "vae")
    latents = vae.config.latent_channels
    check_latents(folder, unet, vae, {latents: "", 2 * latents + 1: " for inpainting"}, latents)
    check_words(folder, unet, readers)
    where = str(folder / SCHEDULER)
    levels, prediction = levels_of(config, where), prediction_of(config, where)
    base = TextToImage(unet, vae=vae, readers=tuple(readers), levels=levels, prediction=prediction)
    return settled(base, runtime)


def open_controlnet(folder: Path, base: TextToImage) -> Control:
    """A ControlNet for a base, on its device. Raises RequestError where it is damaged, or made for another base."""
    network = load_part(ControlNetModel, folder)
    with silently():
        network.to(base.device, base.dtype)
    check_same(network, base.unet, ("block_out_channels", "cross_attention_dim"), folder)
    if network.config.conditioning_channels not in (RGB, KEEP_AND_COLOURS):
        raise RequestError(
            f"{folder}: this ControlNet is shown {network.config.conditioning_channels} channels; {RGB} (of "
            f"inpainting) or {KEEP_AND_COLOURS} (colours and mask) are known"
        )
    return Control(network)


@dataclass(frozen=True)
class Family:
    """How bases of one class are opened, and what else is made for them; None where nothing is known."""

    base: Callable[[Path, Runtime], LatentModel]
    controlnet: Callable[[Path, Any], Control] | None = None
    policy: Callable[[Path, Any], Composer] | None = None


FAMILIES = {
    "UNet2DConditionModel": Family(open_text_to_image, open_controlnet, open_policy),
    "SD3Transformer2DModel": Family(open_stable_diffusion_3, open_stable_diffusion_3_controlnet),
    "FluxTransformer2DModel": Family(open_flux),
}
"""By the class of what takes part in every step."""


def _class_of(folder: Path) -> str:
    """Which of FAMILIES a folder is of; where it says nothing, of U-Nets, whose door says what is missing."""
    configs = [folder / part / CONFIG for part in ("unet", "transformer")]
    names = [str(read_json(config).get("_class_name")) for config in configs if config.is_file()]
    name = names[0] if names else "UNet2DConditionModel"
    if name not in FAMILIES:
        raise RequestError(f"{folder}: a base of class {name}; known: {', '.join(FAMILIES)}")
    return name
