"""How far the background of a frame has shifted against the plate, to a fraction of a pixel."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32, UInt8
from scipy import ndimage

from augment.images import halved, luma, resize, unwarp, warp
from augment.scene.level import Level

GREATEST_HEIGHT = 240  # finer pictures add time, not accuracy
COARSEST = 24  # pixels: no pyramid level smaller than this
LEVELS = 3
ROUNDS = 6
ENOUGH = 0.02  # pixels
PARTS = 3  # along each side, that are looked at by themselves
DETAIL = 1.5  # grey levels per pixel, on average


@dataclass(frozen=True, eq=False)
class Registration:
    """A plate, ready to have frames registered to it."""

    scale: float
    """Pixels of the recording per pixel here."""
    levels: tuple[Level, ...]
    """The plate's, coarsest first."""

    @classmethod
    def of(cls, plate: UInt8[np.ndarray, "h w 3"]) -> "Registration":
        return cls(max(1.0, plate.shape[0] / GREATEST_HEIGHT), tuple(map(Level.of, _pyramid(plate))))

    def shift(self, frame: UInt8[np.ndarray, "h w 3"], near: Float32[np.ndarray, "6"]) -> Float32[np.ndarray, "6"]:
        """Where to move the plate to lie on the frame (see `images.warp`), as a shift: Lucas-Kanade, coarse to fine.

        Looked for around the shift of `near`.

        Pixels that disagree after the best gain and shift, which are what moves in front of the background, lose
        their weight (Geman-McClure), so that neither a large robot nor a change of exposure pulls the estimate away.
        """
        return self._in_pixels(self._shift(_pyramid(frame), near))

    def warp(self, frame: UInt8[np.ndarray, "h w 3"], near: Float32[np.ndarray, "6"]) -> Float32[np.ndarray, "6"]:
        """The same as an affine map, no further from a shift than there is evidence for."""
        pyramid = _pyramid(frame)
        return self._in_pixels(_descend(self.levels[-1], pyramid[-1], self._shift(pyramid, near), directions=6))

    def _shift(
        self, pyramid: Sequence[Float32[np.ndarray, "_ _"]], near: Float32[np.ndarray, "6"]
    ) -> Float32[np.ndarray, "6"]:
        by = np.zeros(6, dtype=np.float32)
        by[:2] = near[:2] / np.float32(self.scale * 2 ** len(self.levels))
        for plate, seen in zip(self.levels, pyramid, strict=True):
            by = _descend(plate, seen, 2 * by, directions=2)
        return by

    def _in_pixels(self, by: Float32[np.ndarray, "6"]) -> Float32[np.ndarray, "6"]:
        return np.concatenate([by[:2] * np.float32(self.scale), by[2:]])

    def offsets(self, registered: UInt8[np.ndarray, "h w 3"]) -> list[float]:
        """How far each part of a frame, moved back, still is from where the plate has it, as a fraction of the height.

        Parts without detail, of which nothing can be said, are left out.
        """
        seen = _pyramid(registered)[-1]
        found = [
            _descend(plate, seen[part], np.zeros(6, dtype=np.float32), directions=2) for part, plate in self._parts
        ]
        return [float(np.hypot(*by[:2])) / seen.shape[0] for by in found]

    @cached_property
    def _parts(self) -> list[tuple[tuple[slice, slice], Level]]:
        """Those of the finest level that have detail."""
        picture, found = self.levels[-1].picture, []
        for rows in np.array_split(np.arange(picture.shape[0]), PARTS):
            for columns in np.array_split(np.arange(picture.shape[1]), PARTS):
                part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
                if np.hypot(*np.gradient(picture[part])).mean() > DETAIL:
                    found.append((part, Level.of(picture[part])))
        return found


def _pyramid(picture: UInt8[np.ndarray, "h w 3"]) -> tuple[Float32[np.ndarray, "_ _"], ...]:
    height, width = picture.shape[:2]
    if height > GREATEST_HEIGHT:
        picture = resize(picture, GREATEST_HEIGHT, round(width * GREATEST_HEIGHT / height), quick=True)
    levels = [ndimage.gaussian_filter(luma(picture), 1.0)]
    while len(levels) < LEVELS and min(levels[0].shape) >= 2 * COARSEST:
        levels.insert(0, halved(levels[0]))
    return tuple(levels)


def _descend(
    plate: Level, seen: Float32[np.ndarray, "h w"], by: Float32[np.ndarray, "6"], directions: int
) -> Float32[np.ndarray, "6"]:
    """Gauss-Newton steps in the first two directions of an affine map, a shift, or in all six."""
    unit = plate.unit[:directions]
    for _ in range(ROUNDS):
        step = plate.step(warp(seen, unwarp(by)), by[:directions] * unit)
        by = by + np.pad(np.clip(step, -2, 2) / unit, (0, 6 - directions))
        if np.abs(step).max() < ENOUGH:
            break
    return by
