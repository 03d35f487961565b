"""The promises: every frame is there, and every exact pixel as recorded. And masks that keep nothing, or everything."""

import numpy as np
from jaxtyping import Bool, UInt8

from augment.check.base import CameraCheck, Verdict, Window
from augment.images import is_blank
from robot_io.types import FrameSource

PEAK = 255.0

Picture = UInt8[np.ndarray, "h w 3"]
Mask = Bool[np.ndarray, "h w"]


class Promises(CameraCheck):
    """Looks at every pixel of every frame."""

    def __init__(self, frames: FrameSource, least_kept: float, most_kept: float, least_psnr: float) -> None:
        self._least_kept, self._most_kept, self._least_psnr = least_kept, most_kept, least_psnr
        self._shape = (len(frames), frames.height, frames.width, 3)
        self._next = 0
        self._shown = 0
        self._kept = 0
        self._open = 0
        self._changed = 0
        self._squared_error = 0
        self._misshapen: str | None = None

    def see(self, window: Window) -> None:
        recorded, composed, exact = window.recorded, window.composed, window.exact
        if composed.frames.shape != recorded.frames.shape or composed.start != self._next:
            self._misshapen = f"frames {composed!r} do not follow {self._next} like the recorded {recorded!r}"
            return
        self._next = composed.stop
        may_change = np.ones_like(exact) if window.spared is None else ~window.spared
        for frames in zip(recorded.frames, composed.frames, window.decoded.frames, exact, may_change, strict=True):
            self._see(*frames)

    def _see(self, recorded: Picture, composed: Picture, decoded: Picture, exact: Mask, may_change: Mask) -> None:
        shows = not is_blank(recorded)
        self._shown += shows
        self._open += shows * int(np.count_nonzero(may_change))
        self._kept += shows * int(np.count_nonzero(exact))
        where = np.flatnonzero(exact)
        recorded, composed, decoded = (
            picture.reshape(-1, 3).take(where, axis=0) for picture in (recorded, composed, decoded)
        )
        if not np.array_equal(composed, recorded):
            self._changed += int((composed != recorded).any(axis=-1).sum())
        error = (np.maximum(decoded, recorded) - np.minimum(decoded, recorded)).astype(np.uint16)
        self._squared_error += int((error**2).sum(dtype=np.uint64))

    def verdict(self) -> Verdict:
        length, height, width, _ = self._shape
        area = max(1, self._shown) * height * width
        share = self._kept / area
        full = 1 - min(1.0, (area - self._kept) / max(1, self._open))
        psnr = self._psnr()
        figures = {"kept_share": round(share, 5)}
        if np.isfinite(psnr):
            figures["keep_psnr_db"] = round(psnr, 2)
        if self._misshapen or self._next != length:
            return Verdict(self._misshapen or f"{self._next} frames made of {length}", False, figures)
        if self._changed:
            return Verdict(f"{self._changed} kept pixels differ from the recording", False, figures)
        if not self._shown:
            return Verdict("no frame shows anything: all are black or white", False, figures)
        if share < self._least_kept:
            way_out = "nothing that moves was found, or no mask covers it; paint what stays (segment.keep_always)"
            return Verdict(f"keep mask is empty ({share:.3%} < {self._least_kept:.3%}): {way_out}", False, figures)
        if full > self._most_kept:
            way_out = (
                "nothing is left to change; preserve less, or paint the region that is edited (segment.keep_always)"
            )
            return Verdict(f"keep mask is full ({full:.1%} > {self._most_kept:.1%}): {way_out}", False, figures)
        if psnr < self._least_psnr:
            return Verdict(f"kept pixels have {psnr:.1f} dB after encoding (< {self._least_psnr} dB)", True, figures)
        return Verdict(None, False, figures)

    def _psnr(self) -> float:
        if not self._kept or not self._squared_error:
            return float("inf")
        return float(10 * np.log10(PEAK**2 * 3 * self._kept / self._squared_error))
