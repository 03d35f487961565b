"""How far the background of a frame has shifted against the plate, to a fraction of a pixel."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32, UInt8
from scipy import ndimage

from augment.images import Warp, halved, luma, rescaled, resize, unwarp, warp
from augment.scene import lens
from augment.scene.level import Level

GREATEST_HEIGHT = 240  # finer pictures add time, not accuracy
COARSEST = 24  # pixels: no pyramid level smaller than this
LEVELS = 3
ROUNDS = 6
ENOUGH = 0.02  # pixels
DAMPING = 1e-3  # squared grey levels
SHIFT = np.zeros((2, 2), dtype=np.float32)  # two directions, and nothing that pulls
PARTS = 3  # along each side, that are looked at by themselves
DETAIL = 1.5  # grey levels per pixel, on average


@dataclass(frozen=True, eq=False)
class Registration:
    """A plate, ready to have frames registered to it."""

    scale: float
    """Pixels of the recording per pixel here."""
    levels: tuple[Level, ...]
    """The plate's, coarsest first."""
    bend: float
    """How much the picture bends when the camera turns, as far as that is known (`lens.pull`)."""

    @classmethod
    def of(cls, plate: UInt8[np.ndarray, "h w 3"], bend: float = lens.USUAL) -> "Registration":
        return cls(max(1.0, plate.shape[0] / GREATEST_HEIGHT), tuple(map(Level.of, _pyramid(plate))), bend)

    def shift(self, frame: UInt8[np.ndarray, "h w 3"], near: Warp) -> Warp:
        """Where to move the plate to lie on the frame (see `images.warp`), as a shift: Lucas-Kanade, coarse to fine.

        Looked for around the shift of `near`.

        Pixels that disagree after the best gain and shift, which are what moves in front of the background, lose
        their weight (Geman-McClure), so that neither a large robot nor a change of exposure pulls the estimate away.
        """
        return rescaled(self._shift(_pyramid(frame), near), self.scale)

    def warp(self, frame: UInt8[np.ndarray, "h w 3"], near: Warp) -> Warp:
        """The same as a homography, no further from that of a camera that turns than there is evidence for."""
        return self.fit(frame, near)[0]

    def fit(self, frame: UInt8[np.ndarray, "h w 3"], near: Warp) -> tuple[Warp, Float32[np.ndarray, "8 8"]]:
        """The same, and how fast a typical pixel's misfit grows around it."""
        pyramid, finest = _pyramid(frame), self.levels[-1]
        by, curvature = _descend(finest, pyramid[-1], self._shift(pyramid, near), lens.pull(self.bend))
        return rescaled(by, self.scale), curvature / finest.count

    def agreed(
        self, warps: Float32[Warp, "t"], curvatures: Float32[np.ndarray, "t 8 8"]
    ) -> tuple[Float32[Warp, "t"], float]:
        """What `fit` found, as of a camera whose lens bends all of them alike (`lens.agreed`), and how much."""
        unit = rescaled(1 / self.levels[-1].unit, self.scale)
        maps, bend = lens.agreed((warps / unit).astype(np.float64), curvatures, self.bend)
        return (maps * unit).astype(np.float32), bend

    def _shift(self, pyramid: Sequence[Float32[np.ndarray, "_ _"]], near: Warp) -> Warp:
        by = np.zeros(8, dtype=np.float32)
        by[:2] = near[:2] / np.float32(self.scale * 2 ** len(self.levels))
        for plate, seen in zip(self.levels, pyramid, strict=True):
            by, _ = _descend(plate, seen, 2 * by, SHIFT)
        return by

    def offsets(self, registered: UInt8[np.ndarray, "h w 3"]) -> list[float]:
        """How far each part of a frame, moved back, still is from where the plate has it, as a fraction of the height.

        Parts without detail, of which nothing can be said, are left out.
        """
        seen = _pyramid(registered)[-1]
        still = np.zeros(8, dtype=np.float32)
        found = [_descend(plate, seen[part], still, SHIFT)[0] for part, plate in self._parts]
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
    plate: Level, seen: Float32[np.ndarray, "h w"], by: Warp, pull: Float32[np.ndarray, "d d"]
) -> tuple[Warp, Float32[np.ndarray, "d d"]]:
    """Gauss-Newton steps in the first directions of a homography; and how fast the misfit grows around where they end.

    `pull`: towards which homographies, and how strongly: squared grey levels.
    """
    directions = len(pull)
    unit, pull = plate.unit[:directions], plate.count * pull
    damping = np.diag(np.full(directions, np.float32(DAMPING) * plate.count))
    for _ in range(ROUNDS):
        curvature, slope = plate.misfit(warp(seen, unwarp(by)), directions)
        slope += (pull * (by[:directions] * unit)).sum(axis=1)
        step = np.linalg.solve(curvature + pull + damping, -slope).astype(np.float32)
        by = by + np.pad(np.clip(step, -2, 2) / unit, (0, 8 - directions))
        if np.abs(step).max() < ENOUGH:
            break
    return by, curvature
