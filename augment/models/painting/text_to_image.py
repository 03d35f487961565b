"""Latent diffusion from words: Stable Diffusion 1.x, 2.x and XL, and small ones of the same classes."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from augment.diffusion.guidance import classifier_free
from augment.diffusion.levels import Levels
from augment.diffusion.maps import precise
from augment.diffusion.predictions import Denoiser, Prediction, read
from augment.models.painting.turns import Turns

Latents = Float[Tensor, "n c h w"]
Condition = Callable[[Tensor, int, "Words"], dict[str, Any]]
"""More arguments of the U-Net, of x, its level and the words: what a ControlNet says."""


@dataclass(frozen=True, eq=False)
class Words:
    """What a network reads of prompts."""

    hidden: Float[Tensor, "n tokens d"]
    pooled: Float[Tensor, "n e"] | None = None
    """What Stable Diffusion XL wants besides."""

    def repeated(self, count: int) -> "Words":
        """Of one prompt, for so many pictures."""
        pooled = None if self.pooled is None else self.pooled.expand(count, -1)
        return Words(self.hidden.expand(count, -1, -1), pooled)

    def and_then(self, other: "Words") -> "Words":
        """Those of this, then those of the other."""
        pooled = None if self.pooled is None else torch.cat([self.pooled, other.pooled])
        return Words(torch.cat([self.hidden, other.hidden]), pooled)


@dataclass(frozen=True, eq=False)
class Reader:
    """A tokenizer and its text encoder."""

    tokenizer: Any
    encoder: Any
    layer: int | None = None
    """Hidden layer to take, counted from the end; None for the last one, normalised."""

    def __call__(self, prompts: Sequence[str]) -> tuple[Tensor, Tensor | None]:
        """Hidden states, and where the encoder has a projection the pooled state."""
        said = self.encoder(self.tokens(prompts), output_hidden_states=self.layer is not None)
        hidden = said.last_hidden_state if self.layer is None else said.hidden_states[self.layer]
        return hidden, getattr(said, "text_embeds", None)

    def tokens(self, prompts: Sequence[str]) -> Int[Tensor, "n tokens"]:
        """Prompts as numbers, all of the encoder's length: padded, or cut."""
        length = self.tokenizer.model_max_length
        asked = self.tokenizer(list(prompts), padding="max_length", max_length=length, truncation=True)
        return torch.tensor(asked["input_ids"], device=next(self.encoder.parameters()).device)

    def cut(self, prompt: str) -> str:
        """What of a prompt is beyond the longest that is read; empty where all is."""
        numbers = self.tokenizer(prompt, add_special_tokens=False)["input_ids"]
        return str(self.tokenizer.decode(numbers[self.tokenizer.model_max_length - 2 :]))


@dataclass(frozen=True, eq=False)
class TextToImage:
    """An open pipeline: the networks, and what their configuration says of noise."""

    unet: Any
    vae: Any
    readers: tuple[Reader, ...]
    levels: Levels
    prediction: Prediction
    turns: Turns | None = None
    """Where not all networks are on the device at once."""

    @property
    def stride(self) -> int:
        """Pixels of a latent cell's side."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def native(self) -> int:
        """Pixels of the side of pictures that the network was trained with."""
        return int(self.unet.config.sample_size) * self.stride

    @property
    def multiple(self) -> int:
        """What sides in pixels have to be multiples of."""
        return int(self.stride * 2 ** (len(self.unet.config.block_out_channels) - 1))

    @property
    def device(self) -> torch.device:
        """Where networks work."""
        return self.turns.device if self.turns else next(self.unet.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.unet.parameters()).dtype

    def using(self, *networks: Any) -> AbstractContextManager[None]:
        """While it lasts these networks, of this model or for it, are on the device."""
        return self.turns.using(*networks) if self.turns else nullcontext()

    def words(self, prompts: Sequence[str]) -> Words:
        """Prompts, read; cut where they are too long."""
        with self.using(*(reader.encoder for reader in self.readers)):
            read_by = [reader(prompts) for reader in self.readers]
        return Words(torch.cat([hidden for hidden, _ in read_by], dim=-1), read_by[-1][1])

    def encode(self, pixels: Float[Tensor, "n 3 H W"]) -> Latents:
        """Latents of pictures, -1..1, by the mean of their law; always in float32."""
        config = self.vae.config
        with self.using(self.vae):
            mean = self.vae.encode(pixels.to(self.device, self.vae.dtype)).latent_dist.mean.float()
        return (mean - (config.get("shift_factor") or 0.0)) * config.scaling_factor

    def decode(self, latents: Latents) -> Float[Tensor, "n 3 H W"]:
        """Pictures of latents, about -1..1, in float32."""
        config = self.vae.config
        raw = latents / config.scaling_factor + (config.get("shift_factor") or 0.0)
        with self.using(self.vae):
            return self.vae.decode(raw.to(self.vae.dtype)).sample.float()

    def denoiser(
        self, words: Words, negative: Words, guidance: float, condition: Condition | None, beside: Latents | None
    ) -> Denoiser:
        """What says the noise under these words, away from the negative ones.

        `beside`: channels that go in beside the latents, of an inpainting U-Net.
        """
        guided = guidance != 1
        both = negative.and_then(words) if guided else words

        def denoise(x: Tensor, t: int) -> Tensor:
            twice = torch.cat([x, x]) if guided else x
            inputs = (
                twice if beside is None else torch.cat([twice, beside.repeat(len(twice) // len(beside), 1, 1, 1)], 1)
            )
            arguments = condition(twice, t, both) if condition else {}
            output = self.run(self.unet, inputs, t, both, **arguments)
            e = read(self.levels, self.prediction, twice, t, output)[1]
            return classifier_free(e[len(x) :], e[: len(x)], guidance) if guided else e

        return denoise

    def run(self, network: Any, x: Tensor, t: int, words: Words, **arguments: Any) -> Tensor:
        """The output of a U-Net of this base's words, in float32."""
        with self.using(network):
            said = network(
                x.to(self.dtype),
                torch.full((len(x),), t, device=x.device),
                words.hidden.to(self.dtype),
                added_cond_kwargs=self.added(words, x),
                **arguments,
            )
        return precise(said.sample)

    def added(self, words: Words, x: Tensor) -> dict[str, Tensor] | None:
        """What XL is told besides: the pooled words, and that pictures are whole and of this size."""
        if words.pooled is None or self.unet.config.addition_embed_type != "text_time":
            return None
        height, width = (side * self.stride for side in x.shape[-2:])
        sizes = torch.tensor([[height, width, 0, 0, height, width]], device=x.device, dtype=self.dtype)
        return {"text_embeds": words.pooled.to(self.dtype), "time_ids": sizes.expand(len(x), -1)}

    def in_float32(self) -> "TextToImage":
        """A copy that computes in float32, for what overflows in halves."""
        readers = tuple(replace(reader, encoder=in_floats(reader.encoder)) for reader in self.readers)
        return replace(self, unet=in_floats(self.unet), vae=in_floats(self.vae), readers=readers)


def in_floats(network: Any) -> Any:
    """A copy in float32."""
    return deepcopy(network).float()
