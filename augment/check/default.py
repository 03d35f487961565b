"""All ideas together; figures are kept of all."""

from collections.abc import Sequence
from dataclasses import dataclass

from augment.check.base import CameraCheck, Check, Verdict, Window
from augment.check.change import Change
from augment.check.contact import Contact
from augment.check.flicker import Flicker
from augment.check.jumps import Jumps
from augment.check.promises import Promises
from augment.check.remains import Remains
from augment.check.residual import Residual
from augment.check.seam import Seam
from augment.check.view import ViewCheck, views
from robot_io.types import FrameSource


@dataclass(frozen=True)
class DefaultCheck(Check):
    """`check=default`."""

    min_keep: float = 0.001
    """Least share of the picture, over the whole episode, that must be kept: below it, nothing was found."""
    max_keep: float = 0.98
    """Greatest share of what the recipe may change: above it, nothing would."""
    min_keep_psnr: float = 30.0
    """dB: least fidelity of kept pixels after a lossy encoding."""
    max_keep_jump: float = 0.5
    """Greatest share of the kept area that may go and come back, or come and go, within a few frames."""
    max_residual: float = 0.01
    """Greatest share of the picture that shows neither the clean plate nor what is kept, in all but the worst
    twentieth of the frames."""
    max_old_scene: float = 0.25
    """Greatest share of what is kept, apart from what is always kept, that shows nothing but the clean plate."""
    min_standing: float = 0.8
    """Least share of what rests for a while, by area, that must stand on the new plate's support."""
    min_change: float = 8.0
    """Grey levels: least mean difference of what is repainted from the recording."""
    max_flicker: float = 5.0
    """Grey levels: greatest mean change of what is repainted, from frame to frame, where the recording is still."""
    max_seam: float = 0.35
    """Greatest share of the outline of what is kept that has an edge where the recording has none."""

    def watch(self, frames: FrameSource, moves: bool = False) -> CameraCheck:
        promises = Promises(frames, self.min_keep, self.max_keep, self.min_keep_psnr)
        by_frame = (Jumps(self.max_keep_jump), Change(self.min_change))
        by_plate = (
            Residual(self.max_residual),
            Remains(self.max_old_scene),
            Contact(self.min_standing),
            Flicker(self.max_flicker),
        )
        return _Together((promises, Seam(self.max_seam)), by_frame if moves else (*by_frame, *by_plate))


class _Together(CameraCheck):
    def __init__(self, whole: Sequence[CameraCheck], reduced: Sequence[ViewCheck]) -> None:
        self._whole, self._reduced = whole, reduced

    def see(self, window: Window) -> None:
        for whole in self._whole:
            whole.see(window)
        for view in views(window):
            for reduced in self._reduced:
                reduced.see(view)

    def verdict(self) -> Verdict:
        verdicts = [*(check.verdict() for check in self._whole), *(check.verdict() for check in self._reduced)]
        figures = {name: value for verdict in verdicts for name, value in verdict.figures.items()}
        refusals = [verdict for verdict in verdicts if verdict.reason]
        # what another draw cannot mend comes first, so that none is wasted
        worst = min(refusals, key=lambda verdict: verdict.redraw, default=Verdict())
        return Verdict(worst.reason, worst.redraw, figures)
