"""An independent witness: what moves before the clean plate, and is in no mask."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool

from augment.images import grow
from augment.types import MaskTrack, Role


@dataclass(frozen=True, eq=False)
class Missed:
    """A MaskTrack of what moves outside of other tracks: the outlines that they miss, or what nobody named.

    A missing pixel of the robot costs more than one too many: it is gone, and the other shows a bit of the old scene.
    """

    motion: MaskTrack
    named: Sequence[MaskTrack] = field(repr=False)
    """Tracks whose pixels are theirs."""
    role: Role
    reach: int | None = None
    """Pixels around tracks of this role within which it counts; None for anywhere."""
    label: str = "moves, in no other mask"
    confidence: float | None = None

    def __len__(self) -> int:
        return len(self.motion)

    def read(self, start: int, stop: int) -> Bool[np.ndarray, "t h w"]:
        moving = self.motion.read(start, stop)
        named, own = np.zeros_like(moving), np.zeros_like(moving)
        for track in self.named:
            mask = track.read(start, stop)
            named |= mask
            if track.role == self.role:
                own |= mask
        near = True if self.reach is None else grow(own, self.reach)
        return np.asarray(moving & ~named & near)
