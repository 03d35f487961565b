"""One thing followed through the frames in which it was seen: the trail of boxes that makes most sense as a whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float32

from augment.boxes import box_iou
from augment.segment.grounded.candidates import Candidate

REACH = 12  # frames that were looked at, over which a trail may pass without a box and still know where it was
SKIPPED = 0.05  # what each of them costs
JUMP = 0.5  # what it costs to go on with a box that does not overlap the last one at all
RETURN = 1.0  # what it costs to come back after more than REACH, anywhere
OFTEN = 0.2  # share of the frames that were looked at, in which a second thing of the same name must be seen
SHORT_GAP = 5  # frames over which a box is carried on
RESTING = 0.5  # IoU of the boxes before and after a longer gap, in which the thing is taken to have stayed

Node = tuple[int, int]
"""A frame, and the number of one of its candidates."""


@dataclass(frozen=True, eq=False)
class Trail:
    """Boxes of one thing, by frame."""

    boxes: Mapping[int, Float32[np.ndarray, "4"]]
    scores: Mapping[int, float]
    """Of the frames in which it was detected; in the others its box is carried on from those around."""

    @property
    def detected(self) -> "Trail":
        """The same in those frames alone."""
        return Trail({frame: self.boxes[frame] for frame in self.scores}, self.scores)


def find_trails(seen: Mapping[int, Sequence[Candidate]], most: int, length: int, every: int = 1) -> list[Trail]:
    """Up to `most` things among the candidates of one phrase, by frame that was looked at; the best first.

    `length`: frames of the recording, of which one in `every` was looked at, or more.

    Each is the trail with the greatest sum of scores, less what jumps and gaps cost (dynamic programming, so that all
    frames decide together, and what leaves the picture may return). Further ones are sought among what is left.
    """
    left = {(frame, number): found for frame in sorted(seen) for number, found in enumerate(seen[frame])}
    places = {frame: place for place, frame in enumerate(sorted(seen))}
    trails: list[Trail] = []
    while left and len(trails) < most:
        nodes = _best(left, places)
        if trails and len(nodes) < OFTEN * len(seen):
            break
        found = {frame: left.pop((frame, number)) for frame, number in nodes}
        trails.append(
            Trail(
                _carried_on(found, length, max(SHORT_GAP, every)),
                {frame: candidate.score for frame, candidate in found.items()},
            )
        )
    return trails


def _best(candidates: Mapping[Node, Candidate], places: Mapping[int, int]) -> list[Node]:
    """The nodes of the best trail, in order."""
    values: dict[Node, float] = {}
    before: dict[Node, Node | None] = {}
    long_ago: Node | None = None
    recent: list[Node] = []
    for node, candidate in candidates.items():
        while recent and places[node[0]] - places[recent[0][0]] > REACH:
            gone = recent.pop(0)
            long_ago = gone if long_ago is None or values[gone] > values[long_ago] else long_ago
        options: list[tuple[float, Node | None]] = [(0.0, None)]
        options += [
            (values[other] - _cost(candidates[other], candidate, places[node[0]] - places[other[0]]), other)
            for other in recent
            if other[0] < node[0]
        ]
        if long_ago is not None:
            options.append((values[long_ago] - RETURN, long_ago))
        value, before[node] = max(options, key=lambda option: option[0])
        values[node] = value + candidate.score
        recent.append(node)
    trail: list[Node] = []
    last: Node | None = max(values, key=lambda node: values[node])
    while last is not None:
        trail.append(last)
        last = before[last]
    return trail[::-1]


def _cost(here: Candidate, there: Candidate, steps: int) -> float:
    return float(SKIPPED * (steps - 1) + JUMP * (1 - box_iou(here.box[None], there.box[None])[0, 0]))


def _carried_on(found: Mapping[int, Candidate], length: int, gap: int) -> dict[int, Float32[np.ndarray, "4"]]:
    """Boxes of the frames in between, along a line, and of a few before and after."""
    boxes = {frame: candidate.box for frame, candidate in found.items()}
    for (first, one), (last, other) in pairwise(list(boxes.items())):
        if last - first <= gap + 1 or box_iou(one[None], other[None])[0, 0] >= RESTING:
            for frame in range(first + 1, last):
                boxes[frame] = (one + (other - one) * np.float32((frame - first) / (last - first))).astype(np.float32)
    first, last = min(boxes), max(boxes)
    for frame in range(max(0, first - gap), first):
        boxes[frame] = boxes[first]
    for frame in range(last + 1, min(length, last + 1 + gap)):
        boxes[frame] = boxes[last]
    return dict(sorted(boxes.items()))
