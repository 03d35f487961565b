"""What the masks missed: the recording shows neither the clean plate nor anything that is kept."""

import numpy as np

from augment.check.base import Verdict
from augment.check.view import View, ViewCheck, solid

WORST = 0.95  # quantile over the frames: one that is damaged does not decide


class Residual(ViewCheck):
    def __init__(self, most: float) -> None:
        self._most = most
        self._shares: list[float] = []

    def see(self, view: View) -> None:
        missed = solid(view.strange & ~view.near & ~view.hole)
        self._shares.append(np.count_nonzero(missed) / missed.size)

    def verdict(self) -> Verdict:
        share = float(np.quantile(self._shares, WORST)) if self._shares else 0.0
        figures = {"residual_motion_share": round(share, 5)}
        if share <= self._most:
            return Verdict(None, False, figures)
        return Verdict(f"{share:.2%} of the picture moves but is not kept (> {self._most:.2%})", False, figures)
