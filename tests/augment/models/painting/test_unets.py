"""Stable Diffusion by U-Nets denoises, blends, fills and is controlled as diffusers' own pipelines have it."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    ControlNetModel,
    DDIMScheduler,
    StableDiffusionControlNetPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from augment.diffusion.blending import STREAM, Blend
from augment.diffusion.grids import trailing
from augment.diffusion.levels import CLEAN
from augment.diffusion.masks import repaint, steady
from augment.diffusion.noise import Noise
from augment.diffusion.samplers import DDIM, Hook, State, sample
from augment.models.hub import quietly
from augment.models.painting.hub import open_controlnet, open_text_to_image
from augment.models.painting.kept import in_corners, on_grey
from augment.models.painting.latent_model import Condition, Latents
from augment.models.painting.text_to_image import TextToImage
from augment.models.runtime import Runtime
from augment.models.small_diffusion import small_autoencoder, small_text_encoder, small_unet, write_caption_tokenizer
from augment.training.base_model import ZERO_TERMINAL
from tests.pipelines import CAPTIONS, tiny_controlnet, tiny_pipeline

CPU = Runtime("cpu")
PROMPT, NEGATIVE, GUIDANCE = "a blue wooden table", "a white wall", 3.0
HEIGHT, WIDTH, STEPS = 48, 80, 5
GRID = trailing(999, STEPS)
NOISE = Noise(3, (0,))
ASKED = {
    "prompt": PROMPT,
    "negative_prompt": NEGATIVE,
    "guidance_scale": GUIDANCE,
    "height": HEIGHT,
    "width": WIDTH,
    "num_inference_steps": STEPS,
    "output_type": "latent",
    "return_dict": False,
}
kinds = pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])


def written(folder: Path, kind: str, **changed: Any) -> Path:
    """A pipeline whose last level is not noise alone, of which diffusers has another idea (LEAST_SIGNAL)."""
    tiny_pipeline(folder, prediction_type=kind, rescale_betas_zero_snr=False)
    if changed:
        other_unet(**changed).save_pretrained(folder / "unet")
    return folder


def other_unet(**changed: Any) -> UNet2DConditionModel:
    known = {name: value for name, value in small_unet((16, 32, 32)).config.items() if not name.startswith("_")}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return UNet2DConditionModel(**{**known, **changed})


def picture() -> tuple[torch.Tensor, torch.Tensor]:
    pixels = torch.rand(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1)) * 2 - 1
    keep = torch.zeros(1, 1, HEIGHT, WIDTH)
    keep[..., 8:32, 20:60] = 1
    return pixels, keep


def ours(
    base: TextToImage, start: Latents, condition: Condition | None, beside: Latents | None, hook: Hook | None
) -> Latents:
    words, negative = (base.words([text]) for text in (PROMPT, NEGATIVE))
    denoise = base.denoiser(words, negative, GUIDANCE, condition, beside)
    return sample(DDIM(), base.levels, denoise, State(start, GRID[0]), GRID, NOISE, hook).x


def theirs(pipeline: Any, start: Latents, **asked: Any) -> Latents:
    pipeline.set_progress_bar_config(disable=True)
    return pipeline(**ASKED, latents=start, **asked)[0]


def close(one: Latents, other: Latents) -> None:
    assert float((one - other).abs().max() / other.std()) < 5e-5


@kinds
@torch.no_grad()
def test_blending_is_that_of_the_inpainting_pipeline(tmp_path: Path, kind: str) -> None:
    """Of networks of four channels: theirs, loop and all, puts back what is kept at every level, and in the end."""
    base = open_text_to_image(written(tmp_path, kind), CPU)
    pixels, keep = picture()
    source, cells = base.encode(pixels), repaint(in_corners(keep, base.stride))
    noise = NOISE(STREAM, CLEAN, source)
    made = theirs(
        StableDiffusionInpaintPipeline.from_pretrained(tmp_path, local_files_only=True),
        noise,
        image=source,
        mask_image=repaint(keep),
        masked_image_latents=source,
        strength=1.0,
    )
    blend = Blend(base.levels, source, steady(cells), NOISE)
    close(ours(base, noise, None, None, blend), made)
    assert torch.equal(made[(cells == 0).expand_as(made)], source[(cells == 0).expand_as(made)])
    one_level_off = {s: t for t, s in pairwise(GRID)}
    wrong = ours(base, noise, None, None, lambda x, s: blend(x, s) if s == CLEAN else blend(x, one_level_off[s]))
    assert (wrong - made).abs().max() > 1e-2


@kinds
@torch.no_grad()
def test_filling_is_that_of_the_inpainting_pipeline(tmp_path: Path, kind: str) -> None:
    base = open_text_to_image(written(tmp_path, kind, in_channels=9), CPU)
    pixels, keep = picture()
    start = NOISE(STREAM, CLEAN, base.encode(pixels))
    made = theirs(
        StableDiffusionInpaintPipeline.from_pretrained(tmp_path, local_files_only=True),
        start,
        image=base.encode(pixels),
        mask_image=repaint(keep),
        masked_image_latents=base.encode(on_grey(pixels, keep)),
        strength=1.0,
    )
    close(ours(base, start, None, base.beside(pixels, keep), None), made)


@kinds
@torch.no_grad()
def test_control_is_that_of_the_pipeline(tmp_path: Path, kind: str) -> None:
    base = open_text_to_image(written(tmp_path / "base", kind), CPU)
    control = open_controlnet(tiny_controlnet(tmp_path / "control"), base)
    pixels, keep = picture()
    start = NOISE(STREAM, CLEAN, base.encode(pixels))
    network = ControlNetModel.from_pretrained(tmp_path / "control", local_files_only=True)
    pipeline = StableDiffusionControlNetPipeline.from_pretrained(
        tmp_path / "base", controlnet=network, local_files_only=True
    )
    shown = control.shown(base, pixels, keep)
    made = theirs(pipeline, start, image=shown, controlnet_conditioning_scale=0.7)
    close(ours(base, start, control.condition(base, pixels, keep, 0.7), None, None), made)


def large(folder: Path) -> Path:
    """A Stable Diffusion XL: two text encoders side by side, and what is told besides."""
    with torch.random.fork_rng(devices=[]), quietly():
        torch.manual_seed(0)
        tokenizer = write_caption_tokenizer(CAPTIONS, folder / "words")
        first = small_text_encoder(tokenizer)
        second = CLIPTextModelWithProjection(CLIPTextConfig.from_dict(first.config.to_dict()))
        wide = {"cross_attention_dim": 128, "addition_embed_type": "text_time", "addition_time_embed_dim": 8}
        StableDiffusionXLPipeline(
            vae=small_autoencoder(),
            text_encoder=first,
            text_encoder_2=second,
            tokenizer=tokenizer,
            tokenizer_2=tokenizer,
            unet=other_unet(**wide, projection_class_embeddings_input_dim=64 + 6 * 8),
            scheduler=DDIMScheduler.from_config(
                {**ZERO_TERMINAL, "rescale_betas_zero_snr": False, "prediction_type": "epsilon"}
            ),
            force_zeros_for_empty_prompt=False,
        ).save_pretrained(folder)
    return folder


@torch.no_grad()
def test_the_large_model_is_asked_as_by_its_pipeline(tmp_path: Path) -> None:
    base = open_text_to_image(large(tmp_path), CPU)
    start = NOISE(STREAM, CLEAN, base.encode(picture()[0]))
    pipeline = StableDiffusionXLPipeline.from_pretrained(tmp_path, local_files_only=True, add_watermarker=False)
    close(ours(base, start, None, None, None), theirs(pipeline, start))
