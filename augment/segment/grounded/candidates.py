"""Boxes that are worth a second look: sure enough, no doubles, none that is the whole picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from augment.boxes import box_iou
from augment.models.base import Detections
from augment.segment.grounded.prompts import Prompt
from augment.types import Role

SAME = 0.7  # IoU of two boxes of one phrase that are one thing (methods: class-wise NMS)
LARGEST = 0.9  # share of the picture; a detector that finds no robot calls the whole picture one


@dataclass(frozen=True, eq=False)
class Candidate:
    """A box that may be what a phrase names."""

    box: Float32[np.ndarray, "4"]
    score: float


def choose_candidates(
    detections: Detections,
    prompts: Sequence[Prompt],
    thresholds: Mapping[Role, float],
    size: tuple[int, int],
    most: int = 5,
) -> list[list[Candidate]]:
    """For each prompt its best boxes in one picture of `size` (height, width), best first, at most `most`.

    A box counts for the phrase that fits it best, and for others of the same role.
    """
    boxes, scores = detections.boxes, detections.scores
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) / (size[0] * size[1])
    usable = (area > 0) & (area <= LARGEST)
    role = np.array([prompts[column].role for column in scores.argmax(axis=1)]) if len(scores) else np.array([])
    found = []
    for column, prompt in enumerate(prompts):
        sure = usable & (scores[:, column] >= thresholds[prompt.role]) & (role == prompt.role)
        order = np.flatnonzero(sure)[np.argsort(-scores[sure, column], kind="stable")]
        kept = _without_doubles(boxes, order)[:most]
        found.append([Candidate(boxes[index], float(scores[index, column])) for index in kept])
    return found


def _without_doubles(boxes: Float32[np.ndarray, "n 4"], order: np.ndarray) -> list[int]:
    kept: list[int] = []
    for index in order:
        if not kept or box_iou(boxes[index][None], boxes[kept]).max() < SAME:
            kept.append(int(index))
    return kept
