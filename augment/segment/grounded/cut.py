"""From boxes to masks: every frame is embedded once, all its boxes are cut out at once."""

from collections.abc import Sequence

import numpy as np

from augment.boxes import near
from augment.models.base import PromptedSegmenter
from augment.segment.grounded.cutouts import Cutout
from augment.segment.grounded.look import in_batches
from augment.segment.grounded.trails import Trail
from robot_io.types import FrameSource


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
                found[number][index] = Cutout.of(near(mask, box)), float(stability)
    return found
