"""The initialization policy: from foreground and words to the low frequencies that sampling starts from.

In place of chance it decides how a picture is composed (methods.md 1); what it says depends on nothing else.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from augment.diffusion.levels import Levels
from augment.diffusion.noise import Noise
from augment.diffusion.predictions import Prediction, read
from augment.errors import RequestError
from augment.models.checkpoints import check_fit, read_state
from augment.models.kinds import CONFIG, DIFFUSION, KINDS
from augment.models.painting.latent_model import Words, in_floats
from augment.models.painting.text_to_image import TextToImage
from augment.models.weights import check_file, check_folder, read_json

NOISE = "noise.safetensors"
STREAM = "policy"
OWN = ("start", "seed", "prediction")
"""What its configuration says beside that of the U-Net."""


class InitializationPolicy(nn.Module):  # type: ignore[misc]  # torch is Any
    """A text-to-image U-Net that is shown one fixed noise, and beside it the foreground's latents."""

    def __init__(
        self, unet: Any, levels: Levels, prediction: Prediction, start: int, seed: int, noise: Tensor | tuple[int, int]
    ) -> None:
        """`unet`: with as many more input channels as latents have; `levels`, `prediction`: of the base model; `start`:
        the level at which sampling starts; `seed`: of the noise; `noise`: that, or height and width of the latents."""
        super().__init__()
        self.unet, self.levels, self.prediction, self.start, self.seed = unet, levels, prediction, start, seed
        if isinstance(noise, tuple):
            noise = self._draw(torch.zeros(1, unet.config.out_channels, *noise))
        self.noise: Tensor
        self.register_buffer("noise", noise)

    def forward(
        self,
        foreground: Float[Tensor, "n c h w"],
        hidden: Float[Tensor, "n tokens d"],
        added: dict[str, Tensor] | None = None,
    ) -> Float[Tensor, "n c h w"]:
        """(1.1) The picture's low frequencies as latents. In float32: in less, the error would be multiplied by the
        noise-to-signal ratio of the last level. `hidden`, `added`: as the base model's U-Net has them."""
        noise, last = self._noise_like(foreground), len(self.levels) - 1
        times = torch.full((len(noise),), last, device=noise.device)
        shown = torch.cat([noise, foreground], dim=1).to(hidden.dtype)
        output = self.unet(shown, times, hidden, added_cond_kwargs=added).sample
        return read(self.levels, self.prediction, noise, last, output)[0]

    def save_pretrained(self, folder: Path) -> None:
        """A folder that `open_policy` reads."""
        self.unet.save_pretrained(folder)
        own = {"_class_name": type(self).__name__, **{name: getattr(self, name) for name in OWN}}
        config = {**read_json(folder / CONFIG), **own}
        (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
        save_file({"noise": self.noise.contiguous()}, folder / NOISE)

    def _noise_like(self, latents: Tensor) -> Tensor:
        """The stored noise; for latents of another size other noise of the same seed, since stretching spoils it."""
        fits = latents.shape[1:] == self.noise.shape[1:]
        noise: Tensor = (self.noise if fits else self._draw(latents[:1])).float()
        return noise.expand_as(latents)

    def _draw(self, like: Tensor) -> Tensor:
        return Noise(self.seed, (0,))(STREAM, len(self.levels) - 1, like)


@dataclass(frozen=True, eq=False)
class Composer:
    """An open policy, as painters ask it."""

    network: InitializationPolicy

    @property
    def start(self) -> int:
        """The noise level that it was trained for."""
        return self.network.start

    def in_float32(self) -> "Composer":
        """A copy that computes in float32."""
        return Composer(in_floats(self.network))

    def __call__(
        self,
        base: TextToImage,
        words: Words,
        kept: Float[Tensor, "n 3 H W"],
        keep: Float[Tensor, "n 1 H W"],
    ) -> Float[Tensor, "n c h w"]:
        """The composition for what is `kept`, on grey, as scaled latents of the base."""
        foreground = base.encode(kept)
        with base.using(self.network.unet):
            composed: Tensor = self.network(foreground, words.hidden.to(base.dtype), base.added(words, foreground))
        return composed


def open_policy(folder: Path, base: TextToImage) -> Composer:
    """A policy for a base, on its device. Raises RequestError where it is damaged, or made for another base."""
    check_folder(folder, KINDS["initialization_policy"])
    check_file(folder / NOISE)
    config = read_json(folder / CONFIG)
    own, rest = ({name: config[name] for name in config if (name in OWN) == wanted} for wanted in (True, False))
    channels = 2 * base.vae.config.latent_channels
    if (own["prediction"], config["in_channels"]) != (base.prediction, channels):
        raise RequestError(
            f"{folder}: this policy predicts {own['prediction']} of {config['in_channels']} channels, for the base it "
            f"takes {base.prediction} of {channels}; take one that was made for this base"
        )
    if own["start"] not in range(len(base.levels)):
        raise RequestError(
            f"{folder / CONFIG} has start={own['start']!r}, the noise level that the policy was trained for; its base "
            f"has levels 0 to {len(base.levels) - 1}: get the policy anew"
        )
    with torch.random.fork_rng(devices=[]):
        unet = UNet2DConditionModel.from_config({**rest, "_class_name": "UNet2DConditionModel"})
    state, needed = read_state(folder / DIFFUSION), unet.state_dict()
    shapes = {
        name: (list(state[name].shape), list(needed[name].shape))
        for name in state.keys() & needed.keys()
        if state[name].shape != needed[name].shape
    }
    missing, unexpected = sorted(needed.keys() - state.keys()), sorted(state.keys() - needed.keys())
    check_fit(str(folder / DIFFUSION), "InitializationPolicy", missing, unexpected, shapes)
    unet.load_state_dict(state)
    unet.to(base.device, base.dtype).eval().requires_grad_(False)
    noise = load_file(folder / NOISE)["noise"].to(base.device)
    return Composer(InitializationPolicy(unet, base.levels, base.prediction, own["start"], own["seed"], noise).eval())


def widened(unet: Any, channels: int) -> Any:
    """The same U-Net with so many more input channels, of which it knows nothing yet: their weights are 0."""
    old = unet.conv_in
    meta = nn.Conv2d(
        old.in_channels + channels, old.out_channels, old.kernel_size, old.stride, old.padding, device="meta"
    )
    new = meta.to_empty(device=old.weight.device)
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
