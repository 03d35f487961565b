"""An independent witness: what moves before the clean plate, and is in nobody's mask."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool

from augment.images import grow
from augment.segment.pieces import without_specks
from augment.types import MaskTrack, Role

LABEL = "moves, and nobody named it"


@dataclass(frozen=True, eq=False)
class Unnamed:
    """A MaskTrack of all that moves outside of other tracks, and a little away from them."""

    motion: MaskTrack
    named: Sequence[MaskTrack] = field(repr=False)
    smallest: float
    """Share of the picture; smaller pieces are noise."""
    reach: int
    """Pixels around what is named, in which motion is its shadow or its outline."""
    role: Role = Role.OBJECT
    label: str = LABEL
    confidence: float | None = None

    def __len__(self) -> int:
        return len(self.motion)

    def read(self, start: int, stop: int) -> Bool[np.ndarray, "t h w"]:
        moving = self.motion.read(start, stop)
        named = np.zeros_like(moving)
        for track in self.named:
            named |= track.read(start, stop)
        for mask, near in zip(moving, named, strict=True):
            rest = mask & ~grow(near, self.reach)
            mask[:] = without_specks(rest.astype(np.float32), self.smallest * rest.size) > 0 if rest.any() else rest
        return moving
