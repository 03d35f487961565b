"""What every check has in common: it watches one camera of one variant, window by window, and gives a verdict."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool

from augment.errors import RequestError
from augment.types import Backdrop
from robot_io.types import Clip, FrameSource


@dataclass(frozen=True)
class Verdict:
    """The outcome for one camera of one variant."""

    reason: str | None = None
    """Why it is refused, with the figure and the limit; None if it is accepted."""
    redraw: bool = False
    """Whether other random choices could change the outcome."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """What was measured, by name with unit."""


@dataclass(frozen=True, eq=False)
class Window:
    """Some consecutive frames of a camera, and all that was known when they were restaged."""

    recorded: Clip
    composed: Clip
    decoded: Clip
    """As a reader of the output will decode it."""
    keep: Bool[np.ndarray, "t h w"]
    """Union of the tracks that are preserved."""
    exact: Bool[np.ndarray, "t h w"]
    """What must be as recorded."""
    backdrop: Backdrop
    support: Bool[np.ndarray, "h w"] | None = None
    """Where the new plate shows something to stand on; None if that is unknown."""
    spared: Bool[np.ndarray, "t h w"] | None = None
    """What no step of the recipe changes, whatever is kept; None for nothing."""


class CameraCheck(ABC):
    """Watches one camera of one variant."""

    @abstractmethod
    def see(self, window: Window) -> None:
        """The next window."""

    @abstractmethod
    def verdict(self) -> Verdict:
        """After the last window."""


@dataclass(frozen=True)
class Check(ABC):
    """Subclasses are frozen dataclasses; their fields are the thresholds."""

    attempts: int = 3
    """How often a variant is drawn before it is given up."""

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise RequestError(f"check.attempts={self.attempts}; a variant is drawn at least once")

    @abstractmethod
    def watch(self, frames: FrameSource, moves: bool = False) -> CameraCheck:
        """Start on a recorded camera. `moves`: whether it does; then no two frames can be laid on each other."""
