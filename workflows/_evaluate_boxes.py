"""`restage evaluate of=boxes`: words -> boxes -> masks, frame by frame, against the truth of a rendered world."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from augment.boxes import box_iou, boxes_around
from augment.errors import RequestError
from augment.evaluation.average_precision import average_precision, mean_average_precision
from augment.evaluation.masks import iou, recall
from augment.models.base import Detections
from augment.segment import Grounded, Segmenter
from augment.segment.grounded.networks import Networks
from augment.segment.grounded.prompts import Prompt
from robot_io.types import Episode, Role
from workflows._figures import heading, row
from workflows._rendered import CAMERA, World

SMALLEST = 12  # pixels that a thing shows, to count as there


@dataclass
class Figures:
    """What is collected for one role, a picture at a time."""

    found: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    truth: list[np.ndarray] = field(default_factory=list)
    rows: list[Mapping[str, float]] = field(default_factory=list)

    def means(self) -> dict[str, float]:
        names = list(self.rows[0]) if self.rows else []
        return {
            "AP50": average_precision(self.found, self.truth),
            "AP": mean_average_precision(self.found, self.truth),
            **{name: float(np.mean([each[name] for each in self.rows])) for name in names},
        }


def table(world: World, segment: Segmenter) -> Iterator[str]:
    """Lines: for each case and role AP, and masks from the best box and from the true one. Raises RequestError."""
    if not isinstance(segment, Grounded):
        raise RequestError("of=boxes asks a detector and a segmenter: segment=grounded models=NAME")
    for case in world.cases:
        figures: dict[str, Figures] = {}
        for episode, _ in world.episodes(case):
            _collect(episode, segment, figures)
        columns = {role: each.means() for role, each in figures.items()}
        if case == next(iter(world.cases)):
            yield heading(next(iter(columns.values())))
        for role, cells in columns.items():
            yield row(f"{case}, {role}", cells)


def _collect(episode: Episode, segment: Grounded, figures: dict[str, Figures]) -> None:
    frames = episode.cameras[CAMERA].read(0, episode.length).frames
    masks = {track.role: track.read(0, episode.length) for track in episode.masks[CAMERA]}
    prompts = [prompt for prompt in segment.prompts(episode) if prompt.role in masks]
    detections = segment.networks.detector(list(frames), [prompt.phrase for prompt in prompts])
    for index, (frame, found) in enumerate(zip(frames, detections, strict=True)):
        true = {prompt.role: masks[prompt.role][index] for prompt in prompts}
        _judge(frame, found, prompts, true, segment.networks, figures)


def _judge(
    frame: np.ndarray,
    found: Detections,
    prompts: Sequence[Prompt],
    true: Mapping[Role, np.ndarray],
    networks: Networks,
    figures: dict[str, Figures],
) -> None:
    embedded = networks.segmenter.embed([frame])[0]
    for column, prompt in enumerate(prompts):
        mask, of_role = true[prompt.role], figures.setdefault(prompt.role, Figures())
        seen = mask.sum() >= SMALLEST
        box = boxes_around(mask[None])
        of_role.found.append((found.boxes, found.scores[:, column]))
        of_role.truth.append(box if seen else box[:0])
        if seen:
            best = found.boxes[found.scores[:, column].argmax()][None]
            cut, perfect = networks.segmenter(embedded, np.concatenate([best, box])).masks
            of_role.rows.append(
                {
                    "box IoU": float(box_iou(best, box)[0, 0]),
                    "mask IoU": iou(cut[None], mask[None]),
                    "recall": recall(cut[None], mask[None]),
                    "mask IoU, true box": iou(perfect[None], mask[None]),
                    "recall, true box": recall(perfect[None], mask[None]),
                }
            )
