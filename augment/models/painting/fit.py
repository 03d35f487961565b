"""Pictures of any size to what a network was trained for, and back: scaled evenly, padded by mirroring."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from PIL import Image
from torch import Tensor


@dataclass(frozen=True)
class Fit:
    """From `height` x `width` pixels to `rows` x `columns`, and with what is mirrored to `padded` ones."""

    height: int
    width: int
    rows: int
    columns: int
    padded: tuple[int, int]

    @classmethod
    def of(cls, height: int, width: int, native: int, multiple: int) -> "Fit":
        """The shorter side becomes `native` pixels, both are padded to multiples."""
        scale = native / min(height, width)
        rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
        return cls(height, width, rows, columns, (_up(rows, multiple), _up(columns, multiple)))

    def into(self, pictures: Sequence[UInt8[np.ndarray, "h w 3"]]) -> Float32[Tensor, "n 3 H W"]:
        """Pictures at the working size, -1..1."""
        scaled = [np.asarray(_resized(Image.fromarray(picture), self.columns, self.rows)) for picture in pictures]
        pixels = np.stack([self._pad(picture) for picture in scaled])
        return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1

    def masks(self, keep: Sequence[Float32[np.ndarray, "h w"]]) -> Float32[Tensor, "n 1 H W"]:
        """Masks at the working size, by area."""
        scaled = [
            np.asarray(Image.fromarray(mask).resize((self.columns, self.rows), Image.Resampling.BOX)) for mask in keep
        ]
        return torch.from_numpy(np.stack([self._pad(mask) for mask in scaled]))[:, None]

    def out(self, pixels: Float32[Tensor, "n 3 H W"]) -> list[UInt8[np.ndarray, "h w 3"]]:
        """Pictures at their own size, from the working size."""
        whole = ((pixels[..., : self.rows, : self.columns].clamp(-1, 1) + 1) * 127.5).round()
        pictures = whole.permute(0, 2, 3, 1).to("cpu", torch.uint8).numpy()
        return [np.asarray(_resized(Image.fromarray(picture), self.width, self.height)) for picture in pictures]

    def _pad(self, values: np.ndarray) -> np.ndarray:
        below, right = self.padded[0] - self.rows, self.padded[1] - self.columns
        edges = [(0, below), (0, right), (0, 0)][: values.ndim]
        if below < self.rows and right < self.columns:
            return np.asarray(np.pad(values, edges, mode="reflect"))
        return np.asarray(np.pad(values, edges, mode="edge"))


def _resized(picture: Image.Image, width: int, height: int) -> Image.Image:
    return picture if picture.size == (width, height) else picture.resize((width, height), Image.Resampling.LANCZOS)


def _up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
