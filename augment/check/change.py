"""A variant that looks like its source is of no use."""

import numpy as np

from augment.check.base import Verdict
from augment.check.view import View, ViewCheck


class Change(ViewCheck):
    def __init__(self, least: float) -> None:
        self._least = least
        self._total = 0.0
        self._pixels = 0

    def see(self, view: View) -> None:
        free = ~view.near
        self._total += float(np.abs(view.composed - view.recorded).mean(axis=0)[free].sum())
        self._pixels += int(free.sum())

    def verdict(self) -> Verdict:
        if not self._pixels:
            return Verdict()
        mean = self._total / self._pixels
        figures = {"change_grey_levels": round(mean, 2)}
        if mean >= self._least:
            return Verdict(None, False, figures)
        return Verdict(f"what is repainted changes by {mean:.1f} grey levels only (< {self._least})", True, figures)
