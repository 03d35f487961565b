"""What generators see of a camera, and what they make of it: a plate, and where asked for a background per frame."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, UInt8

from augment.images import exposed, is_blank, unwarp, warp
from augment.layers import Layers
from augment.plan import Step
from augment.scene import fill_smoothly
from augment.types import Filler, Footage, KeyFrame, PlannedStep, Role
from robot_io.types import Clip, FrameSource

FOREGROUND = frozenset({Role.ROBOT, Role.OBJECT})
LOOKS = 24  # frames among which the key frame is chosen

Plate = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True, eq=False)
class Filmed:
    """A SceneView."""

    layers: Layers
    frames: FrameSource
    preserve: frozenset[Role]
    """Roles whose pixels stay as recorded."""
    _regions: dict[Role, Bool[np.ndarray, "h w"]] = field(default_factory=dict, init=False, repr=False)

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

    def region(self, role: Role) -> Bool[np.ndarray, "h w"]:
        """As SceneView says; all masks are read once, though it may be asked for every frame."""
        if role not in self._regions:
            self._regions[role] = self.layers.region(role)
        return self._regions[role]

    @cached_property
    def kept(self) -> Bool[np.ndarray, "h w"]:
        roles = (self.preserve | {Role.OTHER}) - FOREGROUND
        return np.asarray(np.logical_or.reduce([self.region(role) for role in sorted(roles)]))

    @property
    def fill(self) -> Filler:
        return fill_smoothly

    @cached_property
    def key(self) -> KeyFrame:
        """The one of some frames in which robot and object, the smaller of both above all, cover most."""
        best, greatest = 0, -1.0
        for index in np.unique(np.linspace(0, len(self.frames) - 1, LOOKS).round().astype(int)):
            masks = self.layers.masks(int(index), int(index) + 1)
            areas = [float(masks[role].mean()) for role in sorted(FOREGROUND) if role in masks]
            score = float(np.prod(areas)) if areas else 0.0
            best, greatest = (int(index), score) if score > greatest else (best, greatest)
        by = unwarp(self.layers.warps[best])
        frame = self.frames.read(best, best + 1).frames[0]
        picture = warp(exposed(frame, 1 / np.maximum(self.layers.gains[best], np.float32(0.1))), by)
        return KeyFrame(picture, warp(self.layers.keep(FOREGROUND, best, best + 1)[0], by))


@dataclass(frozen=True, eq=False)
class NewScene:
    """What a plan makes of a camera's background."""

    filmed: Filmed
    plate: Plate
    """What the steps that make plates made."""
    shots: Sequence[tuple[Step, PlannedStep]]
    """Steps that go on from there, frame by frame."""
    untouched: Bool[np.ndarray, "h w"]
    """Where no step changes anything, on the plate: there frames stay as recorded."""

    @classmethod
    def make(cls, filmed: Filmed, steps: Sequence[tuple[Step, PlannedStep]]) -> "NewScene":
        """Carry out the steps that make plates."""
        picture = filmed.plate
        plates = [(step, planned) for step, planned in steps if not step.generator.clip]
        for step, planned in plates:
            picture = step.generator(planned.choices, filmed, picture)
        untouched = np.ones(picture.shape[:2], dtype=np.bool_)
        for step, _ in steps:
            spared = step.generator.untouched(filmed)
            untouched &= False if spared is None else spared
        return cls(filmed, picture, steps[len(plates) :], untouched)

    @property
    def clip(self) -> int:
        """Frames that have to be asked for together; 1 where that does not matter."""
        return int(np.lcm.reduce([1, *(step.generator.clip for step, _ in self.shots)]))

    def spare(self, clip: Clip, keep: Bool[np.ndarray, "t h w"], alpha: UInt8[np.ndarray, "t h w"]) -> None:
        """Keep as well what no step changes, and frames that show nothing."""
        anything = self.untouched.any()
        for index, frame in enumerate(clip.frames):
            if is_blank(frame):
                keep[index], alpha[index] = True, 0
            elif anything:
                untouched = warp(self.untouched, self.filmed.layers.warps[clip.start + index])
                keep[index] |= untouched
                alpha[index][untouched] = 0

    def behind(self, clip: Clip, keep: Bool[np.ndarray, "t h w"]) -> Plate | UInt8[np.ndarray, "t h w 3"]:
        """The new plate, or where frames are painted one by one, the new backgrounds of these."""
        if not self.shots:
            return self.plate
        backdrop = self.filmed.layers.backdrop(self.plate, clip.start, clip.start + len(clip.frames))
        behind = np.stack([backdrop.new_behind(index) for index in range(len(clip.frames))])
        for step, planned in self.shots:
            length = step.generator.clip
            parts = [slice(start, start + length) for start in range(0, len(behind), length)]
            behind = np.concatenate(
                [
                    step.generator.film(
                        planned.choices,
                        self.filmed,
                        Footage(
                            clip.start + part.start, clip.frames[part], keep[part], behind[part], backdrop.warps[part]
                        ),
                    )
                    for part in parts
                ]
            )
        return behind
