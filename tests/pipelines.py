"""Pipelines of the real classes at a tiny size, with random weights."""

from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel, DDIMScheduler, StableDiffusionPipeline

from augment.models.hub import quietly
from augment.models.small_diffusion import small_autoencoder, small_text_encoder, small_unet, write_caption_tokenizer

CAPTIONS = ["a robot arm at a blue wooden table before a white wall"]
SCHEDULE: dict[str, Any] = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
    "clip_sample": False,
    "steps_offset": 1,
}


def tiny_pipeline(folder: Path, **schedule: Any) -> Path:
    """A Stable Diffusion for pictures of 64 pixels, as diffusers saves it."""
    with torch.random.fork_rng(devices=[]), torch.no_grad(), quietly():
        torch.manual_seed(0)
        tokenizer = write_caption_tokenizer(CAPTIONS, folder / "tokenizer")
        vae = small_autoencoder()
        spread = vae.encode(torch.rand(1, 3, 64, 64) * 2 - 1).latent_dist.mean.std()
        vae.register_to_config(scaling_factor=float(1 / spread))
        StableDiffusionPipeline(
            vae=vae,
            text_encoder=small_text_encoder(tokenizer),
            tokenizer=tokenizer,
            unet=small_unet((16, 32, 32)),
            scheduler=DDIMScheduler(**(SCHEDULE | schedule)),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        ).save_pretrained(folder)
    return folder


def tiny_controlnet(folder: Path) -> Path:
    """One for `tiny_pipeline`, whose layers are not zero as at the start of training."""
    with torch.random.fork_rng(devices=[]), quietly():
        torch.manual_seed(1)
        control = ControlNetModel.from_unet(
            small_unet((16, 32, 32)), conditioning_channels=4, conditioning_embedding_out_channels=(8, 16, 16)
        )
        for block in [*control.controlnet_down_blocks, control.controlnet_mid_block]:
            torch.nn.init.normal_(block.weight, std=0.3)
        control.save_pretrained(folder)
    return folder
