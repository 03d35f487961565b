"""No object is left floating: what rests before the new scene stands on its support, not on its backdrop."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from augment.check.base import Verdict
from augment.check.view import ALWAYS, View, ViewCheck

SMALLEST = 0.001  # share of the picture: smaller pieces are noise
RESTING = 5  # frames in one place
PLACE = 1, 2  # rows and columns by which a piece that rests may seem to move
BELOW = 2  # rows under a piece's lowest point that show what it stands on


@dataclass
class _Rest:
    """A lowest point that stays where it is."""

    row: float
    column: float
    frames: int = 0
    area: int = 0
    """Summed over the frames, pixels; likewise of those in which it stands."""
    standing: int = 0


class Contact(ViewCheck):
    def __init__(self, least: float) -> None:
        self._least = least
        self._frames = 0
        self._kept: np.ndarray | int = 0
        self._now: list[_Rest] = []
        self._over: list[_Rest] = []

    def see(self, view: View) -> None:
        if view.support is None:
            return
        self._frames += 1
        self._kept = self._kept + view.keep.astype(np.uint32)
        ground = view.support | view.keep
        before, self._now = self._now, []
        for area, row, columns in _pieces(view):
            rest = _found(before, *view.place(float(row), float(columns.mean())))
            rest.frames += 1
            rest.area += area
            rest.standing += area * bool(ground[row + 1 : row + 1 + BELOW, columns].mean() >= 0.5)
            self._now.append(rest)
        self._over += [rest for rest in before if rest.frames >= RESTING]

    def verdict(self) -> Verdict:
        rests = [rest for rest in (*self._over, *self._now) if rest.frames >= RESTING and not self._is_still(rest)]
        if not rests:
            return Verdict()
        share = sum(rest.standing for rest in rests) / sum(rest.area for rest in rests)
        figures = {"standing_share": round(share, 4)}
        if share >= self._least:
            return Verdict(None, False, figures)
        return Verdict(
            f"what rests stands on the support in {share:.0%} of moments (< {self._least:.0%})", False, figures
        )

    def _is_still(self, rest: _Rest) -> bool:
        """Whether it is there for the whole recording: what never moves may hang on a wall."""
        kept = np.asarray(self._kept)
        row, column = np.clip((round(rest.row), round(rest.column)), 0, np.array(kept.shape) - 1)
        return bool(kept[row, column] >= ALWAYS * self._frames)


def _found(before: list[_Rest], row: float, column: float) -> _Rest:
    """The rest that goes on here, taken from those of the frame before, or a new one."""
    for rest in before:
        if abs(rest.row - row) <= PLACE[0] and abs(rest.column - column) <= PLACE[1]:
            before.remove(rest)
            return rest
    return _Rest(row, column)


def _pieces(view: View) -> list[tuple[int, int, np.ndarray]]:
    """Area, and row and columns of the lowest pixels, of every piece that is not cut off by the picture's border."""
    labels, _ = ndimage.label(view.keep)
    height, width = view.keep.shape
    points = []
    for label, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        outside = rows.start == 0 or columns.start == 0 or rows.stop == height or columns.stop == width
        piece = labels[rows, columns] == label
        area = int(np.count_nonzero(piece))
        if not outside and area >= SMALLEST * labels.size:
            points.append((area, rows.stop - 1, columns.start + np.flatnonzero(piece[-1])))
    return points
