"""What generators see of a camera, and what they make of it: a plate, and where asked for a background per frame."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, UInt8

from augment.images import is_blank, warp
from augment.layers import Layers
from augment.pipeline.key import FOREGROUND, find_key
from augment.pipeline.moving import own_backdrop, uncovered
from augment.pipeline.sought import find
from augment.plan import Step
from augment.pngs import decode
from augment.scene import fill_smoothly
from augment.types import Backdrop, Filler, Footage, KeyFrame, PlannedStep, Role, Seeks, Stability
from robot_io.types import Clip, FrameSource

Plate = UInt8[np.ndarray, "h w 3"]
Pictures = UInt8[np.ndarray, "t h w 3"]
Masks = Bool[np.ndarray, "t h w"]


@dataclass(frozen=True, eq=False)
class Filmed:
    """A SceneView."""

    layers: Layers
    frames: FrameSource
    preserve: frozenset[Role]
    """Roles whose pixels stay as recorded (`Recipe.kept`)."""
    _regions: dict[Role | Seeks, Bool[np.ndarray, "h w"]] = field(default_factory=dict, init=False, repr=False)

    @property
    def camera(self) -> str:
        return self.layers.camera

    @property
    def height(self) -> int:
        return self.layers.height

    @property
    def width(self) -> int:
        return self.layers.width

    @property
    def plate(self) -> Plate:
        return self.layers.plate

    def region(self, what: Role | Seeks) -> Bool[np.ndarray, "h w"]:
        """As SceneView says; all masks are read once, though it may be asked for every frame."""
        if what not in self._regions:
            self._regions[what] = self.layers.region(what) if isinstance(what, Role) else self._found(what, 0)
        return self._regions[what]

    def region_in(self, index: int, what: Role | Seeks) -> Bool[np.ndarray, "h w"]:
        """As SceneView says."""
        if not self.moves:
            return np.asarray(warp(self.region(what), self.layers.warps[index]))
        if isinstance(what, Role):
            return np.asarray(self.layers.mask(what, index, index + 1)[0])
        return self._found(what, index)

    def _found(self, what: Seeks, index: int) -> Bool[np.ndarray, "h w"]:
        return decode(find(what, self.layers, self.frames)[index], (self.height, self.width), what.phrase)

    @property
    def moves(self) -> bool:
        """Whether the camera does, so that no plate serves two of its frames."""
        return self.layers.stability == Stability.MOVING

    @cached_property
    def kept(self) -> Bool[np.ndarray, "h w"]:
        nothing = np.zeros((self.height, self.width), dtype=np.bool_)
        return np.asarray(np.logical_or.reduce([nothing, *map(self.region, sorted(self.preserve - set(FOREGROUND)))]))

    @property
    def fill(self) -> Filler:
        return fill_smoothly

    @cached_property
    def key(self) -> KeyFrame:
        return find_key(self.layers, self.frames)


@dataclass(frozen=True, eq=False)
class NewScene:
    """What a plan makes of a camera's background."""

    filmed: Filmed
    plate: Plate
    """What the steps that make plates made; of no meaning before a camera that moves."""
    steps: Sequence[tuple[Step, PlannedStep]]
    """Of the plan; those that make plates come first."""

    @classmethod
    def make(cls, filmed: Filmed, steps: Sequence[tuple[Step, PlannedStep]]) -> "NewScene":
        """Carry out the steps that make plates."""
        picture = filmed.plate
        for step, planned in steps:
            if not step.generator.clip:
                picture = step.generator(planned.choices, filmed, picture)
        return cls(filmed, picture, steps)

    @property
    def shots(self) -> list[tuple[Step, PlannedStep]]:
        """Steps that go on from the plate, frame by frame."""
        return [(step, planned) for step, planned in self.steps if step.generator.clip]

    @property
    def clip(self) -> int:
        """Frames that have to be asked for together; 1 where that does not matter."""
        return int(np.lcm.reduce([1, *(step.generator.clip for step, _ in self.shots)]))

    def spare(self, clip: Clip, keep: Masks, alpha: UInt8[np.ndarray, "t h w"]) -> Masks:
        """Keep as well what no step changes, and frames that show nothing. Returns where that is."""
        everywhere = np.zeros_like(keep)
        for index, frame in enumerate(clip.frames):
            spared = np.ones_like(keep[index]) if is_blank(frame) else self._untouched(clip.start + index)
            if spared is not None:
                keep[index] |= spared
                alpha[index][spared] = 0
                everywhere[index] = spared
        return everywhere

    def _untouched(self, index: int) -> Bool[np.ndarray, "h w"] | None:
        """Where frame `index` stays as recorded, whatever is drawn; None for nowhere."""
        untouched = None
        for step, _ in self.steps:
            spared = step.generator.untouched(self.filmed, index)
            if spared is None:
                return None
            untouched = spared if untouched is None else untouched & spared
        return untouched

    def backdrops(self, clip: Clip, keep: Masks) -> Iterator[tuple[slice, Backdrop]]:
        """What lies behind frames of a window: all of them at once, or each by itself before a camera that moves."""
        layers = self.filmed.layers
        if not self.filmed.moves:
            old = layers.backdrop(self.plate, clip.start, clip.stop)
            behind = [old.new_behind(index) for index in range(len(clip))] if self.shots else []
            new = self._film(clip, keep, np.stack(behind)) if self.shots else self.plate
            yield slice(0, len(clip)), replace(old, new=new)
            return
        made = self._film(clip, keep, np.stack(list(map(uncovered, clip.frames, keep))))
        for index, each in enumerate(zip(clip.frames, keep, made, strict=True)):
            yield slice(index, index + 1), own_backdrop(*each)

    def _film(self, clip: Clip, keep: Masks, behind: Pictures) -> Pictures:
        """The new backgrounds of these frames, painted one by one over what lies behind them."""
        for step, planned in self.shots:
            length = step.generator.clip
            parts = [slice(start, start + length) for start in range(0, len(behind), length)]
            footage = [Footage(clip.start + part.start, clip.frames[part], keep[part], behind[part]) for part in parts]
            behind = np.concatenate([step.generator.film(planned.choices, self.filmed, each) for each in footage])
        return behind
