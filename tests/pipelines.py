"""Pipelines of the real classes at a tiny size, with random weights."""

from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel, DDIMScheduler, StableDiffusionPipeline
from transformers import CLIPConfig, CLIPModel

from augment.models.guided_diffusion.architectures import ARCHITECTURES
from augment.models.guided_diffusion.hub import write
from augment.models.guided_diffusion.unet import UNet
from augment.models.hub import quietly
from augment.models.painting.hub import open_text_to_image
from augment.models.painting.policy import InitializationPolicy, widened
from augment.models.runtime import Runtime
from augment.models.small_diffusion import small_autoencoder, small_text_encoder, small_unet, write_caption_tokenizer
from augment.training.base_model import ZERO_TERMINAL

CAPTIONS = ["a robot arm at a blue wooden table before a white wall"]


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
            scheduler=DDIMScheduler.from_config({**ZERO_TERMINAL, **schedule}),
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


def tiny_policy(folder: Path, base: Path, start: int = 600) -> Path:
    """One for a `tiny_pipeline`, that looks at the foreground."""
    model = open_text_to_image(base, Runtime("cpu"))
    cells = model.native // model.stride
    unet = widened(model.unet, model.vae.config.latent_channels)
    policy = InitializationPolicy(unet, model.levels, model.prediction, start, 0, (cells, cells))
    with torch.no_grad():
        unet.conv_in.weight[:, 4:] = unet.conv_in.weight[:, :4].flip(0)
    policy.save_pretrained(folder)
    return folder


def tiny_pixels(folder: Path) -> Path:
    """Pixel diffusion for pictures of 32 pixels, whose last layers are not zero as at the start of training."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(2)
        network = UNet(ARCHITECTURES["tiny_32"])
        for values in network.parameters():
            if not values.any():
                torch.nn.init.normal_(values, std=0.02)
    write(folder, "tiny_32", network.state_dict())
    return folder


def tiny_clip(folder: Path) -> Path:
    """CLIP for pictures of 32 pixels."""
    with torch.random.fork_rng(devices=[]), quietly():
        torch.manual_seed(3)
        tokenizer = write_caption_tokenizer(CAPTIONS, folder)
        sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
        text = small_text_encoder(tokenizer).config.to_dict() | sizes
        vision = {**sizes, "image_size": 32, "patch_size": 8}
        config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=16, initializer_factor=10.0)
        CLIPModel(config).save_pretrained(folder)
    return folder
