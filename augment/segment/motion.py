"""What differs from the clean plate moves, or holds what moves; shadows and reflections on the plate do not count."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image

from augment.images import is_blank, warp
from augment.segment.appearance import Surface, smoothed, texture
from augment.segment.base import Segmenter
from augment.segment.painted import painted_roles
from augment.segment.pieces import without_holes, without_specks
from augment.segment.resting import find_resting
from augment.segment.spread import ease, spread
from augment.types import Background, MaskTrack, Role
from robot_io.types import Episode, FrameSource

WORKING_HEIGHT = 240  # pixels: masks are found at about this size
SAME_TEXTURE = 10.0  # grey levels
REACH = 450.0  # squared pixels over which evidence spreads
SAME, SHADED, LEAST = 0.5, 0.3, 0.05  # confidence: looks like the plate, like its shadow; differs by very little
BRIGHTEST, BRIGHTEST_AT_FIRST = 1.25, 3.3  # ratio to a plate, and to one that may lie in shadow itself
MARGIN = 24  # pixels around all that has changed: what is farther away, evidence does not reach


@dataclass(frozen=True)
class Motion(Segmenter):
    """`segment=motion`: needs no weights and no masks, only a camera that stands still."""

    rounds: ClassVar[int] = 2

    low: float = 10.0
    """Least difference, 0..255 in the most different channel, of a pixel that belongs to something moving."""
    high: float = 34.0
    """Difference beyond doubt."""
    misregistration: float = 1.0
    """Pixels: how far an edge of the plate may be off without being taken for something moving."""
    darkest_shadow: float = 0.3
    """Least share of its light that a shadowed surface keeps."""
    smallest: float = 0.0005
    """Fraction of the picture; smaller blobs are noise."""
    resting: bool = True
    """Whether what looks like the things that move is kept too, though it never does: an arm at rest, a base.
    Not where a person painted parts of the robot (`keep_always`)."""

    def find(self, episode: Episode, camera: str, background: Background) -> Sequence[MaskTrack]:
        return [MotionMask(episode.cameras[camera], background, self)]

    def complete(
        self, episode: Episode, camera: str, background: Background, tracks: Sequence[MaskTrack]
    ) -> Sequence[MaskTrack]:
        """What looks like the robot and rests, unless a person painted what does."""
        if not self.resting or Role.ROBOT in painted_roles(self.keep_always, camera):
            return []
        found = find_resting(episode.cameras[camera], background, tracks)
        return [found] if found else []

    def provides(self, episode: Episode, camera: str) -> frozenset[Role]:
        return frozenset({Role.ROBOT, Role.OBJECT})


@dataclass(frozen=True)
class MotionMask:
    """A MaskTrack, computed when it is read, of the robot together with whatever it moves."""

    frames: FrameSource
    background: Background
    options: Motion
    role: Role = Role.ROBOT
    label: str = "robot and what it moves"

    def __len__(self) -> int:
        return len(self.frames)

    def read(self, start: int, stop: int) -> Bool[np.ndarray, "t h w"]:
        clip = self.frames.read(start, min(stop, len(self)))
        masks = [self._mask(frame, index) for index, frame in enumerate(clip.frames, clip.start)]
        return np.stack(masks) if masks else np.zeros((0, self.frames.height, self.frames.width), np.bool_)

    def _mask(self, frame: UInt8[np.ndarray, "h w 3"], index: int) -> Bool[np.ndarray, "h w"]:
        if is_blank(frame):
            return np.zeros(frame.shape[:2], dtype=np.bool_)
        plate, by = self._still, self.background.warps[index]
        if by.any():
            plate = Surface.of(warp(self.background.plate, by), self._reduction)
        belief = self._belief(smoothed(frame, self._reduction), plate.exposed(self.background.gains[index]))
        large = Image.fromarray(belief).resize((self.frames.width, self.frames.height), Image.Resampling.BILINEAR)
        return np.asarray(large) > 0

    @property
    def _reduction(self) -> int:
        return max(1, round(self.frames.height / WORKING_HEIGHT))

    @cached_property
    def _still(self) -> Surface:
        return Surface.of(self.background.plate, self._reduction)

    def _belief(self, seen: Float32[np.ndarray, "3 h w"], lit: Surface) -> Float32[np.ndarray, "h w"]:
        """From -1, background, to 1, something before it, in pieces that are large enough and without doubtful holes.

        Every pixel's own evidence spreads to its neighbours up to edges that belong to the frame: those of the
        recorded picture that are not the plate's. What has an outline of its own becomes one piece; a soft shadow,
        which has none, goes with the surface that it falls on. All that happens around what has changed.
        """
        options, difference = self.options, seen - lit.smooth
        excess = np.abs(difference).max(axis=0) - (options.low + options.misregistration * lit.slope)
        excess /= options.high - options.low
        belief = np.full(excess.shape, -1, dtype=np.float32)
        if (excess > 0).any():
            near = _around(excess > 0)
            planes = (slice(None), *near)
            differs, confidence = self._evidence(seen[planes], lit[near], excess[near])
            right, down = (ease([seen[planes], difference[planes]], axis) for axis in (2, 1))
            found = spread(np.where(differs, np.float32(1), np.float32(-1)), confidence, right, down, REACH)
            belief[near] = without_holes(without_specks(found, self.options.smallest * belief.size))
        return belief

    def _evidence(
        self, seen: Float32[np.ndarray, "3 h w"], lit: Surface, excess: Float32[np.ndarray, "h w"]
    ) -> tuple[Bool[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
        """Pixel by pixel: is it something else than the plate, and how sure is that, 0..1?

        The same surface in shadow, or in a little more light, has the same chromaticity and the same texture. A
        shadow's colour may drift the more, the deeper it is, as the light that is left is another.
        """
        ratio = (seen + 2) / (lit.smooth + 2)
        light = ratio.mean(axis=0)
        drift = np.abs(ratio - light).max(axis=0) / (0.03 + 0.1 * np.maximum(1 - light, 0))
        detail = np.abs(texture(seen) - light * lit.texture).max(axis=0)
        strange = np.maximum(drift, detail / SAME_TEXTURE)
        brightest = BRIGHTEST if self.background.shadows_known else BRIGHTEST_AT_FIRST
        strange[(light < self.options.darkest_shadow) | (light > brightest)] = 2
        only_lit, changed = strange < 1, excess > 0
        sure = np.clip(excess, LEAST, 1) * np.minimum(strange - 1, 1)
        alike = SAME * np.clip(-2 * excess, 0.1, 1)
        confidence = np.where(changed, np.where(only_lit, SHADED * (1 - strange), sure), alike)
        return changed & ~only_lit, confidence


def _around(changed: Bool[np.ndarray, "h w"]) -> tuple[slice, slice]:
    """The rectangle in which evidence may spread to what has not changed by itself."""
    rows, columns = (np.flatnonzero(changed.any(axis=axis)) for axis in (1, 0))
    top, left = max(0, rows[0] - MARGIN), max(0, columns[0] - MARGIN)
    return slice(top, rows[-1] + 1 + MARGIN), slice(left, columns[-1] + 1 + MARGIN)
