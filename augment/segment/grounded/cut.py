"""From boxes to masks: every frame is embedded once, all its boxes are cut out at once."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32

from augment.models.base import PromptedSegmenter
from augment.segment.grounded.cutouts import Cutout
from augment.segment.grounded.look import in_batches
from augment.segment.grounded.trails import Trail
from robot_io.types import FrameSource

BEYOND = 0.1  # of its size, by which a thing may reach beyond its box


def cut_out(
    frames: FrameSource, trails: Sequence[Trail], segment: PromptedSegmenter, batch: int
) -> list[dict[int, tuple[Cutout, float]]]:
    """For each trail and frame its mask, and how stable that is. Raises EpisodeError where frames cannot be decoded."""
    found: list[dict[int, tuple[Cutout, float]]] = [{} for _ in trails]
    for window, pictures in in_batches(frames, sorted({index for trail in trails for index in trail.boxes}), batch):
        for index, embedded in zip(window, segment.embed(pictures), strict=True):
            shown = [number for number, trail in enumerate(trails) if index in trail.boxes]
            boxes = np.stack([trails[number].boxes[index] for number in shown])
            cut = segment(embedded, boxes)
            for number, box, mask, stability in zip(shown, boxes, cut.masks, cut.stability, strict=True):
                found[number][index] = Cutout.of(_near(mask, box)), float(stability)
    return found


def _near(mask: Bool[np.ndarray, "h w"], box: Float32[np.ndarray, "4"]) -> Bool[np.ndarray, "h w"]:
    """What lies in the box or a little beyond; masks that leak do so far away."""
    beyond = BEYOND * np.tile(box[2:] - box[:2], 2) + 2
    left, top, right, bottom = np.rint(box + beyond * [-1, -1, 1, 1]).astype(int)
    kept = np.zeros_like(mask)
    here = (slice(max(0, top), max(0, bottom)), slice(max(0, left), max(0, right)))
    kept[here] = mask[here]
    return kept
