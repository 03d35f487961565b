"""Recorded pixels over a new plate: exact where they are kept, a soft band around them, in the recorded light."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, UInt8

from augment.compose.light import Light
from augment.compose.matte import Shot, in_other_light, matte
from augment.compose.tone import grain, matched
from augment.images import colours, grow, pixels, planes, shares, warp
from augment.types import Backdrop
from robot_io.types import Clip

Picture = UInt8[np.ndarray, "h w 3"]
Masks = Bool[np.ndarray, "t h w"]

HALF = 2  # light is smooth: half the resolution is plenty


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

    def __call__(
        self,
        clip: Clip,
        keep: Bool[np.ndarray, "t h w"],
        backdrop: Backdrop,
        alpha: UInt8[np.ndarray, "t h w"] | None = None,
    ) -> tuple[Clip, Masks]:
        """The restaged clip, and which of its pixels are exactly as recorded.

        `keep`: union of the tracks; `alpha`: share of the foreground, 1..255, where more is known, else 0.
        """
        frames, exact = np.empty_like(clip.frames), np.empty_like(keep)
        for index, shot in enumerate(self._shots(clip, keep, backdrop, alpha)):
            frames[index], exact[index] = self._frame(shot, backdrop, clip.start, index), shot.exact
        return Clip(clip.camera, clip.start, frames, clip.timestamps), exact

    def light_left(
        self, clip: Clip, keep: Masks, backdrop: Backdrop, alpha: UInt8[np.ndarray, "t h w"] | None = None
    ) -> UInt8[np.ndarray, "t h w 3"]:
        """The recorded shadows, for eyes: what a white background would be recorded as, 255 where nothing shades it."""
        return np.stack([shot.light for shot in self._shots(clip, keep, backdrop, alpha)])

    def _shots(
        self, clip: Clip, masks: Masks, backdrop: Backdrop, alpha: UInt8[np.ndarray, "t h w"] | None
    ) -> Iterator[Shot]:
        keep = grow(masks, pixels(self.margin, masks.shape[1]))
        alpha = np.zeros(keep.shape, np.uint8) if alpha is None else alpha
        small = backdrop.reduced(HALF)
        for index, frame in enumerate(clip.frames):
            inside = exact = self._exact(keep[index])
            near = grow(keep[index], pixels(self.band, len(frame)))
            if (said := alpha[index]).any():
                said = np.where(keep[index] & ~masks[index], np.uint8(0), said)
                exact = np.where(said, said == 255, inside)
                near |= said > 0
            foreign = (shares(keep[index] | (said > 0), HALF) > 0) | warp(small.hole, small.warps[index])
            seen, old = planes(frame, HALF), planes(small.behind(small.clean, index))
            light = self.light.left(seen, old, ~foreign, HALF)[: near.shape[0], : near.shape[1]]
            yield Shot(frame, keep[index], exact, inside, said, np.flatnonzero(near & ~exact), light)

    def _exact(self, keep: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
        rim = pixels(self.rim, len(keep))
        inside = ~grow(~keep, rim)
        return np.asarray(inside | (keep & ~grow(inside, rim)))

    def _frame(self, shot: Shot, backdrop: Backdrop, start: int, index: int) -> Picture:
        new = made = _shaded(backdrop.new_behind(index), shot.light)
        if (noise := self.grain * backdrop.grain).any():
            made = np.clip(new + grain(start + index, noise, *shot.keep.shape), 0, 255).astype(np.uint8)
        if len(shot.mixed):
            made.reshape(-1, 3)[shot.mixed] = self._mixed(shot, new, backdrop, index)
        for channel in range(3):  # all at once takes ten times as long
            np.copyto(made[..., channel], shot.seen[..., channel], where=shot.exact)
        return made

    def _mixed(self, shot: Shot, new: Picture, backdrop: Backdrop, index: int) -> UInt8[np.ndarray, "n 3"]:
        """The mixed pixels: the old background's share is exchanged for the new one's.

        seen = alpha * foreground + (1 - alpha) * old + what that leaves unexplained, such as light a little off: it
        stays as far as the pixel is foreground, so that nothing of it ends at the border of the band. Beyond what is
        kept, what light alone explains is background: shadows are deepest where they touch what casts them.
        """
        by, gain = backdrop.warps[index], backdrop.gains[index][:, None]
        seen, light, behind = (colours(picture, shot.mixed) for picture in (shot.seen, shot.light, new))
        old = np.minimum(colours(backdrop.clean, shot.mixed, by) * gain, 255) * (light / 255)
        alpha, foreground = matte(shot, seen, old, pixels(self.band, len(shot.keep)))
        unexplained = seen - alpha * foreground - (1 - alpha) * old
        if (said := shot.said.ravel()[shot.mixed]).any():
            alpha, unexplained = np.where(said, said / np.float32(255), alpha), np.where(said, 0, unexplained)
        mixed = seen + (1 - alpha) * (behind - old - unexplained)
        same, light = in_other_light(seen, old)
        mixed = np.where(same & ~shot.keep.ravel()[shot.mixed] & (said == 0), behind * light, mixed)
        return np.asarray(np.clip(np.rint(mixed), 0, 255).T, dtype=np.uint8)


def _shaded(picture: Picture, light: Picture) -> Picture:
    """A picture in the light that makes `light` of white."""
    lit = np.multiply(picture, light, dtype=np.uint16)
    lit += np.uint16(127)
    lit //= np.uint16(255)
    return np.asarray(lit, dtype=np.uint8)
