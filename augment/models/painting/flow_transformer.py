"""Latent flows by a transformer: what Stable Diffusion 3 and FLUX have in common."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from augment.diffusion.levels import Levels
from augment.models.painting.latent_model import LatentModel, in_floats

Own = TypeVar("Own", bound="FlowTransformer")


@dataclass(frozen=True, eq=False)
class FlowTransformer(LatentModel):
    """A base that sees a picture as tokens, patches of latent cells."""

    transformer: Any
    levels_of: Callable[[int], Levels]
    """Noise levels of pictures of so many tokens; `levels` are those of pictures as it was trained with."""
    patch: int
    """Latent cells of a token's side."""

    @property
    def network(self) -> Any:
        """The transformer."""
        return self.transformer

    @property
    def multiple(self) -> int:
        """What sides in pixels have to be multiples of: a token's."""
        return self.stride * self.patch

    def sized(self: Own, height: int, width: int) -> Own:
        """The same for pictures of so many pixels: of more tokens, more noise is the same level."""
        return replace(self, levels=self.levels_of((height // self.multiple) * (width // self.multiple)))

    def time(self, x: Tensor, t: int) -> Float[Tensor, " n"]:
        """The time of level t, 0..1000, of each picture, in float32."""
        return torch.full((len(x),), self.levels.at(t)[1] * len(self.levels), device=x.device)

    def in_float32(self) -> "FlowTransformer":
        """A copy that computes in float32, for what overflows in halves."""
        return replace(self, transformer=in_floats(self.transformer), **self._coders_in_float32())
