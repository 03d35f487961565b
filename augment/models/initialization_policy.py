"""The initialization policy: from foreground and words to the low frequencies that sampling starts from.

In place of chance it decides how a picture is composed (methods.md 1); what it says depends on nothing else.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from augment.diffusion.noise import Noise
from augment.diffusion.predictions import read
from augment.models.schedulers import levels_of, prediction_of
from augment.models.stable_diffusion import SCHEDULER, UNET, load, write_scheduler
from augment.models.weights import check_file, read_json

POLICY, NOISE = "policy.json", "noise.safetensors"
STREAM = "policy"


class InitializationPolicy(nn.Module):  # type: ignore[misc]  # torch is Any
    """A text-to-image U-Net that is shown one fixed noise, and beside it the foreground's latents."""

    def __init__(self, unet: Any, scheduler: Mapping[str, Any], start: int, seed: int, size: tuple[int, int]) -> None:
        """`unet`: with as many more input channels as latents have; `scheduler`: the base model's configuration;
        `start`: the level at which sampling starts; `seed`: of the noise; `size`: of the latents, height and width."""
        super().__init__()
        self.unet, self.scheduler, self.start, self.seed = unet, dict(scheduler), start, seed
        self.levels, self.prediction = levels_of(scheduler), prediction_of(scheduler)
        self.noise: Tensor
        self.register_buffer("noise", self._draw(torch.zeros(1, unet.config.out_channels, *size)))

    def forward(
        self, foreground: Float[Tensor, "n c h w"], words: Float[Tensor, "n length width"]
    ) -> Float[Tensor, "n c h w"]:
        """(1.1) The picture's low frequencies as latents, float32; in the network's precision its error would be
        multiplied by the noise-to-signal ratio of the last level."""
        last = len(self.levels) - 1
        noise = self._noise_like(foreground)
        output = self.unet(torch.cat([noise, foreground], dim=1), last, words).sample
        return read(self.levels, self.prediction, noise.float(), last, output)[0]

    def save_pretrained(self, folder: Path) -> None:
        """A folder that `open_policy` reads."""
        self.unet.save_pretrained(folder / UNET)
        write_scheduler(folder / SCHEDULER, self.scheduler)
        save_file({"noise": self.noise.float().contiguous()}, folder / NOISE)
        (folder / POLICY).write_text(json.dumps({"start": self.start, "seed": self.seed}) + "\n")

    def _noise_like(self, latents: Tensor) -> Tensor:
        """The stored noise; for latents of another size other noise of the same seed, since stretching spoils it."""
        fits = latents.shape[1:] == self.noise.shape[1:]
        noise = self.noise if fits else self._draw(latents[:1])
        return noise.to(latents.dtype).expand_as(latents)

    def _draw(self, like: Tensor) -> Tensor:
        return Noise(self.seed, (0,))(STREAM, len(self.levels) - 1, like)


def open_policy(folder: Path) -> InitializationPolicy:
    """In float32 on the CPU, ready to use. Raises RequestError where a file is missing or damaged."""
    numbers, scheduler = read_json(folder / POLICY), read_json(folder / SCHEDULER / "scheduler_config.json")
    check_file(folder / NOISE)
    noise = load_file(folder / NOISE)["noise"]
    unet = load(UNet2DConditionModel, folder / UNET)
    policy = InitializationPolicy(unet, scheduler, numbers["start"], numbers["seed"], tuple(noise.shape[2:]))
    policy.noise.copy_(noise)
    policy.eval()
    return policy


def widened(unet: Any, channels: int) -> Any:
    """The same U-Net with so many more input channels, of which it knows nothing yet: their weights are 0."""
    old = unet.conv_in
    new = nn.Conv2d(
        old.in_channels + channels, old.out_channels, old.kernel_size, old.stride, old.padding, device="meta"
    ).to_empty(device=old.weight.device)
    with torch.no_grad():
        new.weight.zero_()
        new.weight[:, : old.in_channels] = old.weight
        new.bias.copy_(old.bias)
    unet.conv_in = new
    unet.register_to_config(in_channels=new.in_channels)
    return unet


def scratch(unet: Any, seed: int) -> Any:
    """A U-Net of the same size with weights at random."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return type(unet).from_config(unet.config)
