"""Noise that a plan fixes: from a counter rather than a state, so that no draw depends on another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from xxhash import xxh3_64_intdigest

from augment.diffusion.maps import precise
from augment.errors import RequestError

KEYS = 2**128
WORD = 2**64


@dataclass(frozen=True)
class Noise:
    """Standard normal tensors for a batch: functions of key, stream, step and the picture's number, and nothing else.

    So they are the same on every device and in every precision, whoever else is in the batch, whatever was drawn
    before. Another size is other noise, not a crop of the same. Raises RequestError for a key out of range.
    """

    key: int
    """Of the plan, 0 to 2^128 - 1: the key of numpy's Philox."""
    numbers: tuple[int, ...]
    """One for each picture of the batch. Pictures with the same number share their noise: the frames of a clip."""

    def __post_init__(self) -> None:
        if not 0 <= self.key < KEYS:
            raise RequestError(f"noise key {self.key}; it must be at least 0 and below 2^128")

    def __call__(self, stream: str, step: int, like: Float[Tensor, "b *shape"]) -> Float[Tensor, "b *shape"]:
        """Noise of the shape, device and (at least float32) precision of `like`.

        `stream`: what it is for, such as "start"; `step`: any whole number, such as a level.
        """
        if len(self.numbers) != len(like):
            raise RequestError(f"noise for {len(self.numbers)} pictures was asked for {len(like)}; say all numbers")
        shape = tuple(like.shape[1:])
        drawn = {number: self._draw(stream, step, number, shape) for number in self.numbers}
        stacked = torch.from_numpy(np.stack([drawn[number] for number in self.numbers]))
        return stacked.to(like.device, precise(like[:0]).dtype)

    def _draw(self, stream: str, step: int, number: int, shape: Sequence[int]) -> np.ndarray:
        counter = np.array([0, number % WORD, step % WORD, xxh3_64_intdigest(stream.encode())], dtype=np.uint64)
        rng = np.random.Generator(np.random.Philox(key=self.key, counter=counter))
        return rng.standard_normal(shape, dtype=np.float32)
