"""Training HQ-SAM: one mask for each box, though boxes are never exact (Ke et al. 2023)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor, nn
from torch.nn import functional
from transformers import SamHQModel

from augment.boxes import boxes_around
from augment.models.hq_sam.hub import mask_logits
from augment.models.small import small_segmenter
from augment.training.examples import Example, normalised
from augment.training.method import Data, Loss, Method, Task, Workshop, save_half

SIZE = 192  # pixels of a picture
BOXES = 3  # for each picture; things are repeated where there are fewer
SLACK = 0.08  # share of its size by which a side of a box may be off


@dataclass(frozen=True)
class Segmenter(Method):
    """A small HQ-SAM."""

    def build(self, data: Data, workshop: Workshop) -> Task:
        """Writes a folder of transformers."""
        examples = data.examples()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = SamHQModel(small_segmenter(SIZE))

        def batch(number: int) -> tuple[list[Example], np.random.Generator]:
            rng = self.rng(number)
            return examples.batch(self.batch, SIZE, rng), rng

        return Task(network, segmenter_loss(batch), save_half)


def segmenter_loss(examples: Callable[[int], tuple[Sequence[Example], np.random.Generator]]) -> Loss:
    """The loss of a batch: cross-entropy and Dice of the masks of inference, the sum of SAM's and HQ's logits."""

    def loss(network: nn.Module, step: int) -> dict[str, Tensor]:
        batch, rng = examples(step)
        chosen = [_choose(example, rng) for example in batch]
        device = next(network.parameters()).device
        boxes = torch.from_numpy(np.stack([boxes for boxes, _ in chosen])).to(device)
        seen = network.vision_encoder(normalised([example.picture for example in batch], device))
        pictures = zip(seen.last_hidden_state.split(1), seen.intermediate_embeddings[0].split(1), boxes, strict=True)
        logits = torch.stack([mask_logits(network, late, early, asked)[:, 0] for late, early, asked in pictures])
        masks = torch.from_numpy(np.stack([masks for _, masks in chosen])).to(device)
        wanted = functional.interpolate(masks, size=logits.shape[-2:], mode="area")
        return {"entropy": 5 * _entropy(logits, wanted), "dice": _dice(logits.sigmoid(), wanted)}

    return loss


def _choose(example: Example, rng: np.random.Generator) -> tuple[Float32[np.ndarray, "b 4"], np.ndarray]:
    """Boxes that are a little off, and the masks that belong to them."""
    numbers = rng.permutation(len(example.things))
    things = [example.things[numbers[place % len(numbers)]] for place in range(BOXES)]
    masks = np.stack([thing.mask for thing in things])
    boxes = boxes_around(masks)
    size = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    off = rng.normal(0, SLACK / 2, boxes.shape).clip(-SLACK, SLACK) * size + rng.uniform(-1.5, 1.5, boxes.shape)
    height, width = example.picture.shape[:2]
    moved = np.clip(boxes + off, 0, [width, height, width, height]).astype(np.float32)
    return moved, masks.astype(np.float32)


def _entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy around the masks, where it matters, as much as within: each picture's mean over both."""
    entropy = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    near = functional.max_pool2d(wanted, 9, stride=1, padding=4)
    inside = (entropy * near).sum((-1, -2)) / near.sum((-1, -2)).clamp(min=1)
    return (inside + entropy.mean((-1, -2))).mean()


def _dice(shares: Tensor, wanted: Tensor) -> Tensor:
    both = (shares * wanted).sum((-1, -2))
    return (1 - (2 * both + 1) / (shares.sum((-1, -2)) + wanted.sum((-1, -2)) + 1)).mean()
