"""Opening folders of Stable Diffusion 3 and FLUX, as diffusers keeps them, and ControlNets for the former."""

from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL, FluxTransformer2DModel, SD3ControlNetModel, SD3Transformer2DModel
from safetensors import SafetensorError, safe_open
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from augment.diffusion.predictions import Prediction
from augment.errors import RequestError
from augment.models.kinds import DIFFUSION
from augment.models.painting import flux, stable_diffusion_3
from augment.models.painting.flux import Flux
from augment.models.painting.levels import flow_levels_of
from augment.models.painting.parts import SCHEDULER, check_latents, check_same, clip_reader, load_part, t5_reader
from augment.models.painting.settling import settled, silently
from augment.models.painting.stable_diffusion_3 import Control3, StableDiffusion3
from augment.models.pipelines import with_variants
from augment.models.runtime import Runtime
from augment.models.weights import check_file, read_json

FIRST = "pos_embed_input.proj.weight"
SIZES = ("num_attention_heads", "attention_head_dim", "patch_size", "in_channels")
TEXTS = ("joint_attention_dim", "pooled_projection_dim")
REST = ("qk_norm", "pos_embed_max_size")  # which tell Stable Diffusion 3 from 3.5


def open_stable_diffusion_3(folder: Path, runtime: Runtime) -> StableDiffusion3:
    """A pipeline of Stable Diffusion 3 or 3.5: two readers of CLIP, transformer, vae, scheduler; text_encoder_3 and
    tokenizer_3, T5, may be left out.

    Raises RequestError where parts are missing, damaged, or do not fit each other.
    """
    flow = _flow(folder, SD3Transformer2DModel, runtime)
    network, vae = flow["transformer"], flow["vae"]
    latents = vae.config.latent_channels
    check_latents(folder, network, vae, {latents: ""}, latents)
    readers = [clip_reader(folder, number, CLIPTextModelWithProjection, -2) for number in ("", "_2")]
    if any((folder / part).is_dir() for part in ("text_encoder_3", "tokenizer_3")):
        readers.append(t5_reader(folder, "_3", stable_diffusion_3.LONG))
    pooled = sum(reader.encoder.config.projection_dim for reader in readers[: stable_diffusion_3.CLIPS])
    _check_words(folder, network, readers[stable_diffusion_3.CLIPS :], pooled)
    base = StableDiffusion3(**flow, readers=tuple(readers), patch=network.config.patch_size)
    return settled(base.sized(base.native, base.native), runtime)


def open_stable_diffusion_3_controlnet(folder: Path, base: StableDiffusion3) -> Control3:
    """An inpainting ControlNet for a base, on its device. Raises RequestError where it is damaged, made for another
    base, or not shown a mask."""
    beside = _shown(folder) - base.transformer.config.in_channels
    if beside != 1:
        raise RequestError(
            f"{folder}: this ControlNet is shown {beside} channels beside latents; 1, the mask, is known: take one for "
            "inpainting"
        )
    # said, since the configuration of the published one does not
    network = load_part(SD3ControlNetModel, folder, extra_conditioning_channels=beside)
    with silently():
        network.to(base.device, base.dtype)
    check_same(network, base.transformer, (*SIZES, *TEXTS, *REST), folder)
    return Control3(network)


def open_flux(folder: Path, runtime: Runtime) -> Flux:
    """A pipeline of FLUX.1, of Fill or another: CLIP, T5, transformer, vae, scheduler.

    Raises RequestError where parts are missing, damaged, or do not fit each other.
    """
    flow = _flow(folder, FluxTransformer2DModel, runtime)
    network, vae = flow["transformer"], flow["vae"]
    latents = flux.PATCH**2 * vae.config.latent_channels
    filled = 2 * latents + flux.PATCH**2 * 4 ** (len(vae.config.block_out_channels) - 1)
    check_latents(folder, network, vae, {latents: "", filled: " to fill"}, latents)
    readers = (clip_reader(folder, "", CLIPTextModel), t5_reader(folder, "_2", flux.LONG))
    _check_words(folder, network, readers[1:], readers[0].encoder.config.hidden_size)
    base = Flux(**flow, readers=readers, patch=flux.PATCH)
    return settled(base.sized(base.native, base.native), runtime)


def _flow(folder: Path, architecture: Any, runtime: Runtime) -> dict[str, Any]:
    """What all flows have: networks but for readers, and levels."""
    levels_of = flow_levels_of(read_json(folder / SCHEDULER), str(folder / SCHEDULER))
    # Twelve billion weights should never be there in float32 where halves are wanted.
    network = load_part(architecture, folder / "transformer", torch_dtype=runtime.place()[1])
    vae = load_part(AutoencoderKL, folder / "vae")
    levels = levels_of(1)  # until it is said of what size
    noise = {"levels": levels, "levels_of": levels_of, "prediction": Prediction.FLOW}
    return {"transformer": network, "vae": vae, **noise}


def _shown(folder: Path) -> int:
    """How many channels a ControlNet's first layer takes, by its weights."""
    path = with_variants(folder / DIFFUSION)
    check_file(path)
    try:
        with safe_open(path, "pt") as file:
            return int(file.get_slice(FIRST).get_shape()[1])
    except SafetensorError as error:
        raise RequestError(f"{path} is of no SD3ControlNetModel ({error}); get it anew, or give another") from error


def _check_words(folder: Path, network: Any, long: Any, pooled: int) -> None:
    """Raises RequestError where text encoders are of another size than the transformer reads."""
    sizes = {"pooled_projection_dim": pooled}
    for reader in long:
        sizes["joint_attention_dim"] = reader.encoder.config.d_model
    for name, size in sizes.items():
        if network.config[name] != size:
            raise RequestError(
                f"{folder}: the transformer has {name}={network.config[name]}, the text encoders {size}; take all of "
                "one model"
            )
