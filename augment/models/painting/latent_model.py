"""What latent painting asks of a base: the interface of Stable Diffusion, of its successors and of FLUX."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from augment.diffusion.guidance import classifier_free
from augment.diffusion.levels import Levels
from augment.diffusion.maps import precise
from augment.diffusion.predictions import Denoiser, Prediction, read
from augment.models.painting.readers import Reader
from augment.models.painting.turns import Turns

Latents = Float[Tensor, "n c h w"]
Pixels = Float[Tensor, "n 3 H W"]
Masks = Float[Tensor, "n 1 H W"]
Own = TypeVar("Own", bound="LatentModel")
Condition = Callable[[Tensor, int, "Words"], dict[str, Any]]
"""More arguments of the network, of x, its level and the words: what a ControlNet says."""


@dataclass(frozen=True, eq=False)
class Words:
    """What a network reads of prompts."""

    hidden: Float[Tensor, "n tokens d"]
    pooled: Float[Tensor, "n e"] | None = None
    """All of a prompt at once, for those that want it besides."""

    def repeated(self, count: int) -> "Words":
        """Of one prompt, for so many pictures."""
        pooled = None if self.pooled is None else self.pooled.expand(count, -1)
        return Words(self.hidden.expand(count, -1, -1), pooled)

    def and_then(self, other: "Words") -> "Words":
        """Those of this, then those of the other."""
        pooled = None if self.pooled is None else torch.cat([self.pooled, other.pooled])
        return Words(torch.cat([self.hidden, other.hidden]), pooled)


@dataclass(frozen=True, eq=False, kw_only=True)
class LatentModel(ABC):
    """An open base: the networks, and what their configuration says of noise."""

    vae: Any
    readers: tuple[Reader, ...]
    levels: Levels
    prediction: Prediction
    turns: Turns | None = None
    """Where not all networks are on the device at once."""

    @property
    @abstractmethod
    def network(self) -> Any:
        """What takes part in every step."""

    @property
    @abstractmethod
    def native(self) -> int:
        """Pixels of the side of pictures that the network was trained with."""

    @property
    @abstractmethod
    def multiple(self) -> int:
        """What sides in pixels have to be multiples of."""

    @abstractmethod
    def words(self, prompts: Sequence[str]) -> Words:
        """Prompts, read; cut where they are too long."""

    @abstractmethod
    def arguments(self, x: Tensor, t: int, words: Words) -> dict[str, Any]:
        """What the network, and its ControlNets, are asked of x at level t, and under which names."""

    @abstractmethod
    def in_float32(self) -> "LatentModel":
        """A copy that computes in float32, for what overflows in halves."""

    def sized(self: Own, height: int, width: int) -> Own:
        """The same for pictures of so many pixels, of which noise levels may depend.

        Raises RequestError where it cannot paint such ones.
        """
        return self

    def beside(self, pixels: Pixels, keep: Masks) -> Latents | None:
        """Channels that an inpainting network wants beside its latents; None for others."""
        return None

    @property
    def networks(self) -> tuple[Any, ...]:
        """All of it."""
        return (self.network, self.vae, *(reader.encoder for reader in self.readers))

    @property
    def stride(self) -> int:
        """Pixels of a latent cell's side."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def device(self) -> torch.device:
        """Where networks work."""
        return self.turns.device if self.turns else next(self.network.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.network.parameters()).dtype

    def using(self, *networks: Any) -> AbstractContextManager[None]:
        """While it lasts these networks, of this model or for it, are on the device."""
        return self.turns.using(*networks) if self.turns else nullcontext()

    def cut(self, prompt: str) -> str:
        """What of a prompt is read by none of the text encoders, as it is too long; empty where all is."""
        return min((reader.cut(prompt) for reader in self.readers), key=len)

    def tile(self) -> bool:
        """Code pictures in tiles, for good; whether that changes anything."""
        if self.vae.use_tiling:
            return False
        self.vae.enable_tiling()
        return True

    def encode(self, pixels: Pixels) -> Latents:
        """Latents of pictures, -1..1, by the mean of their law; always in float32."""
        config = self.vae.config
        with self.using(self.vae):
            mean = self.vae.encode(pixels.to(self.device, self.vae.dtype)).latent_dist.mean.float()
        return (mean - (config.get("shift_factor") or 0.0)) * config.scaling_factor

    def decode(self, latents: Latents) -> Pixels:
        """Pictures of latents, about -1..1, in float32."""
        config = self.vae.config
        raw = latents / config.scaling_factor + (config.get("shift_factor") or 0.0)
        with self.using(self.vae):
            return self.vae.decode(raw.to(self.vae.dtype)).sample.float()

    def denoiser(
        self, words: Words, negative: Words, guidance: float, condition: Condition | None, beside: Latents | None
    ) -> Denoiser:
        """What says the noise under these words, away from the negative ones. `beside`: as the method of that name."""
        guided = guidance != 1
        both = negative.and_then(words) if guided else words

        def denoise(x: Tensor, t: int) -> Tensor:
            twice = torch.cat([x, x]) if guided else x
            inputs = (
                twice if beside is None else torch.cat([twice, beside.repeat(len(twice) // len(beside), 1, 1, 1)], 1)
            )
            arguments = condition(twice, t, both) if condition else {}
            e = read(self.levels, self.prediction, twice, t, self.run(inputs, t, both, **arguments))[1]
            return classifier_free(e[len(x) :], e[: len(x)], guidance) if guided else e

        return denoise

    def run(self, x: Tensor, t: int, words: Words, **more: Any) -> Tensor:
        """The network's output, in float32. `more`: arguments beyond its own."""
        with self.using(self.network):
            said = self.network(**self.arguments(x, t, words), **more)
        return precise(said.sample)

    def _coders_in_float32(self) -> dict[str, Any]:
        readers = tuple(replace(reader, encoder=in_floats(reader.encoder)) for reader in self.readers)
        return {"vae": in_floats(self.vae), "readers": readers}


def in_floats(network: Any) -> Any:
    """A copy in float32."""
    return deepcopy(network).float()
