"""Which kinds of pixels masks miss: categories that follow from the truth, and how many of each are missed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8

from augment.evaluation.masks import iou
from augment.images import grow, pixels

NEAR = 10 / 480  # of the height: near the border, near what the hand holds, and half the width of what is thin
AT_REST = 0.9  # IoU with the first frame, until it is lost
OCCLUDED = 0.7  # of the greatest area: an object of which less is seen
CONTRAST = 24  # grey levels in the most different channel: hardly another colour
ALL = "all"


@dataclass(frozen=True)
class Misses:
    """Pixels of one category."""

    wanted: int
    missed: int

    def __add__(self, other: "Misses") -> "Misses":
        return Misses(self.wanted + other.wanted, self.missed + other.missed)

    @property
    def recall(self) -> float:
        """0..1; NaN where there was nothing to find."""
        return 1 - self.missed / self.wanted if self.wanted else float("nan")


def categories(
    robot: Bool[np.ndarray, "t h w"],
    thing: Bool[np.ndarray, "t h w"],
    frames: UInt8[np.ndarray, "t h w 3"],
    plates: UInt8[np.ndarray, "t h w 3"] | None,
) -> dict[str, Bool[np.ndarray, "t h w"]]:
    """Category -> its pixels of robot and object; they overlap, and a pixel may be in none.

    Lengths are pixels of 480 rows. `at rest`: the frames before either has moved (IoU with the first frame 0.9 or
    more). `contact`: within 10 pixels of both robot and object, as in a grasp. `occluded`: the object where less than
    0.7 of its greatest area is seen. `border`: within 10 pixels of the picture's edge. `thin`: where no square of 21
    pixels fits in, small objects included. `fast`: covered in neither neighbouring frame, as what is blurred. `low
    contrast`: of a colour within 24 grey levels of the plate's there; without `plates` none.
    """
    keep = robot | thing
    near = pixels(NEAR, keep.shape[1])
    found = {
        "at rest": keep & _at_rest(robot, thing)[:, None, None],
        "contact": keep & grow(robot, near) & grow(thing, near),
        "occluded": thing & _occluded(thing)[:, None, None],
        "border": keep & _border(keep.shape[1], keep.shape[2], near),
        "thin": keep & ~grow(~grow(~keep, near), near),
        "fast": _fast(keep),
    }
    if plates is not None:
        found["low contrast"] = keep & (np.abs(frames.astype(np.int16) - plates).max(axis=-1) < CONTRAST)
    return found


def misses(
    found: Bool[np.ndarray, "t h w"],
    truth: Bool[np.ndarray, "t h w"],
    regions: Mapping[str, Bool[np.ndarray, "t h w"]],
) -> dict[str, Misses]:
    """How much of the truth is missed in each region, in none of them (`elsewhere`), and in all (`all`)."""
    elsewhere = ~np.logical_or.reduce(list(regions.values()))
    everywhere = np.ones_like(elsewhere)
    return {
        name: Misses(int((truth & region).sum()), int((truth & region & ~found).sum()))
        for name, region in {**regions, "elsewhere": elsewhere, ALL: everywhere}.items()
    }


def _at_rest(*masks: Bool[np.ndarray, "t h w"]) -> Bool[np.ndarray, " t"]:
    rests = [[iou(mask, track[0]) >= AT_REST for mask in track] for track in masks]
    return np.asarray(np.logical_and.accumulate(np.logical_and.reduce(rests)))


def _occluded(thing: Bool[np.ndarray, "t h w"]) -> Bool[np.ndarray, " t"]:
    areas = np.array([np.count_nonzero(mask) for mask in thing])
    return np.asarray(areas < OCCLUDED * areas.max())


def _border(height: int, width: int, margin: int) -> Bool[np.ndarray, "h w"]:
    border = np.ones((height, width), dtype=np.bool_)
    border[margin : height - margin, margin : width - margin] = False
    return border


def _fast(keep: Bool[np.ndarray, "t h w"]) -> Bool[np.ndarray, "t h w"]:
    fast = keep.copy()
    fast[1:] &= ~keep[:-1]
    fast[:-1] &= ~keep[1:]
    return fast if len(keep) > 1 else np.zeros_like(keep)
