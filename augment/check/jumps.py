"""Masks that drop out: the kept area falls and comes back, or swells and goes, within a few frames."""

import numpy as np

from augment.check.base import Verdict
from augment.check.view import View, ViewCheck

SPAN = 6  # frames before and after that say what is usual; what lasts half as long is found
LEAST = 2  # frames that say anything


class Jumps(ViewCheck):
    def __init__(self, most: float) -> None:
        self._most = most
        self._areas: list[float] = []
        self._frames: list[int] = []

    def see(self, view: View) -> None:
        self._areas.append(view.area)
        self._frames.append(view.index)

    def verdict(self) -> Verdict:
        areas = np.array(self._areas)
        typical = float(np.median(areas)) if len(areas) else 0.0
        sizes = [self._size(areas, index, typical) for index in range(LEAST, len(areas) - LEAST)]
        if not sizes:
            return Verdict()
        worst = int(np.argmax(sizes))
        figures = {"keep_area_jump": round(sizes[worst], 5)}
        if sizes[worst] <= self._most:
            return Verdict(None, False, figures)
        where = f"around frame {self._frames[worst + LEAST]}"
        return Verdict(f"kept area jumps by {sizes[worst]:.0%} and back {where} (> {self._most:.0%})", False, figures)

    @staticmethod
    def _size(areas: np.ndarray, index: int, typical: float) -> float:
        """How far an area lies outside what is usual before and after it, as a share of the larger one.

        What enters, leaves, or moves steadily lies between the two.
        """
        sides = np.median(areas[max(0, index - SPAN) : index]), np.median(areas[index + 1 : index + 1 + SPAN])
        low, high, area = min(sides), max(sides), areas[index]
        outside = max(low - area, area - high, 0.0)
        return float(outside / max(low, area, typical)) if outside else 0.0
