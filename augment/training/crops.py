"""Crops of scenes that stay the same, so that what networks say of them can be kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from xxhash import xxh3_128_hexdigest

from augment.errors import RequestError
from augment.training.base_model import BaseModel
from augment.training.method import Workshop
from augment.training.scenes import CaptionedScene, Scenes, as_masks, as_tensor, crop
from augment.training.shards import Shards

CACHE = "cache"
HELD_OUT = 1 << 40
"""Number of the first held-out batch: what is random in it is not what is random in any other."""


@dataclass(frozen=True, eq=False)
class Crops:
    """So many of each picture, by number."""

    scenes: Scenes
    size: int
    """Pixels of their sides."""
    copies: int
    seed: int

    def __len__(self) -> int:
        return len(self.scenes) * self.copies

    def __getitem__(self, number: int) -> CaptionedScene:
        rng = np.random.Generator(np.random.Philox(key=[self.seed, number], counter=1))
        return crop(self.scenes[number // self.copies], self.size, rng)

    @property
    def identity(self) -> str:
        """Tells these from other crops."""
        return f"{self.scenes.identity} {self.size} {self.copies} {self.seed}"

    def cached(
        self,
        name: str,
        maker: str,
        compute: Callable[[Sequence[CaptionedScene]], Float[Tensor, "n ..."]],
        batch: int,
        workshop: Workshop,
    ) -> Shards:
        """What `compute` makes of them, `batch` at once, kept in the workshop's folder.

        `name`: of what it makes; `maker`: all that decides it, beside the crops.
        """
        key = xxh3_128_hexdigest(f"{self.identity} {maker}".encode())[:12]
        shards = Shards(workshop.folder / CACHE / f"{name}-{key}", len(self))

        def made(numbers: Sequence[int]) -> np.ndarray:
            with torch.no_grad(), workshop.machine.autocast():
                values = compute([self[number] for number in numbers])
            arrays: np.ndarray = values.float().cpu().numpy()
            return arrays

        shards.fill(made, batch, workshop)
        return shards


def cached_latents(model: BaseModel, crops: Crops, batch: int, workshop: Workshop) -> Shards:
    """Of each crop `(c, h, w)`, scaled."""
    networks = model.networks

    def compute(scenes: Sequence[CaptionedScene]) -> Tensor:
        return networks.encode(pictures_of(scenes, networks.device)[0])

    return crops.cached("latents", model.identity, compute, batch, workshop)


def pictures_of(scenes: Sequence[CaptionedScene], device: torch.device) -> tuple[Tensor, Tensor]:
    """Float32 pictures `(n, 3, h, w)`, -1..1, and what is kept of them `(n, 1, h, w)`."""
    pictures = as_tensor([scene.picture for scene in scenes], device)
    masks = as_masks([scene.keep for scene in scenes], device)
    return pictures.contiguous(memory_format=torch.channels_last), masks


def captions_of(scenes: Sequence[CaptionedScene], dropout: float, rng: np.random.Generator) -> list[str]:
    """Captions, of which a share is left out, so that there is something for guidance to lead away from."""
    return ["" if rng.random() < dropout else scene.caption for scene in scenes]


def levels_for(count: int, total: int, rng: np.random.Generator) -> Tensor:
    """A noise level for each picture of a batch, spread evenly, int64."""
    shares = (rng.permutation(count) + rng.random(count)) / count
    return torch.from_numpy(np.minimum(shares * total, total - 1).astype(np.int64))


def noise_like(latents: Tensor, rng: np.random.Generator) -> Tensor:
    """Standard normal, float32."""
    drawn = rng.standard_normal(tuple(latents.shape), dtype=np.float32)
    return torch.from_numpy(drawn).to(latents.device)


def check_size(size: int, unit: int) -> None:
    """Raises RequestError unless pictures of this size suit networks that halve them to the `unit`-th part."""
    if size < unit or size % unit:
        raise RequestError(
            f"method.size={size}; it must be a multiple of {unit}, to which autoencoder and U-Net halve pictures"
        )
