"""A frame as most checks see it: small, with what lies behind it, whatever window it came in."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32

from augment.check.base import Verdict, Window
from augment.images import Warp, box_blur, carried, grow, is_blank, pixels, planes, shares, unwarp, warp

WORKING_HEIGHT = 120  # pixels: frames are looked at at about this size
NEAR = 0.02  # of the height: so close to what is kept, pixels are mixed
VISIBLE = 20.0  # grey levels in the most different channel: beyond noise and compression
DARKEST, BRIGHTEST = 0.3, 1.25  # share of its light that the same surface can have in shadow, or with a reflection
ALWAYS = 0.95  # of the frames: what is kept so often is preserved where it stands, and belongs to the old scene

Planes = Float32[np.ndarray, "3 h w"]
Grey = Float32[np.ndarray, "h w"]
Mask = Bool[np.ndarray, "h w"]


@dataclass(frozen=True, eq=False)
class View:
    """One frame, reduced."""

    index: int
    """In the recording."""
    area: float
    """Share of the frame that is kept, 0..1."""
    recorded: Planes
    composed: Planes
    keep: Mask
    """Kept at least in part."""
    inside: Mask
    """Wholly kept."""
    clean: Planes
    """The clean plate, as this frame would show it."""
    busy: Grey
    """How much the clean plate changes from pixel to pixel, grey levels."""
    hole: Mask
    """Where the clean plate is a guess, and a little around it."""
    support: Mask | None
    """Where the new plate shows something to stand on; None if that is unknown."""
    warp: Warp
    """How the clean plate lies on this frame, as `images.warp` has it, in pixels of the reduced picture."""
    gain: Float32[np.ndarray, "3"]

    @cached_property
    def near(self) -> Mask:
        """Kept, or so close to it that pixels are mixed."""
        return grow(self.keep, pixels(NEAR, self.keep.shape[0]))

    @cached_property
    def away(self) -> Grey:
        """Difference of the recording from the clean plate, grey levels in the most different channel."""
        return np.asarray(np.abs(self.recorded - self.clean).max(axis=0))

    @cached_property
    def strange(self) -> Mask:
        """Where the recording shows something else than the plate's surface, be it in shadow or in other light."""
        ratio = (self.recorded + 2) / (self.clean + 2)
        light = ratio.mean(axis=0)
        drift = np.abs(ratio - light).max(axis=0)
        lit = (drift < 0.06 + 0.1 * np.maximum(1 - light, 0)) & (light > DARKEST) & (light < BRIGHTEST)
        return np.asarray((self.away > VISIBLE + self.busy) & ~lit)

    def laid_back(self, picture: Planes) -> Grey:
        """Its brightness, as if the camera had not swayed, nor its exposure changed."""
        return np.asarray(warp((picture / self.gain[:, None, None]).mean(axis=0), unwarp(self.warp)))

    def place(self, row: float, column: float) -> tuple[float, float]:
        """Where on the plate a point of the frame lies, row and column."""
        back = carried(np.array([[row], [column]], np.float32), unwarp(self.warp), *self.keep.shape)
        return float(back[0, 0]), float(back[1, 0])


class ViewCheck(ABC):
    """One idea of what can be wrong with a restaged camera; watches it frame by frame."""

    @abstractmethod
    def see(self, view: View) -> None:
        """The next frame."""

    @abstractmethod
    def verdict(self) -> Verdict:
        """After the last frame."""


def views(window: Window) -> Iterator[View]:
    """Every frame of a window that shows something, reduced; the others are kept whole (`pipeline.episode`)."""
    reduction = max(1, round(window.keep.shape[1] / WORKING_HEIGHT))
    small = window.backdrop.reduced(reduction)
    busy = grow(np.hypot(*np.gradient(planes(small.clean).mean(axis=0))), 1)
    support = None if window.support is None else window.support[::reduction, ::reduction]
    for index, keep in enumerate(window.keep):
        if is_blank(window.recorded.frames[index]):
            continue
        share, by = shares(keep, reduction), small.warps[index]
        yield View(
            index=window.recorded.start + index,
            area=np.count_nonzero(keep) / keep.size,
            recorded=planes(window.recorded.frames[index], reduction),
            composed=planes(window.composed.frames[index], reduction),
            keep=share > 0,
            inside=share == 255,
            clean=planes(small.behind(small.clean, index)),
            busy=busy,
            hole=grow(warp(small.hole, by), 1),
            support=None if support is None else warp(support, by),
            warp=by,
            gain=small.gains[index],
        )


def solid(mask: Mask) -> Mask:
    """Without specks and thin lines."""
    return np.asarray(box_blur(mask.astype(np.float32), 1) > 0.5)
