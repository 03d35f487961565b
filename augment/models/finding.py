"""Where a picture shows what phrases name: a detector's boxes, cut out by a segmenter."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8

from augment.boxes import near
from augment.models.base import Detector, PromptedSegmenter
from augment.models.doors import open_detector, open_segmenter
from augment.models.packs import Component
from augment.models.runtime import Runtime

SURE = 0.3  # score of a box that counts
ALL = 0.9  # of the picture: larger boxes are of nothing in particular


@dataclass(frozen=True)
class Finder:
    """The union of all that is found."""

    detector: Detector
    segmenter: PromptedSegmenter

    def __call__(
        self, pictures: Sequence[UInt8[np.ndarray, "h w 3"]], phrases: Sequence[str]
    ) -> list[Bool[np.ndarray, "h w"]]:
        """Of each picture. Raises RequestError for phrases that the detector cannot be asked."""
        return [
            self._cut(picture, found.boxes[found.scores.max(axis=1) > SURE])
            for picture, found in zip(pictures, self.detector(pictures, phrases), strict=True)
        ]

    def _cut(self, picture: UInt8[np.ndarray, "h w 3"], boxes: np.ndarray) -> Bool[np.ndarray, "h w"]:
        height, width = picture.shape[:2]
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        boxes = boxes[areas < ALL * height * width]
        if not len(boxes):
            return np.zeros((height, width), dtype=np.bool_)
        masks = self.segmenter(self.segmenter.embed([picture])[0], boxes).masks
        return np.asarray(np.logical_or.reduce(list(map(near, masks, boxes))))


def open_finder(detector: Component, segmenter: Component, runtime: Runtime) -> Finder:
    """Raises RequestError as `open_detector` does."""
    return Finder(open_detector(detector, runtime), open_segmenter(segmenter, runtime))


@dataclass(frozen=True)
class Sought:
    """What a phrase names, as two networks find it. A `Seeks` (augment.types)."""

    phrase: str
    detector: Component
    segmenter: Component
    runtime: Runtime

    def __call__(self, pictures: Sequence[UInt8[np.ndarray, "h w 3"]]) -> list[Bool[np.ndarray, "h w"]]:
        """Raises RequestError where the networks cannot be opened, or asked for this phrase; without pictures, too."""
        return open_finder(self.detector, self.segmenter, self.runtime)(pictures, [self.phrase])
