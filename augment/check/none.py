"""No check, for those who want every frame."""

from dataclasses import dataclass

from augment.check.base import CameraCheck, Check, Verdict, Window
from robot_io.types import FrameSource


@dataclass(frozen=True)
class NoCheck(Check):
    """`check=none`: accepts everything."""

    def watch(self, frames: FrameSource, moves: bool = False) -> CameraCheck:
        return _Accept()


class _Accept(CameraCheck):
    def see(self, window: Window) -> None:
        pass

    def verdict(self) -> Verdict:
        return Verdict()
