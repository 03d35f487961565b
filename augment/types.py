"""The nouns that travel between steps. Frozen; arrays are compared by identity; masks are True = keep.

A warp says how the plate has to be moved to lie on a frame (`images.Warp`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from augment.images import Warp, exposed, reduced, rescaled, shares, warp
from robot_io.types import MaskTrack, Role

__all__ = [
    "AlphaTrack",
    "Backdrop",
    "Background",
    "Deals",
    "Filler",
    "Footage",
    "Generates",
    "Granularity",
    "KeyFrame",
    "MaskTrack",
    "Plan",
    "PlannedStep",
    "Role",
    "SceneView",
    "Seeks",
    "Stability",
]


PLATE = 3  # axes of a plate


class Granularity(StrEnum):
    """What is painted at a time."""

    PLATE = "plate"
    """One background for all frames of a camera."""
    CLIP = "clip"
    """Each frame by itself, with the noise and composition of its neighbours."""
    FRAME = "frame"
    """Each frame by itself."""


class Stability(StrEnum):
    """How a camera stands, relative to the scene."""

    STATIC = "static"
    NEAR_STATIC = "near-static"
    """It sways by a few pixels; the plate is warped per frame."""
    MOVING = "moving"


@dataclass(frozen=True, eq=False)
class Background:
    """What the survey found out about a recorded camera before anything was segmented."""

    stability: Stability
    warps: Float32[Warp, "t"]
    """How the background of every frame lies against the plate; all 0 for a static camera."""
    gains: Float32[np.ndarray, "t 3"]
    """Exposure of every frame, per channel, relative to the plate."""
    plate: UInt8[np.ndarray, "h w 3"]
    """The clean plate, as far as it is known: at first, what is mostly seen."""
    unrest: float
    """Fraction of the height: how far parts of registered frames typically lie from where the plate has them."""
    moves: tuple[tuple[int, int], ...] = ()
    """Frames `start:stop` in which a moving camera moves; the others could be restaged if they were by themselves."""
    grain: Float32[np.ndarray, "3"] = field(default_factory=lambda: np.zeros(3, dtype=np.float32))
    """Standard deviation of the recording's noise, grey levels per channel."""
    shadows_known: bool = False
    """Whether what casts shadows has been left out of the plate; a first guess may lie in shadow itself."""

    @classmethod
    def still(cls, plate: UInt8[np.ndarray, "h w 3"], length: int) -> "Background":
        """Of a camera that never moves, in light that never changes."""
        warps, gains = np.zeros((length, 8), dtype=np.float32), np.ones((length, 3), dtype=np.float32)
        return cls(Stability.STATIC, warps, gains, plate, unrest=0.0)


@runtime_checkable
class AlphaTrack(Protocol):
    """What is known of single pixels beyond the masks, read in windows."""

    @property
    def role(self) -> Role: ...
    def __len__(self) -> int: ...
    def read(self, start: int, stop: int) -> UInt8[np.ndarray, "t h w"]:
        """Share of the foreground, 1..255; 0 where nothing is said, so that the masks decide."""
        ...


@dataclass(frozen=True, eq=False)
class Backdrop:
    """What lies behind, before and after, and how it lies behind each frame of a clip."""

    clean: UInt8[np.ndarray, "h w 3"]
    hole: Bool[np.ndarray, "h w"]
    """Where the clean plate is a guess."""
    new: UInt8[np.ndarray, "h w 3"] | UInt8[np.ndarray, "t h w 3"]
    """The new plate, or a new background for each frame of the clip, which lies on it as it is."""
    warps: Float32[Warp, "t"]
    gains: Float32[np.ndarray, "t 3"]
    grain: Float32[np.ndarray, "3"] = field(default_factory=lambda: np.zeros(3, dtype=np.float32))
    """Standard deviation of the recording's noise, grey levels per channel."""

    def behind(self, plate: UInt8[np.ndarray, "h w 3"], index: int) -> UInt8[np.ndarray, "h w 3"]:
        """A plate as frame `index` of the clip would show it."""
        return exposed(warp(plate, self.warps[index]), self.gains[index])

    def new_behind(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """What is new, as frame `index` of the clip would show it."""
        return self.behind(self.new, index) if self.new.ndim == PLATE else self.new[index]

    def reduced(self, factor: int) -> "Backdrop":
        """The same behind frames reduced by `images.reduced`."""
        clean, hole = reduced(self.clean, factor), shares(self.hole, factor) > 0
        plate = self.new.ndim == PLATE
        new = reduced(self.new, factor) if plate else np.stack([reduced(each, factor) for each in self.new])
        return replace(self, clean=clean, new=new, hole=hole, warps=rescaled(self.warps, 1 / factor))


@dataclass(frozen=True, eq=False)
class KeyFrame:
    """A recorded frame, laid on the plate, that shows as much as any of what the task is done with, and more of it."""

    picture: UInt8[np.ndarray, "h w 3"]
    foreground: Bool[np.ndarray, "h w"]
    """Robot and manipulated objects, these also where they stand in other frames: their pixels are of those frames."""


@dataclass(frozen=True, eq=False)
class Footage:
    """Frames in a row, as they were recorded and with what is to be painted over."""

    start: int
    """Index of the first one in the recording."""
    recorded: UInt8[np.ndarray, "t h w 3"]
    keep: Bool[np.ndarray, "t h w"]
    behind: UInt8[np.ndarray, "t h w 3"]
    """The clean plate behind each of them, or what earlier steps of the recipe made of it."""


@runtime_checkable
class Seeks(Protocol):
    """Finds one kind of thing, whatever the picture. Hashable: equal ones find the same."""

    @property
    def phrase(self) -> str:
        """What it is called."""
        ...

    def __call__(self, pictures: Sequence[UInt8[np.ndarray, "h w 3"]]) -> list[Bool[np.ndarray, "h w"]]:
        """Where each of the pictures shows it."""
        ...


@runtime_checkable
class SceneView(Protocol):
    """What a generator may know of the camera it paints for."""

    @property
    def camera(self) -> str: ...
    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def plate(self) -> UInt8[np.ndarray, "h w 3"]: ...
    def region(self, what: Role | Seeks) -> Bool[np.ndarray, "h w"]:
        """Where a role is seen in any frame, or what is sought on the clean plate; on the plate.

        Raises UnseenError where what is sought is nowhere.
        """
        ...

    def region_in(self, index: int, what: Role | Seeks) -> Bool[np.ndarray, "h w"]:
        """The same as frame `index` of the recording shows it; before a camera that moves, what is seen in it alone.

        Raises UnseenError where what is sought is nowhere, or in no frame of a camera that moves.
        """
        ...

    @property
    def kept(self) -> Bool[np.ndarray, "h w"]:
        """What stays as recorded in all frames, on the plate: the support, if it is preserved, and the like."""
        ...

    @property
    def key(self) -> KeyFrame: ...
    @property
    def fill(self) -> "Filler":
        """Closes holes by a guess without detail."""
        ...


@runtime_checkable
class Deals(Protocol):
    """Gives a variant one card of a named deck; no card comes twice in an episode before all have come once.

    With `every`, so many variants share a card: for what goes with another deck of that many cards.
    """

    @property
    def language(self) -> tuple[str, ...]:
        """The episode's instructions, as recorded; often one, sometimes none."""
        ...

    def __call__(self, deck: str, cards: Sequence[str], every: int = 1) -> str: ...


@runtime_checkable
class Generates(Protocol):
    """A way to generate, as planning and the pipeline see it; augment.generate.Generator is one."""

    def draw(self, rng: np.random.Generator, deal: Deals) -> dict[str, Any]: ...
    def identity(self) -> dict[str, Any]: ...
    def remarks(self) -> list[str]: ...
    def support(self, scene: SceneView) -> Bool[np.ndarray, "h w"] | None: ...
    def untouched(self, scene: SceneView, index: int) -> Bool[np.ndarray, "h w"] | None: ...
    def frame_by_frame(self, granularity: Granularity) -> "Generates | None": ...
    @property
    def edits(self) -> Role | None: ...
    @property
    def clip(self) -> int: ...
    def __call__(
        self, choices: Mapping[str, Any], scene: SceneView, picture: UInt8[np.ndarray, "h w 3"]
    ) -> UInt8[np.ndarray, "h w 3"]: ...
    def film(self, choices: Mapping[str, Any], scene: SceneView, footage: Footage) -> UInt8[np.ndarray, "t h w 3"]: ...


@runtime_checkable
class Filler(Protocol):
    """Completes a picture where nothing is known."""

    def __call__(
        self, picture: UInt8[np.ndarray, "h w 3"], hole: Bool[np.ndarray, "h w"]
    ) -> UInt8[np.ndarray, "h w 3"]: ...


@dataclass(frozen=True)
class PlannedStep:
    """One step of a recipe with all its random choices made."""

    name: str
    method: str
    choices: Mapping[str, Any]
    """JSON values only."""


@dataclass(frozen=True)
class Plan:
    """One variant, decided. Everything random in it is already a number; its id is its own hash (see plan.py)."""

    episode: str
    variant: int
    attempt: int
    """0 at first; one more each time a check turned the variant down."""
    recipe_hash: str
    steps: tuple[PlannedStep, ...]
