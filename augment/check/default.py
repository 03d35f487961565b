"""The promises, checked at run time, and masks that cannot be right."""

from dataclasses import dataclass

import numpy as np

from augment.check.base import CameraCheck, Check, Verdict, Window
from robot_io.types import FrameSource

PEAK = 255.0


@dataclass(frozen=True)
class DefaultCheck(Check):
    """`check=default`."""

    min_keep: float = 0.001
    """Least share of the picture, over the whole episode, that must be kept: below it, nothing was found."""
    max_keep: float = 0.98
    """Greatest share: above it, nothing would change."""
    min_keep_psnr: float = 30.0
    """dB: least fidelity of kept pixels after a lossy encoding."""

    def watch(self, frames: FrameSource) -> CameraCheck:
        return _Promises(self, frames)


class _Promises(CameraCheck):
    def __init__(self, limits: DefaultCheck, frames: FrameSource) -> None:
        self._limits = limits
        self._shape = (len(frames), frames.height, frames.width, 3)
        self._next = 0
        self._kept = 0
        self._changed = 0
        self._squared_error = 0.0
        self._misshapen: str | None = None

    def see(self, window: Window) -> None:
        recorded, composed, exact = window.recorded, window.composed, window.exact
        if composed.frames.shape != recorded.frames.shape or composed.start != self._next:
            self._misshapen = f"frames {composed!r} do not follow {self._next} like the recorded {recorded!r}"
            return
        self._next = composed.stop
        self._kept += int(exact.sum())
        self._changed += int((composed.frames[exact] != recorded.frames[exact]).any(axis=-1).sum())
        error = window.decoded.frames[exact].astype(np.int32) - recorded.frames[exact]
        self._squared_error += float((error * error).sum())

    def verdict(self) -> Verdict:
        length, height, width, _ = self._shape
        share = self._kept / (length * height * width)
        psnr = self._psnr()
        figures = {"kept_share": round(share, 5)}
        if np.isfinite(psnr):
            figures["keep_psnr_db"] = round(psnr, 2)
        if self._misshapen or self._next != length:
            return Verdict(self._misshapen or f"{self._next} frames made of {length}", False, figures)
        if self._changed:
            return Verdict(f"{self._changed} kept pixels differ from the recording", False, figures)
        if share < self._limits.min_keep:
            return Verdict(f"keep mask is empty ({share:.3%} < {self._limits.min_keep:.3%})", False, figures)
        if share > self._limits.max_keep:
            return Verdict(f"keep mask is full ({share:.1%} > {self._limits.max_keep:.1%})", False, figures)
        if psnr < self._limits.min_keep_psnr:
            return Verdict(
                f"kept pixels have {psnr:.1f} dB after encoding (< {self._limits.min_keep_psnr} dB)", True, figures
            )
        return Verdict(None, False, figures)

    def _psnr(self) -> float:
        if not self._kept or not self._squared_error:
            return float("inf")
        return float(10 * np.log10(PEAK**2 * 3 * self._kept / self._squared_error))
