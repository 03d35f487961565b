"""ControlNets that are shown a foreground (FCO-ControlNet, methods.md 1.7)."""

from typing import Any

import torch
from diffusers import ControlNetModel
from jaxtyping import Float, Int
from torch import Tensor

from augment.diffusion.predictions import Denoiser, denoiser
from augment.models.stable_diffusion import StableDiffusion, side_of

HINT_CHANNELS = (16, 32, 96, 256)
"""Of the layers that bring what is shown to the size of latents: each after the first halves it. As published for 8."""


def foreground_controlnet(model: StableDiffusion, seed: int) -> Any:
    """A new ControlNet for a model, with its weights where they fit; it changes nothing yet."""
    halvings = side_of(model.autoencoder).bit_length() - 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ControlNetModel.from_unet(
            model.unet, conditioning_embedding_out_channels=HINT_CHANNELS[: halvings + 1], conditioning_channels=4
        )


def controlled(
    model: StableDiffusion, controlnet: Any, words: Float[Tensor, "n length width"], hint: Float[Tensor, "n 4 _ _"]
) -> Denoiser:
    """What the model says of the noise, shown a `hint` as of `foreground.conditioning`; without guidance."""
    return denoiser(model.levels, model.prediction, lambda x, t: output(model, controlnet, x, t, words, hint))


def output(
    model: StableDiffusion,
    controlnet: Any,
    x: Float[Tensor, "n c h w"],
    t: int | Int[Tensor, " n"],
    words: Float[Tensor, "n length width"],
    hint: Float[Tensor, "n 4 _ _"],
) -> Float[Tensor, "n c h w"]:
    """What the U-Net predicts of pictures at level t."""
    down, middle = controlnet(x, t, words, controlnet_cond=hint, return_dict=False)
    made = model.unet(x, t, words, down_block_additional_residuals=down, mid_block_additional_residual=middle).sample
    predicted: Tensor = made
    return predicted
