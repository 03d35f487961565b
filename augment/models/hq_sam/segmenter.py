"""HQ-SAM as the steps see it, whichever of its implementations runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, UInt8
from PIL import Image
from torch.nn import functional

from augment.models.base import BoxMasks
from augment.models.runtime import Runtime

MEAN = (123.675, 116.28, 103.53)  # of red, green and blue; what every SAM was trained with
DEVIATION = (58.395, 57.12, 57.375)
OFFSET = 1.0  # of the two cuts that a stable mask hardly differs between
Size = tuple[int, int]


@runtime_checkable
class Encode(Protocol):
    """The picture's half of the network."""

    def __call__(
        self, pictures: Float[torch.Tensor, "b 3 s s"]
    ) -> tuple[Float[torch.Tensor, "b c e e"], Float[torch.Tensor, "b e e d"]]:
        """Embeddings, and what the first block with global attention says: details that the last has no more."""
        ...


@runtime_checkable
class Decode(Protocol):
    """The prompts' half of the network."""

    def __call__(
        self,
        embeddings: Float[torch.Tensor, "1 c e e"],
        early: Float[torch.Tensor, "1 e e d"],
        boxes: Float32[torch.Tensor, "n 4"],
        points: Float32[torch.Tensor, "n p 2"] | None,
        labels: Float32[torch.Tensor, "n p"] | None,
        hq_token_only: bool,
    ) -> Float[torch.Tensor, "n 1 l l"]:
        """Logits of one mask a box. Boxes and points in pixels of the resized picture; labels 1 (on it) or 0."""
        ...


@dataclass(frozen=True, eq=False)
class Embedded:
    """What the network knows of one picture, on its device."""

    embeddings: Float[torch.Tensor, "c e e"]
    early: Float[torch.Tensor, "e e d"]
    size: Size
    """Height and width of the picture."""
    resized: Size
    """Height and width of it as the network saw it, above and left of the padding."""


@dataclass(frozen=True, eq=False)
class HqSam:
    """A PromptedSegmenter. One mask for each box, cut where the logits pass 0."""

    encode: Encode
    decode: Decode
    image_size: int
    """Pixels of the longest side, and of the square that the network takes."""
    runtime: Runtime
    hq_token_only: bool = False
    """Mask by the high-quality token's logits alone, which its authors advise for a single clear object; otherwise
    by their sum with those of SAM's own token."""

    def embed(self, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> list[Embedded]:
        """Embeddings of pictures of any sizes, a batch at a time, to be asked for boxes as often as need be."""
        batch = self.runtime.batch_size
        return [
            embedded
            for start in range(0, len(pictures), batch)
            for embedded in self._embed(pictures[start : start + batch])
        ]

    def __call__(
        self,
        embedded: Embedded,
        boxes: Float32[np.ndarray, "n 4"],
        points: Float32[np.ndarray, "n p 2"] | None = None,
        positive: Bool[np.ndarray, "n p"] | None = None,
    ) -> BoxMasks:
        """Masks of one picture, all boxes at once.

        Boxes and points are clipped to the picture; a box that has no area there gets an empty mask of stability 0.
        Points are taken as positive where nothing is said.
        """
        height, width = embedded.size
        corners = np.clip(boxes, 0, np.array([width, height, width, height], dtype=np.float32))
        there = (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])
        masks = np.zeros((len(boxes), height, width), dtype=bool)
        stability = np.zeros(len(boxes), dtype=np.float32)
        if there.any():
            spots = None if points is None else np.clip(points[there], 0, np.array([width, height], dtype=np.float32))
            labels = None if points is None or positive is None else positive[there]
            masks[there], stability[there] = self._masks(embedded, corners[there], spots, labels)
        return BoxMasks(masks, stability)

    def logits(
        self,
        embedded: Embedded,
        boxes: Float32[np.ndarray, "n 4"],
        points: Float32[np.ndarray, "n p 2"] | None = None,
        positive: Bool[np.ndarray, "n p"] | None = None,
    ) -> Float32[torch.Tensor, "n h w"]:
        """What masks are cut from, at the picture's resolution. Boxes within the picture, and at least one."""
        device, _ = self.runtime.place()
        shape = np.array(embedded.resized[::-1]) / np.array(embedded.size[::-1])  # of x and of y
        prompts = _tensor(boxes.reshape(-1, 2, 2) * shape, device).reshape(-1, 4)
        spots = labels = None
        if points is not None:
            spots = _tensor(points * shape, device)
            labels = _tensor(np.ones(points.shape[:2]) if positive is None else positive, device)
        with torch.inference_mode():
            known = embedded.embeddings[None], embedded.early[None]
            small = self.decode(*known, prompts, spots, labels, self.hq_token_only)
            square = functional.interpolate(small.float(), (self.image_size,) * 2, mode="bilinear")
            fitted = square[..., : embedded.resized[0], : embedded.resized[1]]
            return functional.interpolate(fitted, embedded.size, mode="bilinear")[:, 0]

    def _embed(self, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> list[Embedded]:
        device, dtype = self.runtime.place()
        fitted = [self._fit(picture) for picture in pictures]
        with torch.inference_mode():
            inputs = torch.stack([self._normalise(each.to(device)) for each in fitted])
            embeddings, early = self.encode(inputs.to(dtype))
        # a clone each: one picture that is kept does not hold on to its whole batch
        return [
            Embedded(embeddings[i].clone(), early[i].clone(), picture.shape[:2], tuple(fit.shape[1:]))
            for i, (picture, fit) in enumerate(zip(pictures, fitted, strict=True))
        ]

    def _masks(
        self,
        embedded: Embedded,
        boxes: Float32[np.ndarray, "n 4"],
        points: Float32[np.ndarray, "n p 2"] | None,
        positive: Bool[np.ndarray, "n p"] | None,
    ) -> tuple[Bool[np.ndarray, "n h w"], Float32[np.ndarray, " n"]]:
        logits = self.logits(embedded, boxes, points, positive)
        # at the picture's resolution: padding does not count there, and it is the returned mask that is rated
        inner, outer = ((logits > cut).sum((1, 2)).float() for cut in (OFFSET, -OFFSET))
        stability = inner / outer.clamp(min=1)
        return (logits > 0).cpu().numpy(), stability.cpu().numpy()

    def _fit(self, picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[torch.Tensor, "3 a b"]:
        height, width = picture.shape[:2]
        scale = self.image_size / max(height, width)
        size = max(int(width * scale + 0.5), 1), max(int(height * scale + 0.5), 1)
        resized = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR)
        return torch.from_numpy(np.array(resized)).permute(2, 0, 1)

    def _normalise(self, picture: UInt8[torch.Tensor, "3 a b"]) -> Float32[torch.Tensor, "3 s s"]:
        """Padded below and on the right with what is 0 to the network: the mean of all pictures."""
        mean, deviation = (torch.tensor(each, device=picture.device)[:, None, None] for each in (MEAN, DEVIATION))
        height, width = picture.shape[1:]
        padding = (0, self.image_size - width, 0, self.image_size - height)
        return functional.pad((picture - mean) / deviation, padding)


def _tensor(values: np.ndarray, device: Any) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float32, device=device)
