"""Recorded pixels over a new plate: exact where they are kept, a soft band around them, in the recorded light."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from augment.compose.light import Light
from augment.compose.tone import grain, matched
from augment.images import box_blur, grow, interleaved, pixels, planar, warp
from augment.types import Backdrop
from robot_io.types import Clip

Masks = Bool[np.ndarray, "t h w"]

CONTRAST = 400.0  # squared grey levels: foreground and background that differ by less cannot be told apart


@dataclass(frozen=True)
class Composite:
    """Two masks: an exact one, which keeps recorded pixels as they are, and a generous one, beyond which all is new."""

    margin: float = 0.0
    """Fraction of the height by which what is kept is grown beyond the tracks."""
    rim: float = 0.004
    """Fraction of the height, at least one pixel: width of what is kept but matted, since the pixels of an outline hold
    some of the old background. Parts that are too thin to have an inside are kept exactly."""
    band: float = 0.012
    """Fraction of the height, at least one pixel: width of the soft band around what is kept."""
    tone: float = 0.15
    """Greatest factor, less 1, by which a new plate's channels are brought closer to the recording's."""
    grain: float = 1.0
    """Noise of what is new, relative to the recording's: 0 for none."""
    light: Light = field(default_factory=Light)

    def toned(
        self, new: UInt8[np.ndarray, "h w 3"], clean: UInt8[np.ndarray, "h w 3"], hole: Bool[np.ndarray, "h w"]
    ) -> UInt8[np.ndarray, "h w 3"]:
        """A new plate with the recording's level and cast, as far as `tone` allows."""
        return matched(new, clean, hole, self.tone)

    def __call__(self, clip: Clip, keep: Bool[np.ndarray, "t h w"], backdrop: Backdrop) -> tuple[Clip, Masks]:
        """The restaged clip, and which of its pixels are exactly as recorded. `keep`: union of the tracks."""
        keep = grow(keep, pixels(self.margin, keep.shape[1]))
        exact = self._exact(keep)
        frames = [
            self._frame(frame, keep[index], exact[index], backdrop, clip.start, index)
            for index, frame in enumerate(clip.frames)
        ]
        return Clip(clip.camera, clip.start, np.stack(frames), clip.timestamps), exact

    def light_left(self, clip: Clip, keep: Masks, backdrop: Backdrop) -> UInt8[np.ndarray, "t h w 3"]:
        """The recorded shadows, for eyes: what a white background would be recorded as, 255 where nothing shades it."""
        keep = grow(keep, pixels(self.margin, keep.shape[1]))
        frames = []
        for index, frame in enumerate(clip.frames):
            old, guessed = backdrop.behind(backdrop.clean, index), warp(backdrop.hole, backdrop.warps[index])
            factor = self._factor(planar(frame), old, keep[index], guessed)
            frames.append(interleaved(np.float32(255) * factor))
        return np.stack(frames)

    def _exact(self, keep: Masks) -> Masks:
        rim = pixels(self.rim, keep.shape[1])
        inside = ~grow(~keep, rim)
        return np.asarray(inside | (keep & ~grow(inside, rim)))

    def _frame(
        self,
        frame: UInt8[np.ndarray, "h w 3"],
        keep: Bool[np.ndarray, "h w"],
        exact: Bool[np.ndarray, "h w"],
        backdrop: Backdrop,
        start: int,
        index: int,
    ) -> UInt8[np.ndarray, "h w 3"]:
        seen = planar(frame)
        old, new = (backdrop.behind(plate, index) for plate in (backdrop.clean, backdrop.new))
        guessed = warp(backdrop.hole, backdrop.warps[index])
        factor = self._factor(seen, old, keep, guessed)
        new *= factor
        if (noise := self.grain * backdrop.grain).any():
            new += noise * grain(start + index, *frame.shape[:2])
        if keep.any():
            radius = pixels(self.band, frame.shape[0])
            near = _bounds(keep, 2 * radius)
            old[near] *= factor[near]
            _exchange(seen[near], old[near], new[near], keep[near], exact[near], guessed[near], radius)
        return interleaved(new)

    def _factor(
        self,
        seen: Float32[np.ndarray, "h w 3"],
        old: Float32[np.ndarray, "h w 3"],
        keep: Bool[np.ndarray, "h w"],
        guessed: Bool[np.ndarray, "h w"],
    ) -> Float32[np.ndarray, "h w 3"]:
        """What the frame's light makes of the clean plate `old`, known where it shows for sure."""
        foreign = grow(keep, pixels(self.band, keep.shape[0])) | guessed
        return self.light.factor(seen, old, ~foreign)


def _bounds(mask: Bool[np.ndarray, "h w"], margin: int) -> tuple[slice, slice]:
    """The rectangle around a mask, with a margin."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    top, left = max(0, rows[0] - margin), max(0, columns[0] - margin)
    return slice(top, rows[-1] + margin + 1), slice(left, columns[-1] + margin + 1)


def _exchange(
    seen: Float32[np.ndarray, "h w 3"],
    old: Float32[np.ndarray, "h w 3"],
    new: Float32[np.ndarray, "h w 3"],
    keep: Bool[np.ndarray, "h w"],
    exact: Bool[np.ndarray, "h w"],
    guessed: Bool[np.ndarray, "h w"],
    radius: int,
) -> None:
    """Put what is kept before `new`, in place. `old`, `new`: the backgrounds in the frame's light."""
    alpha = _alpha(seen, old, keep, exact, guessed, radius)[..., None]
    # from seen = alpha * foreground + (1 - alpha) * old: the old background's share is exchanged for the new one's
    np.copyto(new, seen + (1 - alpha) * (new - old), where=grow(keep, radius)[..., None])


def _alpha(
    seen: Float32[np.ndarray, "h w 3"],
    old: Float32[np.ndarray, "h w 3"],
    keep: Bool[np.ndarray, "h w"],
    exact: Bool[np.ndarray, "h w"],
    guessed: Bool[np.ndarray, "h w"],
    radius: int,
) -> Float32[np.ndarray, "h w"]:
    """Share of the foreground in every pixel, 0..1, by the matting equation with a known background; 1 where `exact`.

    The foreground's colour is that of the exact pixels near by. Outside what is kept, limited by the distance from it,
    which also decides alone where the background is a guess.
    """
    weight = exact.astype(np.float32)
    mass = box_blur(weight, radius)
    planes = np.moveaxis(seen, -1, 0)
    foreground = box_blur(planes * weight, radius) / np.maximum(mass, np.float32(1e-6))
    away = np.moveaxis(foreground, 0, -1) - old
    length = (away * away).sum(axis=-1)
    share = ((seen - old) * away).sum(axis=-1) / np.maximum(length, 1)
    # beside a straight edge half of the window is covered
    nearness = np.where(keep, np.float32(1), np.minimum(2 * box_blur(keep.astype(np.float32), radius), np.float32(1)))
    known = (length > CONTRAST) & ~guessed
    nearness = np.where(known, np.clip(share, 0, nearness), nearness)
    return np.where(exact, np.float32(1), nearness)
