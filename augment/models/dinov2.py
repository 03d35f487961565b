"""What a picture shows, by the patch features of DINOv2 (Oquab et al. 2023)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8
from PIL import Image
from transformers import Dinov2Model

from augment.errors import RequestError
from augment.models.hub import load
from augment.models.runtime import Runtime
from augment.models.tensors import normalised

CROP = 16  # patches along the longer side of a crop
SCENE = 74  # of a picture: twice what the networks were trained with, for objects that are small in it


def open_hub(folder: Path, runtime: Runtime) -> "Dinov2Matcher":
    """A matcher from a Hub folder of DINOv2. Raises RequestError as `hub.load`."""
    return Dinov2Matcher(load(Dinov2Model, "dinov2", folder).to(*runtime.place()))


@dataclass(frozen=True, eq=False)
class Dinov2Matcher:
    """A Matcher. Pictures go through the network one by one, as their shapes differ."""

    network: Any
    """A Dinov2Model, for evaluation."""

    def describe(
        self,
        pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        masks: Sequence[Bool[np.ndarray, "_ _"]] | None = None,
    ) -> Float32[np.ndarray, "n c"]:
        """As Matcher promises: the mean of the patches, each as far as it is within the mask."""
        wholes = [np.ones(picture.shape[:2], dtype=np.bool_) for picture in pictures]
        means = [self._mean(*both) for both in zip(pictures, wholes if masks is None else masks, strict=True)]
        return _unit(np.array(means, dtype=np.float32).reshape(len(means), self.network.config.hidden_size))

    def dense(self, picture: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "rows columns c"]:
        """As Matcher promises."""
        return _unit(self._patches(picture, SCENE))

    def _mean(self, picture: UInt8[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "H W"]) -> Float32[np.ndarray, " c"]:
        if mask.shape != picture.shape[:2] or not mask.any():
            raise RequestError(
                f"a mask {mask.shape} with {mask.sum()} pixels for a crop {picture.shape[:2]}; "
                "give masks of the crops' sizes that hold at least a pixel"
            )
        patches = self._patches(picture, CROP)
        rows, columns = patches.shape[:2]
        inside = np.asarray(Image.fromarray(mask.astype(np.float32)).resize((columns, rows), Image.Resampling.BOX))
        return np.asarray((patches * inside[..., None]).sum(axis=(0, 1)) / inside.sum())

    def _patches(self, picture: UInt8[np.ndarray, "h w 3"], longer: int) -> Float32[np.ndarray, "rows columns c"]:
        """Features of a grid with so many patches along the picture's longer side."""
        height, width = picture.shape[:2]
        rows, columns = (max(1, round(longer * side / max(height, width))) for side in (height, width))
        patch = self.network.config.patch_size
        with torch.inference_mode():
            pixels = normalised(picture, rows * patch, columns * patch, next(self.network.parameters()))
            tokens = self.network(pixel_values=pixels).last_hidden_state[0, 1:]
        return np.asarray(tokens.float().cpu().numpy().reshape(rows, columns, -1))


def _unit(vectors: Float32[np.ndarray, "*n c"]) -> Float32[np.ndarray, "*n c"]:
    return np.asarray(vectors / np.maximum(np.sqrt((vectors * vectors).sum(axis=-1, keepdims=True)), np.float32(1e-12)))
