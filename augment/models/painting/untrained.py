"""Text-to-image models of the published sizes with weights at random, which take as long as trained ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from augment.errors import PaintError
from augment.models.hub import quietly
from augment.models.packs import Component, Pack
from augment.models.painting.latent_model import LatentModel
from augment.models.painting.levels import levels_of, prediction_of
from augment.models.painting.readers import Reader
from augment.models.painting.settling import settled, silently
from augment.models.painting.text_to_image import TextToImage
from augment.models.runtime import Runtime
from augment.models.small_diffusion import (
    TOKENS,
    small_autoencoder,
    small_text_encoder,
    small_unet,
    write_caption_tokenizer,
)

SCHEDULE: dict[str, Any] = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "prediction_type": "epsilon",
    "clip_sample": False,
    "steps_offset": 1,
}
LARGE_TOKENS = 77


@dataclass(frozen=True)
class Plan:
    """What a model consists of."""

    unet: Callable[[], Any]
    vae: Callable[[], Any]
    encoders: tuple[Callable[[Any], Any], ...]
    """Of a tokenizer each."""
    tokens: int
    """That a prompt is padded to."""
    layer: int | None = None
    """Of the encoders, as in Reader."""


def published_unet() -> UNet2DConditionModel:
    """That of Stable Diffusion 1.5: 860 million parameters."""
    return UNet2DConditionModel(sample_size=64, cross_attention_dim=768)


def large_unet() -> UNet2DConditionModel:
    """That of Stable Diffusion XL: 2.6 billion parameters."""
    down = ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D")
    return UNet2DConditionModel(
        sample_size=128,
        block_out_channels=(320, 640, 1280),
        down_block_types=down,
        up_block_types=tuple(kind.replace("Down", "Up") for kind in reversed(down)),
        transformer_layers_per_block=(1, 2, 10),
        attention_head_dim=(5, 10, 20),
        cross_attention_dim=2048,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    )


def published_autoencoder(side: int = 512) -> AutoencoderKL:
    """That of Stable Diffusion, of all versions: 84 million parameters. `side`: of pictures, in pixels."""
    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        sample_size=side,
    )


def published_text_encoder(_: Any = None) -> CLIPTextModel:
    """CLIP's of ViT-L/14: 123 million parameters."""
    return CLIPTextModel(
        CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
    )


def large_text_encoder(_: Any = None) -> CLIPTextModelWithProjection:
    """OpenCLIP's of ViT-bigG/14: 695 million parameters."""
    return CLIPTextModelWithProjection(
        CLIPTextConfig(
            hidden_size=1280,
            intermediate_size=5120,
            projection_dim=1280,
            num_hidden_layers=32,
            num_attention_heads=20,
            hidden_act="gelu",
        )
    )


PLANS = {
    "small": Plan(small_unet, small_autoencoder, (small_text_encoder,), TOKENS),
    "sd15": Plan(published_unet, published_autoencoder, (published_text_encoder,), LARGE_TOKENS),
    "sdxl": Plan(
        large_unet,
        lambda: published_autoencoder(1024),
        (published_text_encoder, large_text_encoder),
        LARGE_TOKENS,
        layer=-2,
    ),
}


def untrained(name: str, folder: Path, captions: Sequence[str], runtime: Runtime) -> TextToImage:
    """A model of PLANS, made where the runtime works; the same every time, torch's random numbers are left alone.

    `folder`: for the tokenizer, which knows the words of `captions`. Raises PaintError where memory does not suffice.
    """
    plan, device = PLANS[name], runtime.place()[0]
    tokenizer = write_caption_tokenizer(captions, folder / "tokenizer")
    tokenizer.model_max_length = plan.tokens
    gpus = range(torch.cuda.device_count())
    try:
        with silently(), quietly(), torch.random.fork_rng(devices=gpus), torch.device(device):
            torch.manual_seed(0)
            readers = tuple(Reader(tokenizer, _frozen(make(tokenizer)), plan.layer) for make in plan.encoders)
            unet, vae = _frozen(plan.unet()), _frozen(plan.vae())
        levels, prediction = levels_of(SCHEDULE, name), prediction_of(SCHEDULE, name)
        return settled(TextToImage(unet, vae=vae, readers=readers, levels=levels, prediction=prediction), runtime)
    except torch.cuda.OutOfMemoryError as error:
        raise PaintError(f"the GPU's memory does not suffice for {name}: {str(error).splitlines()[0]}") from error


def write_untrained(folder: Path, captions: Sequence[str]) -> Pack:
    """A pack of the small model, in `folder` as diffusers' pipeline saves it."""
    base = untrained("small", folder, captions, Runtime("cpu", "float32", layout="channels_first"))
    with silently(), quietly():
        StableDiffusionPipeline(
            vae=base.vae,
            text_encoder=base.readers[0].encoder,
            tokenizer=base.readers[0].tokenizer,
            unet=base.unet,
            scheduler=DDIMScheduler(**SCHEDULE),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        ).save_pretrained(folder)
    return Pack("untrained", base=Component("stable_diffusion", str(folder)))


def megabytes(base: LatentModel) -> float:
    """That a model's weights take."""
    return float(sum(weight.nbytes for network in base.networks for weight in network.parameters()) / 1e6)


def _frozen(network: Any) -> Any:
    return network.eval().requires_grad_(False)
