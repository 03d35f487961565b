"""Opening unconditional pixel diffusion: OpenAI's checkpoints, and folders that Restage wrote."""

import json
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor

from augment.diffusion.levels import Levels, from_betas, linear
from augment.diffusion.maps import precise
from augment.diffusion.predictions import Reverse
from augment.errors import RequestError
from augment.models.checkpoints import load_into, read_state
from augment.models.guided_diffusion.architectures import ARCHITECTURES
from augment.models.guided_diffusion.unet import UNet
from augment.models.kinds import CONFIG, KINDS, WEIGHTS
from augment.models.runtime import Runtime
from augment.models.weights import check_folder, read_json

KIND = "guided_diffusion"


@dataclass(frozen=True, eq=False)
class PixelDiffusion:
    """An open network, and the levels that it learned."""

    network: Any
    """A UNet, for evaluation."""
    levels: Levels

    def __call__(self, x: Float[Tensor, "b 3 h w"], t: int) -> Reverse:
        """What `Ancestral` wants to know of pictures at level t: their noise, and its variance."""
        times = torch.full((len(x),), t, device=x.device)
        noise, fraction = precise(self.network(x.to(self.dtype), times)).chunk(2, dim=1)
        return Reverse(noise, fraction)

    @property
    def native(self) -> int:
        """Pixels of the side of pictures that it was trained with."""
        return int(self.network.architecture.size)

    @property
    def multiple(self) -> int:
        """What sides in pixels have to be multiples of."""
        return int(self.network.architecture.multiple)

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.network.parameters()).dtype

    def in_float32(self) -> "PixelDiffusion":
        """A copy that computes in float32, for what overflows in halves."""
        return replace(self, network=deepcopy(self.network).float())


def open_original(checkpoint: Path, architecture: str, runtime: Runtime) -> PixelDiffusion:
    """A checkpoint as OpenAI published them. Raises RequestError where it is damaged or of another architecture."""
    return _opened(architecture, read_state(checkpoint), checkpoint, runtime)


def open_hub(folder: Path, runtime: Runtime) -> PixelDiffusion:
    """A folder as `write` leaves it. Raises RequestError where files are missing, damaged or do not fit."""
    return _opened(architecture_of(folder), read_state(folder / WEIGHTS), folder / WEIGHTS, runtime)


def architecture_of(folder: Path) -> str:
    """What a folder's configuration says. Raises RequestError where it says nothing that is known."""
    check_folder(folder, KINDS[KIND])
    name = str(read_json(folder / CONFIG).get("architecture"))
    if name not in ARCHITECTURES:
        raise RequestError(f"{folder / CONFIG}: unknown architecture={name}; known: {', '.join(ARCHITECTURES)}")
    return name


def published_levels() -> Levels:
    """Those of OpenAI's checkpoints for pictures of 128 pixels and more, and of all that are trained here."""
    return from_betas(linear())


def write(folder: Path, architecture: str, state: dict[str, Tensor]) -> None:
    """A folder that `open_hub` reads, made new, or with its files replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_type": KINDS[KIND].model_type, "architecture": architecture}
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
    save_file({name: value.contiguous() for name, value in state.items()}, folder / WEIGHTS, metadata={"format": "pt"})


def fitted(architecture: str, state: dict[str, Tensor], where: Path) -> Any:
    """The UNet with these weights, in float32 on the CPU. Raises RequestError where they do not fit."""
    with torch.device("meta"):
        network = UNet(ARCHITECTURES[architecture])
    network = network.to_empty(device="cpu")
    load_into(network, state, str(where))
    return network.eval().requires_grad_(False)


def _opened(architecture: str, state: dict[str, Tensor], where: Path, runtime: Runtime) -> PixelDiffusion:
    device, dtype = runtime.place()
    return PixelDiffusion(fitted(architecture, state, where).to(device, dtype), published_levels())
