"""Grounding DINO as a detector: pictures and phrases in, boxes and scores out, whichever implementation runs it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from PIL import Image

from augment.models.base import Detections
from augment.models.grounding_dino.phrases import Prompt, Vocabulary, phrase_scores, prompts
from augment.models.runtime import Runtime
from augment.models.tensors import DEVIATION, MEAN

SLIMMEST = 12  # sides are to each other at most as shortest / 12 to longest: the queries need places to look at

Network = Callable[[torch.Tensor, torch.Tensor, Prompt], tuple[torch.Tensor, torch.Tensor]]
"""Normalised pixels (n 3 h w), where they are picture rather than padding (n h w, bool), and what is asked, to logits
(n q 256) of all tokens and boxes (n q 4): centre x, y, width, height as shares of the picture."""

Batch = tuple[torch.Tensor, torch.Tensor]
"""Pixels and mask, as a network takes them."""


@dataclass(frozen=True)
class Preprocessing:
    """How pictures are made ready, the original's by default."""

    shortest: int = 800
    """Pixels, of a picture's shorter side, unless the longer one would be too long."""
    longest: int = 1333
    """Pixels, of a picture's longer side, at most."""
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = DEVIATION

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that a picture is brought to, in its proportions unless it is a mere stripe."""
        long, short = max(height, width), min(height, width)
        brief = max(1, min(self.shortest, round(self.longest * short / long)))
        sides = max(brief, self.shortest // SLIMMEST), min(brief * long // short, self.longest)
        return sides if height <= width else sides[::-1]

    def __call__(self, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]], device: torch.device) -> Batch:
        """Pictures of any sizes as one batch, padded at the right and the bottom."""
        scaled = [_resized(picture, *self.size(*picture.shape[:2])) for picture in pictures]
        height, width = (max(picture.shape[axis] for picture in scaled) for axis in (0, 1))
        pixels = torch.zeros((len(scaled), height, width, 3), dtype=torch.uint8)
        mask = torch.zeros((len(scaled), height, width), dtype=torch.bool)
        for number, picture in enumerate(scaled):
            pixels[number, : picture.shape[0], : picture.shape[1]] = torch.from_numpy(picture)
            mask[number, : picture.shape[0], : picture.shape[1]] = True
        pixels, mask = pixels.to(device), mask.to(device)
        values = pixels.permute(0, 3, 1, 2).float() / 255
        mean, std = (torch.tensor(channels, device=device).view(1, 3, 1, 1) for channels in (self.mean, self.std))
        return ((values - mean) / std) * mask[:, None], mask


@dataclass(frozen=True, eq=False)
class GroundingDino:
    """A `Detector` (augment.models.base). All queries' boxes are returned; scores are those of `phrase_scores`.

    With a precision below float32, matrix products and convolutions run in it, and the rest in float32: coordinates in
    half precision would be off by several pixels. Phrases that do not fit one call are asked in several; each has boxes
    of its own, with which phrases asked elsewhere have scores of 0.
    """

    network: Network
    vocabulary: Vocabulary
    runtime: Runtime
    preprocessing: Preprocessing = Preprocessing()

    def __call__(self, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]], phrases: Sequence[str]) -> list[Detections]:
        """Detections of each picture, RGB, of any size.

        Raises what `prompts` raises for phrases, and FloatingPointError where the precision does not do.
        """
        asked = prompts(phrases, self.vocabulary)
        found: list[Detections] = []
        batch = self.runtime.batch_size
        for start in range(0, len(pictures), batch):
            found += self._detect(pictures[start : start + batch], asked)
        return found

    def _detect(self, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]], asked: Sequence[Prompt]) -> list[Detections]:
        device, dtype = self.runtime.place()
        values, mask = self.preprocessing(pictures, device)
        with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype is not torch.float32):
            answers = [self.network(values, mask, prompt) for prompt in asked]
        boxes = np.concatenate([_array(boxes) for _, boxes in answers], axis=1)
        scores = _side_by_side(
            [phrase_scores(_array(logits), prompt.spans) for (logits, _), prompt in zip(answers, asked, strict=True)]
        )
        if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
            raise FloatingPointError(f"Grounding DINO's answer is not finite in {dtype}; try models.precision=float32")
        return [
            Detections(_corners(boxes[number], *picture.shape[:2]), scores[number])
            for number, picture in enumerate(pictures)
        ]


def _resized(picture: UInt8[np.ndarray, "_ _ 3"], height: int, width: int) -> UInt8[np.ndarray, "_ _ 3"]:
    if picture.shape[:2] == (height, width):
        return picture
    return np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))


def _array(tensor: torch.Tensor) -> Float32[np.ndarray, "n q values"]:
    return np.asarray(tensor.float().cpu().numpy())


def _side_by_side(scores: Sequence[Float32[np.ndarray, "n _ _"]]) -> Float32[np.ndarray, "n boxes phrases"]:
    """Scores of all calls: boxes of one have 0 with phrases of another."""
    boxes, phrases = (sum(call.shape[axis] for call in scores) for axis in (1, 2))
    joined = np.zeros((scores[0].shape[0], boxes, phrases), dtype=np.float32)
    box = phrase = 0
    for call in scores:
        joined[:, box : box + call.shape[1], phrase : phrase + call.shape[2]] = call
        box, phrase = box + call.shape[1], phrase + call.shape[2]
    return joined


def _corners(boxes: Float32[np.ndarray, "n 4"], height: int, width: int) -> Float32[np.ndarray, "n 4"]:
    """Left, top, right, bottom in pixels, within the picture."""
    scale = np.array([width, height], dtype=np.float32)
    centre, half = boxes[:, :2] * scale, boxes[:, 2:] * scale / 2
    return np.concatenate([np.clip(centre - half, 0, scale), np.clip(centre + half, 0, scale)], axis=1)
