"""What networks do for the steps, whichever implementation runs them.

Pictures come as uint8 RGB `(h, w, 3)`, boxes as left, top, right, bottom in pixels of the picture, and so they return;
tensors stay inside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, UInt8


@dataclass(frozen=True, eq=False)
class Detections:
    """What a detector proposes for one picture: every box that it has, whatever its scores."""

    boxes: Float32[np.ndarray, "n 4"]
    """Left, top, right, bottom; pixels, within the picture."""
    scores: Float32[np.ndarray, "n phrases"]
    """How well each of the phrases fits, 0..1."""


@runtime_checkable
class Detector(Protocol):
    """Finds what phrases name."""

    def __call__(self, pictures: Sequence[UInt8[np.ndarray, "h w 3"]], phrases: Sequence[str]) -> list[Detections]:
        """Detections of each picture. Raises RequestError for phrases that the network cannot be asked."""
        ...


@dataclass(frozen=True, eq=False)
class BoxMasks:
    """One mask for each box that was asked for."""

    masks: Bool[np.ndarray, "n h w"]
    stability: Float32[np.ndarray, " n"]
    """IoU of the masks at logits above 1 and above -1, 0..1: how little a mask depends on where it is cut."""


@runtime_checkable
class PromptedSegmenter(Protocol):
    """Cuts out what a box or points show."""

    def embed(self, pictures: Sequence[UInt8[np.ndarray, "h w 3"]]) -> list[Any]:
        """What the network knows of each picture; the costly part, to be asked for once a picture."""
        ...

    def __call__(
        self,
        embedded: Any,
        boxes: Float32[np.ndarray, "n 4"],
        points: Float32[np.ndarray, "n p 2"] | None = None,
        positive: Bool[np.ndarray, "n p"] | None = None,
    ) -> BoxMasks:
        """Masks of one embedded picture, all boxes at once.

        `points`: x, y in pixels, for each box as many; `positive`: whether they are on the thing or beside it.
        """
        ...
