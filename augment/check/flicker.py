"""What is repainted stays as it is for as long as the recording does."""

import numpy as np

from augment.check.base import Verdict
from augment.check.view import Grey, Mask, View, ViewCheck

STILL = 6.0  # grey levels between frames that show the same
LEAST = 0.01  # of the picture: what must be still for a frame to be judged


class Flicker(ViewCheck):
    def __init__(self, most: float) -> None:
        self._most = most
        self._changes: list[float] = []
        self._before: tuple[Grey, Grey, Mask] | None = None

    def see(self, view: View) -> None:
        recorded, composed, free = view.laid_back(view.recorded), view.laid_back(view.composed), ~view.near
        if self._before:
            recorded_before, composed_before, free_before = self._before
            still = free & free_before & (np.abs(recorded - recorded_before) < STILL)
            if still.mean() > LEAST:
                self._changes.append(float(np.abs(composed - composed_before)[still].mean()))
        self._before = recorded, composed, free

    def verdict(self) -> Verdict:
        if not self._changes:
            return Verdict()
        worst = max(self._changes)
        figures = {"flicker_grey_levels": round(worst, 3)}
        if worst <= self._most:
            return Verdict(None, False, figures)
        return Verdict(f"what is repainted flickers by {worst:.1f} grey levels (> {self._most})", True, figures)
