"""Networks' places taken by something that knows colours: names tell them, and boxes hold one of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from augment.models.base import BoxMasks, Detections, Tracked
from robot_io.memory import ArrayFrames
from robot_io.types import Episode

COLOURS = {"robot arm": (230, 230, 40), "red cube": (220, 30, 30), "blue plate": (30, 30, 220)}
TABLE = (120, 110, 100)
SIZE = 64


def painted(*things: tuple[str, int, int, int, int], size: int = SIZE) -> np.ndarray:
    """A frame: a table with rectangles (name, left, top, right, bottom) on it, later ones before earlier ones."""
    rows, columns = np.mgrid[:size, :size]
    frame = np.uint8(TABLE) + (20 * ((rows // 6 + columns // 9) % 2))[..., None].astype(np.uint8)
    for name, left, top, right, bottom in things:
        frame[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = COLOURS[name]
    return frame


def recording(frames: Sequence[np.ndarray], language: str = "pick up the red cube", **signals: np.ndarray) -> Episode:
    source = ArrayFrames("front", np.stack(frames), 10.0)
    return Episode("e" * 16, "demo_0", len(source), {"front": source}, signals, (language,) if language else ())


def is_colour(picture: np.ndarray, name: str) -> np.ndarray:
    near: np.ndarray = np.abs(picture.astype(int) - COLOURS[name]).max(axis=-1) < 40
    return near


@dataclass
class ColourDetector:
    """A Detector: a box around each run of columns that show a phrase's colour; and always the whole picture."""

    looked_at: list[np.ndarray] = field(default_factory=list)

    def __call__(self, pictures: Sequence[np.ndarray], phrases: Sequence[str]) -> list[Detections]:
        self.looked_at += pictures
        return [self._detect(picture, phrases) for picture in pictures]

    @staticmethod
    def _detect(picture: np.ndarray, phrases: Sequence[str]) -> Detections:
        height, width = picture.shape[:2]
        boxes, scores = [(0.0, 0.0, float(width), float(height))], [[0.9 if p == "robot arm" else 0.0 for p in phrases]]
        for number, phrase in enumerate(phrases):
            shown = is_colour(picture, phrase) if phrase in COLOURS else np.zeros((height, width), bool)
            columns = np.flatnonzero(np.diff(np.pad(shown.any(axis=0), 1).astype(int)))
            for left, right in columns.reshape(-1, 2):
                rows = np.flatnonzero(shown[:, left:right].any(axis=1))
                boxes.append((left, rows[0], right, rows[-1] + 1))
                scores.append([0.6 if place == number else 0.0 for place in range(len(phrases))])
        return Detections(np.array(boxes, np.float32), np.array(scores, np.float32).reshape(-1, len(phrases)))


class ColourSegmenter:
    """A PromptedSegmenter: the commonest colour in a box that is not the table's."""

    def embed(self, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
        return list(pictures)

    def __call__(self, embedded: np.ndarray, boxes: np.ndarray, points: None = None, positive: None = None) -> BoxMasks:
        masks = [self._mask(embedded, box) for box in boxes]
        return BoxMasks(np.stack(masks), np.full(len(masks), 0.9, np.float32))

    @staticmethod
    def _mask(picture: np.ndarray, box: np.ndarray) -> np.ndarray:
        left, top, right, bottom = np.rint(box).astype(int)
        inside = picture[max(0, top) : bottom, max(0, left) : right]
        name = max(COLOURS, key=lambda name: is_colour(inside, name).sum() if inside.size else 0)
        return is_colour(picture, name)


class ColourTracker:
    """A VideoTracker: what has the colour of the mask that it was given."""

    def propagate(
        self,
        read: Callable[[int, int], np.ndarray],
        length: int,
        prompts: Mapping[int, Mapping[int, np.ndarray]],
        reverse: bool = False,
    ) -> Iterator[Tracked]:
        order = range(max(prompts), -1, -1) if reverse else range(min(prompts), length)
        names: dict[int, str] = {}
        for frame in order:
            picture = read(frame, frame + 1)[0]
            for number, mask in prompts.get(frame, {}).items():
                names[number] = max(COLOURS, key=lambda name, mask=mask: (is_colour(picture, name) & mask).sum())
            masks = {number: is_colour(picture, name) for number, name in names.items()}
            yield Tracked(frame, masks, {number: 0.9 if mask.any() else 0.1 for number, mask in masks.items()})


class ColourMatcher:
    """A Matcher: a feature for each colour, of 4 x 4 pixels."""

    def describe(self, pictures: Sequence[np.ndarray], masks: None = None) -> np.ndarray:
        return np.stack(
            [self._unit(np.array([is_colour(picture, name).mean() for name in COLOURS])) for picture in pictures]
        )

    def dense(self, picture: np.ndarray) -> np.ndarray:
        shares = [is_colour(picture, name).reshape(SIZE // 4, 4, SIZE // 4, 4).mean(axis=(1, 3)) for name in COLOURS]
        return np.stack([*shares], axis=-1).astype(np.float32)

    @staticmethod
    def _unit(values: np.ndarray) -> np.ndarray:
        return (values / max(1e-6, float(np.linalg.norm(values)))).astype(np.float32)
