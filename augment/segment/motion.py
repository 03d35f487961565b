"""What differs from the clean plate moves, or holds what moves; shadows and reflections on the plate do not count."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from augment.images import bounds, halved, interpolated, is_blank, warp
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
REACH = 300.0  # squared pixels of half the size, over which evidence spreads
SAME, SHADED, LEAST = 0.5, 0.3, 0.05  # confidence: looks like the plate, like its shadow; differs by very little
BRIGHTEST, BRIGHTEST_AT_FIRST = 1.25, 3.3  # ratio to a plate, and to one that may lie in shadow itself
MARGIN = 24  # pixels around all that has changed: what is farther away, evidence does not reach


@dataclass(frozen=True)
class Motion(Segmenter):
    """`segment=motion`: needs no weights and no masks, only a camera that stands still."""

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

    @property
    def rounds(self) -> int:
        return 2

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
    confidence: float | None = None

    def __len__(self) -> int:
        return len(self.frames)

    def read(self, start: int, stop: int) -> Bool[np.ndarray, "t h w"]:
        clip = self.frames.read(start, min(stop, len(self)))
        masks = [self._mask(frame, index) for index, frame in enumerate(clip.frames, clip.start)]
        return np.stack(masks) if masks else np.zeros((0, self.frames.height, self.frames.width), np.bool_)

    def _mask(self, frame: UInt8[np.ndarray, "h w 3"], index: int) -> Bool[np.ndarray, "h w"]:
        mask: Bool[np.ndarray, "h w"] = np.zeros(frame.shape[:2], dtype=np.bool_)
        if is_blank(frame):
            return mask
        plate, by = self._still, self.background.warps[index]
        if by.any():
            plate = Surface.of(warp(self.background.plate, by), self._reduction)
        seen, lit = smoothed(frame, self._reduction), plate.exposed(self.background.gains[index])
        excess = self._excess(seen, lit)
        if (excess > 0).any():
            near = _around(excess > 0)
            belief = self._belief(seen[:, *near], lit[near], excess[near])
            belief = without_holes(without_specks(belief, self.options.smallest * excess.size / 4))
            _lay(belief, mask, [self._reduction * side.start for side in near], 2 * self._reduction)
        return mask

    @property
    def _reduction(self) -> int:
        return max(1, round(self.frames.height / WORKING_HEIGHT))

    @cached_property
    def _still(self) -> Surface:
        return Surface.of(self.background.plate, self._reduction)

    def _excess(self, seen: Float32[np.ndarray, "3 h w"], lit: Surface) -> Float32[np.ndarray, "h w"]:
        """How clearly every pixel differs from the plate: beyond doubt from 1 on, not enough to count below 0."""
        options = self.options
        excess = np.abs(seen - lit.smooth).max(axis=0) - (options.low + options.misregistration * lit.slope)
        excess /= options.high - options.low
        return np.asarray(excess)

    def _belief(
        self, seen: Float32[np.ndarray, "3 h w"], lit: Surface, excess: Float32[np.ndarray, "h w"]
    ) -> Float32[np.ndarray, "H W"]:
        """From -1, background, to 1, something before it.

        Every pixel's own evidence spreads to its neighbours up to edges that belong to the frame: those of the
        recorded picture that are not the plate's. What has an outline of its own becomes one piece; a soft shadow,
        which has none, goes with the surface that it falls on. At half the size, as what has spread is smooth.
        """
        evidence = self._evidence(seen, lit, excess)
        pictures = halved(seen), halved(seen - lit.smooth)
        right, down = ease(pictures, axis=2), ease(pictures, axis=1)
        return spread(halved(evidence), halved(np.abs(evidence)), right, down, REACH)

    def _evidence(
        self, seen: Float32[np.ndarray, "3 h w"], lit: Surface, excess: Float32[np.ndarray, "h w"]
    ) -> Float32[np.ndarray, "h w"]:
        """Pixel by pixel: how sure is it that it shows something else than the plate, or (below 0) the plate; -1..1.

        The same surface in shadow, or in a little more light, has the same chromaticity and the same texture. A
        shadow's colour may drift the more, the deeper it is, as the light that is left is another.
        """
        changed = np.flatnonzero(excess > 0)
        there, plate, fine, coarse = (
            np.ascontiguousarray(planes).reshape(3, -1).take(changed, axis=1)
            for planes in (seen, lit.smooth, texture(seen), lit.texture)
        )
        ratio = (there + 2) / (plate + 2)
        light = ratio.mean(axis=0)
        drift = np.abs(ratio - light).max(axis=0) / (0.03 + 0.1 * np.maximum(1 - light, 0))
        detail = np.abs(fine - light * coarse).max(axis=0)
        strange = np.maximum(drift, detail / SAME_TEXTURE)
        brightest = BRIGHTEST if self.background.shadows_known else BRIGHTEST_AT_FIRST
        strange[(light < self.options.darkest_shadow) | (light > brightest)] = 2
        sure = np.clip(excess.take(changed), LEAST, 1) * np.minimum(strange - 1, 1)
        evidence = -SAME * np.clip(-2 * excess, 0.1, 1)
        evidence.put(changed, np.where(strange < 1, SHADED * (strange - 1), sure))
        return np.asarray(evidence)


def _around(changed: Bool[np.ndarray, "h w"]) -> tuple[slice, slice]:
    """The rectangle in which evidence may spread to what has not changed by itself; it begins at even places."""
    rows, columns = (slice(side.start // 2 * 2, side.stop) for side in bounds(changed, MARGIN))
    return rows, columns


def _lay(belief: Float32[np.ndarray, "h w"], mask: Bool[np.ndarray, "H W"], corner: list[int], factor: int) -> None:
    """Put belief, enlarged, into an empty mask, from a corner on."""
    large = interpolated(np.rint(127.5 + 127 * belief).astype(np.uint8), factor)
    part = mask[corner[0] : corner[0] + large.shape[0], corner[1] : corner[1] + large.shape[1]]
    np.greater(large[: part.shape[0], : part.shape[1]], 127, out=part)
