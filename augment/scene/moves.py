"""When a moving camera moves, and when it stands."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy import ndimage

from augment.scene.track import Places
from robot_io.types import Clip, FrameSource

AROUND = 10  # frames before and after one, in which the camera is in the same place or is not
SAME_PLACE = 0.01  # of the height
USUAL = 3.0  # times how far it usually is from where it mostly is
LEAST = 0.2  # of the recording: less is not worth cutting out


@dataclass(frozen=True)
class Part:
    """Frames `start:stop` of a recording, as a FrameSource."""

    whole: FrameSource
    start: int
    stop: int

    @property
    def camera(self) -> str:
        return self.whole.camera

    @property
    def height(self) -> int:
        return self.whole.height

    @property
    def width(self) -> int:
        return self.whole.width

    def __len__(self) -> int:
        return self.stop - self.start

    def read(self, start: int, stop: int) -> Clip:
        clip = self.whole.read(self.start + start, min(self.start + stop, self.stop))
        return replace(clip, start=start)


def find_stands(places: Places) -> list[tuple[int, int]]:
    """Longer parts `start:stop` in which a camera seems to stand. `places`: its track, as fractions of the height."""
    length = len(places)
    places = ndimage.median_filter(places, (5, 1), mode="nearest")  # a frame or two that show something else
    stands = [_stands(places, index) for index in range(length)]
    edges = np.flatnonzero(np.diff([False, *stands, False])).reshape(-1, 2)
    wholes = {_widened(places, int(start), int(stop)) for start, stop in edges}
    return sorted((start, stop) for start, stop in wholes if LEAST * length <= stop - start < length)


def moves_between(stands: Sequence[tuple[int, int]], length: int) -> tuple[tuple[int, int], ...]:
    """Frames `start:stop` in which a camera moves: where it does not stand; of a jump, the frames on both sides."""
    moves = [(stop, start) if stop < start else (start - 1, start + 1) for (_, stop), (start, _) in pairwise(stands)]
    first, last = (stands[0][0], stands[-1][1]) if stands else (length, length)
    ends = [(start, stop) for start, stop in ((0, first), (last, length)) if start < stop]
    return tuple(sorted(moves + ends))


def _stands(places: Places, index: int) -> bool:
    """Whether the camera is in the same place before and after a frame."""
    before, after = places[max(0, index - AROUND) : index + 1], places[index : index + AROUND + 1]
    return bool(np.abs(np.median(before, axis=0) - np.median(after, axis=0)).max() < SAME_PLACE)


def _widened(places: Places, start: int, stop: int) -> tuple[int, int]:
    """A part, up to where the camera is no longer in the place of that part."""
    apart = np.abs(places - np.median(places[start:stop], axis=0)).max(axis=1)
    elsewhere = apart > max(SAME_PLACE, USUAL * float(np.median(apart[start:stop])))
    inside = start + int(apart[start:stop].argmin())
    before, after = np.flatnonzero(elsewhere[:inside]), np.flatnonzero(elsewhere[inside:])
    return int(before[-1]) + 1 if len(before) else 0, inside + int(after[0]) if len(after) else len(places)
