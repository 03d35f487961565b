"""Patches of the old scene that are kept along with what moves before it."""

import numpy as np

from augment.check.base import Verdict
from augment.check.view import ALWAYS, Mask, View, ViewCheck, solid

ALIKE = 8.0  # grey levels in the most different channel: shows the plate


class Remains(ViewCheck):
    def __init__(self, most: float) -> None:
        self._most = most
        self._frames = 0
        self._kept: np.ndarray | int = 0
        self._known: np.ndarray | int = 0
        self._alike: np.ndarray | int = 0

    def see(self, view: View) -> None:
        known = view.inside & ~view.hole
        self._frames += 1
        self._kept = self._kept + view.keep.astype(np.uint32)
        self._known = self._known + known.astype(np.uint32)
        self._alike = self._alike + (known & solid(view.away < ALIKE)).astype(np.uint32)

    def verdict(self) -> Verdict:
        comes_and_goes: Mask = np.asarray(self._kept) < ALWAYS * self._frames
        known = int((self._known * comes_and_goes).sum())
        if not known:
            return Verdict()
        share = float((self._alike * comes_and_goes).sum()) / known
        figures = {"old_scene_share": round(share, 4)}
        if share <= self._most:
            return Verdict(None, False, figures)
        return Verdict(f"{share:.0%} of what is kept shows the old scene (> {self._most:.0%})", False, figures)
