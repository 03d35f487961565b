"""Denoisers small enough for float64: a real U-Net, a smooth network, and a Gaussian world whose answers are known."""

import warnings
from functools import cache

import torch
from torch import Tensor, nn

from augment.diffusion.levels import Levels, from_betas, scaled_linear
from augment.diffusion.predictions import Denoiser

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from diffusers import UNet2DConditionModel

SD = from_betas(scaled_linear())


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@cache
def unet() -> Denoiser:
    """The real class at tiny size, random weights: of (b, 4, h, w)."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = UNet2DConditionModel(
            sample_size=16,
            block_out_channels=(32, 64),
            layers_per_block=1,
            norm_num_groups=8,
            cross_attention_dim=32,
            attention_head_dim=8,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        )
    network = network.double().eval().requires_grad_(False)
    words = normal(1, 5, 32, seed=9)
    return lambda x, t: network(x, t, words.expand(len(x), -1, -1)).sample


@cache
def smooth(channels: int = 3) -> Denoiser:
    """Two convolutions that know the level: not linear, of any size."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        layers = nn.Sequential(
            nn.Conv2d(channels + 1, 16, 3, padding=1), nn.SiLU(), nn.Conv2d(16, channels, 3, padding=1)
        )
    layers = layers.double().requires_grad_(False)

    def denoise(x: Tensor, t: int) -> Tensor:
        level = torch.full_like(x[:, :1], t / 1000)
        return 0.5 * x * (t / 1000) + layers(torch.cat([x, level], 1))

    return denoise


def gaussian(levels: Levels, mean: float, spread: float) -> Denoiser:
    """The exact denoiser where all pixels are independent, N(mean, spread^2)."""

    def denoise(x: Tensor, t: int) -> Tensor:
        a, b = levels.at(t)
        return b * (x - a * mean) / (a**2 * spread**2 + b**2)

    return denoise


def gaussian_flow(levels: Levels, mean: float, spread: float, x: Tensor, t: int, s: int) -> Tensor:
    """Where the probability-flow equation of that world leads from x at level t."""
    (a, b), (a_new, b_new) = levels.at(t), levels.at(s)
    share = ((a_new**2 * spread**2 + b_new**2) / (a**2 * spread**2 + b**2)) ** 0.5
    return a_new * mean + share * (x - a * mean)
