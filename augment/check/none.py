"""No check, for those who want every frame."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from augment.check.base import CameraCheck, Check, Verdict
from robot_io.types import Clip, FrameSource


@dataclass(frozen=True)
class NoCheck(Check):
    """`check=none`: accepts everything."""

    def watch(self, frames: FrameSource) -> CameraCheck:
        return _Accept()


class _Accept(CameraCheck):
    def see(self, recorded: Clip, composed: Clip, decoded: Clip, exact: Bool[np.ndarray, "t h w"]) -> None:
        pass

    def verdict(self) -> Verdict:
        return Verdict()
