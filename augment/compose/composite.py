"""Recorded pixels over a new plate: exact where they are kept, a soft band around them, in the recorded light."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from augment.compose.light import Light
from augment.images import box_blur, grow, pixels, translate
from robot_io.types import Clip

CONTRAST = 400.0  # squared grey levels: foreground and background that differ by less cannot be told apart


@dataclass(frozen=True, eq=False)
class Backdrop:
    """What lies behind, before and after, and how it lies behind each frame of a clip."""

    clean: UInt8[np.ndarray, "h w 3"]
    hole: Bool[np.ndarray, "h w"]
    """Where the clean plate is a guess."""
    new: UInt8[np.ndarray, "h w 3"]
    shifts: Float32[np.ndarray, "t 2"]
    gains: Float32[np.ndarray, "t 3"]

    def behind(self, plate: UInt8[np.ndarray, "h w 3"], index: int) -> Float32[np.ndarray, "h w 3"]:
        """A plate as frame `index` of the clip would show it, 0..255."""
        moved = translate(plate, self.shifts[index]).astype(np.float32)
        return np.asarray(np.minimum(moved * self.gains[index], np.float32(255)))


@dataclass(frozen=True)
class Composite:
    """Two masks: an exact one, which keeps recorded pixels as they are, and a generous one, beyond which all is new."""

    margin: float = 0.0
    """Fraction of the height by which the exact mask is grown beyond the tracks."""
    band: float = 0.012
    """Fraction of the height, at least one pixel: width of the soft band between the two masks."""
    light: Light = field(default_factory=Light)

    def exact(self, keep: Bool[np.ndarray, "t h w"]) -> Bool[np.ndarray, "t h w"]:
        """Pixels that stay exactly as recorded."""
        return grow(keep, pixels(self.margin, keep.shape[1]))

    def __call__(self, clip: Clip, exact: Bool[np.ndarray, "t h w"], backdrop: Backdrop) -> Clip:
        """The restaged clip."""
        frames = np.stack(
            [self._frame(frame, exact[index], backdrop, index) for index, frame in enumerate(clip.frames)]
        )
        return Clip(clip.camera, clip.start, frames, clip.timestamps)

    def _frame(
        self, frame: UInt8[np.ndarray, "h w 3"], exact: Bool[np.ndarray, "h w"], backdrop: Backdrop, index: int
    ) -> UInt8[np.ndarray, "h w 3"]:
        seen = frame.astype(np.float32)
        old, new = (backdrop.behind(plate, index) for plate in (backdrop.clean, backdrop.new))
        radius = pixels(self.band, frame.shape[0])
        guessed = translate(backdrop.hole, np.round(backdrop.shifts[index]))
        factor = self.light.factor(seen, old, ~grow(exact, radius) & ~guessed)[..., None]
        out = new * factor
        near = _bounds(exact, 2 * radius)
        shaded, kept = old[near] * factor[near], exact[near]
        band = grow(kept, radius) & ~kept
        alpha = _alpha(seen[near], shaded, kept, guessed[near], radius)[band][:, None]
        # from seen = alpha * foreground + (1 - alpha) * old: the old background's share is exchanged for the new one's
        out[near][band] = seen[near][band] + (1 - alpha) * (out[near][band] - shaded[band])
        result: np.ndarray = np.clip(out + np.float32(0.5), 0, 255).astype(np.uint8)
        result[exact] = frame[exact]
        return result


def _bounds(mask: Bool[np.ndarray, "h w"], margin: int) -> tuple[slice, slice]:
    """The rectangle around a mask, with a margin; empty if the mask is."""
    bounds = []
    for axis in (1, 0):
        filled = np.flatnonzero(mask.any(axis=axis))
        bounds.append(slice(max(0, filled[0] - margin), filled[-1] + margin + 1) if len(filled) else slice(0, 0))
    return bounds[0], bounds[1]


def _alpha(
    seen: Float32[np.ndarray, "h w 3"],
    old: Float32[np.ndarray, "h w 3"],
    exact: Bool[np.ndarray, "h w"],
    guessed: Bool[np.ndarray, "h w"],
    radius: int,
) -> Float32[np.ndarray, "h w"]:
    """Share of the foreground in the pixels around it, 0..1, by the matting equation with a known background.

    The foreground's colour is that of the kept pixels near by. Limited by the distance from them, which also decides
    alone where the background is a guess.
    """
    weight = exact.astype(np.float32)
    mass = box_blur(weight, radius)
    foreground = np.stack([box_blur(seen[..., channel] * weight, radius) for channel in range(3)], axis=-1)
    foreground /= np.maximum(mass, 1e-6)[..., None]
    away = foreground - old
    length = (away * away).sum(axis=-1)
    share = ((seen - old) * away).sum(axis=-1) / np.maximum(length, 1)
    nearness = np.minimum(2 * mass, 1)  # beside a straight edge half of the window is covered
    known = (length > CONTRAST) & ~guessed
    return np.asarray(np.where(known, np.clip(share, 0, nearness), nearness), dtype=np.float32)
