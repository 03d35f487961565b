"""What every way to generate has in common: choices first, then pixels."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from augment.types import Deals, Footage, Granularity, Role, SceneView


@dataclass(frozen=True)
class Generator(ABC):
    """Subclasses are frozen dataclasses; their fields are their options."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, deal: Deals) -> dict[str, Any]:
        """Every random choice of one variant, as JSON values. Shared by all cameras of the episode.

        What variants must not have in common comes from `deal`, the rest from `rng`.
        """

    @abstractmethod
    def __call__(
        self, choices: Mapping[str, Any], scene: SceneView, picture: UInt8[np.ndarray, "h w 3"]
    ) -> UInt8[np.ndarray, "h w 3"]:
        """The new plate of one camera. `picture` is what earlier steps made of the clean plate.

        No randomness: the same choices, scene and picture give the same plate.
        """

    @property
    def clip(self) -> int:
        """Frames that are painted together, each by itself but alike; 0 where one plate serves for all frames."""
        return 0

    @property
    def edits(self) -> Role | None:
        """The role that is painted anew while all else stays as recorded; None where that is no role."""
        return None

    def film(self, choices: Mapping[str, Any], scene: SceneView, footage: Footage) -> UInt8[np.ndarray, "t h w 3"]:
        """The new background of each frame, as it lies there; `clip` of them, or what is left at the end.

        As little randomness as in plates. Raises TypeError where the generator makes plates only.
        """
        raise TypeError(f"{type(self).__name__} makes one plate for all frames")

    def support(self, scene: SceneView) -> Bool[np.ndarray, "h w"] | None:
        """Where every plate of this camera shows something to stand on, whatever was drawn; None if that is unknown."""
        return None

    def untouched(self, scene: SceneView, index: int) -> Bool[np.ndarray, "h w"] | None:
        """Where frame `index` may stay as recorded, since nothing is changed there; None for nowhere."""
        return None

    def frame_by_frame(self, granularity: Granularity) -> "Generator | None":
        """The same by clips or frames, for cameras that move; None where it makes plates only."""
        return None

    def identity(self) -> dict[str, Any]:
        """All that decides the pixels, as JSON values; of the user's files a digest, not where they lie."""
        options = {name: value for name, value in asdict(self).items() if name != "path"}
        return {"kind": type(self).__name__, **options}

    def remarks(self) -> list[str]:
        """What a user should know before the run, a line each."""
        return []

    def check(self) -> None:  # noqa: B027 - most have nothing to check
        """Raises RequestError if the options name something that does not exist."""
