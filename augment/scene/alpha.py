"""Soft alpha: what the masks cannot say of thin and of transparent things, told from the clean plate."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, UInt8

from augment.images import exposed, grow, is_blank, pixels, warp
from augment.scene.thin import thin_parts
from augment.scene.transparent import FEW, passed, transparency
from augment.types import AlphaTrack, Background, MaskTrack, Role
from robot_io.types import FrameSource

TRANSPARENT = {"glass", "transparent", "clear", "crystal"}  # words of a label
MOVABLE = (Role.ROBOT, Role.OBJECT)
EVERY = 4  # frames: what hangs somewhere does so for a while
SWING = 0.06  # of the height, from frame to frame
SAMPLES = 16  # frames that tell how transparent a thing is as a whole

Picture = UInt8[np.ndarray, "h w 3"]
Mask = Bool[np.ndarray, "h w"]


def find_alpha(
    frames: FrameSource, background: Background, hole: Mask, tracks: Sequence[MaskTrack]
) -> list[AlphaTrack]:
    """Alpha of what is thin and hangs from robot and objects, and of tracks whose label says they are transparent.

    `background`: with the final clean plate; `hole`: where that is a guess, and no alpha is claimed.
    """
    moving = [track for track in tracks if track.role in MOVABLE]
    if not moving:
        return []
    carrier = Role.ROBOT if any(track.role == Role.ROBOT for track in moving) else Role.OBJECT
    scene = Scene(frames, background, hole)
    clear = [track for track in moving if TRANSPARENT & set(re.split(r"\W+", track.label.lower()))]
    opaque = [track for track in moving if track not in clear]
    seen_through = {role: [track for track in clear if track.role == role] for role in MOVABLE}
    return [
        ThinParts(scene, moving, carrier),
        *(Transparent(scene, these, opaque, role) for role, these in seen_through.items() if these),
    ]


@dataclass(frozen=True, eq=False)
class Scene:
    """A recording, and what is known to be behind."""

    frames: FrameSource
    background: Background
    hole: Mask

    def at(self, index: int) -> tuple[Picture, Mask]:
        """The clean plate as frame `index` would show it, and where it is unknown."""
        by = self.background.warps[index]
        plate = exposed(warp(self.background.plate, by), self.background.gains[index])
        return plate, warp(self._guessed, by)

    @cached_property
    def _guessed(self) -> Mask:
        return grow(self.hole, 1)


@dataclass(frozen=True, eq=False)
class ThinParts:
    """An AlphaTrack, computed when it is read, of what is outside of all masks but hangs from them.

    It is seen in two frames at least, one after the other, unless there is only one.
    """

    scene: Scene
    tracks: Sequence[MaskTrack]
    role: Role

    def __len__(self) -> int:
        return len(self.scene.frames)

    def read(self, start: int, stop: int) -> UInt8[np.ndarray, "t h w"]:
        stop = min(stop, len(self))
        first, last = max(0, start - 1) // EVERY * EVERY, min(len(self), -(-stop // EVERY) * EVERY + 1)
        found = self._found(first, last)
        if len(self) > 1 and found.any():
            near = grow(found > 0, pixels(SWING, found.shape[1]))
            beside = np.zeros_like(near)
            beside[1:] |= near[:-1]
            beside[:-1] |= near[1:]
            found[~beside] = 0
        return found[start - first : stop - first]

    def _found(self, first: int, last: int) -> UInt8[np.ndarray, "t h w"]:
        """Each by itself; one frame in `EVERY` tells whether those around it are looked at."""
        clip = self.scene.frames.read(first, last)
        found = np.zeros(clip.frames.shape[:3], dtype=np.uint8)

        def look(index: int) -> bool:
            frame, number = clip.frames[index], first + index
            keep = np.logical_or.reduce([track.read(number, number + 1)[0] for track in self.tracks])
            if keep.any() and not is_blank(frame):
                found[index] = thin_parts(frame, *self.scene.at(number), keep)
            return bool(found[index].any())

        around = {index: range(max(0, index - EVERY + 1), index + EVERY) for index in range(0, len(clip), EVERY)}
        more = {beside for index, indices in around.items() if look(index) for beside in indices}
        for index in sorted(more & set(range(len(clip))) - set(around)):
            look(index)
        return found


@dataclass(frozen=True, eq=False)
class Transparent:
    """An AlphaTrack, computed when it is read, of what is within masks, but seen through."""

    scene: Scene
    tracks: Sequence[MaskTrack]
    opaque: Sequence[MaskTrack]
    """Tracks of what may be before it."""
    role: Role

    def __len__(self) -> int:
        return len(self.scene.frames)

    def read(self, start: int, stop: int) -> UInt8[np.ndarray, "t h w"]:
        return np.stack([transparency(*self._view(index), self._usual) for index in range(start, min(stop, len(self)))])

    def _view(self, index: int) -> tuple[Picture, Picture, Mask]:
        """A frame, the plate behind it, and where in it the thing and the plate are known."""
        frame = self.scene.frames.read(index, index + 1).frames[0]
        plate, unknown = self.scene.at(index)
        where = np.logical_or.reduce([track.read(index, index + 1)[0] for track in self.tracks]) & ~unknown
        for track in self.opaque:
            where &= ~track.read(index, index + 1)[0]
        return frame, plate, where

    @cached_property
    def _usual(self) -> float:
        """How much of what is behind is seen through it, in all; 0 if too little detail tells."""
        places = np.linspace(0, len(self) - 1, min(SAMPLES, len(self))).round().astype(int).tolist()
        shown, power = np.sum([passed(*self._view(index)) for index in places], axis=0)
        return float(np.clip(shown / (power + FEW), 0, 1))
