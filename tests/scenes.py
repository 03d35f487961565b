"""A tiny recording made of arrays: a square crosses a textured wall; another camera pans."""

import numpy as np

from augment.scene import fill_smoothly
from augment.types import Filler, KeyFrame
from robot_io.memory import ArrayFrames, ArrayMask
from robot_io.types import Episode, Role

LENGTH, HEIGHT, WIDTH = 8, 48, 64


def wall(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A picture with detail at several scales, uint8 (h, w, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 200, (height // 8 + 1, width // 8 + 1, 3)).repeat(8, 0).repeat(8, 1)[:height, :width]
    return (coarse + rng.integers(-12, 12, (height, width, 1))).clip(0, 255).astype(np.uint8)


def crossing_square(seed: int = 0, length: int = LENGTH) -> tuple[np.ndarray, np.ndarray]:
    """Frames (t, h, w, 3) of a square that crosses the wall, and where it is (t, h, w)."""
    frames = np.repeat(wall(seed)[None], length, axis=0)
    masks = np.zeros(frames.shape[:3], dtype=bool)
    for index in range(length):
        left = 2 + index * (WIDTH - 16) // max(1, length - 1)
        masks[index, 18:30, left : left + 12] = True
    frames[masks] = (250, 240, 20)
    return frames, masks


def panning(seed: int = 0, length: int = LENGTH) -> np.ndarray:
    """Frames of a camera that moves over a large wall."""
    large = wall(seed + 1, HEIGHT, WIDTH + 9 * length)
    return np.stack([large[:, 9 * index : 9 * index + WIDTH] for index in range(length)])


def episode(seed: int = 0, length: int = LENGTH) -> Episode:
    """Two cameras, `front` with a recorded robot mask and `wrist`."""
    frames, masks = crossing_square(seed, length)
    rng = np.random.default_rng(seed)
    return Episode(
        id=f"{seed:016x}",
        name=f"demo_{seed}",
        length=length,
        cameras={"front": ArrayFrames("front", frames), "wrist": ArrayFrames("wrist", panning(seed, length))},
        signals={"actions": rng.normal(size=(length, 7)).astype(np.float32)},
        language=("move the square",),
        masks={"front": (ArrayMask(Role.ROBOT, "square", masks),)},
    )


class NothingKept:
    """The part of a SceneView that generators without networks have no use for."""

    camera = "front"
    plate: np.ndarray

    def region_in(self, index: int, what: object) -> np.ndarray:
        return np.zeros(self.plate.shape[:2], bool)

    @property
    def kept(self) -> np.ndarray:
        return np.zeros(self.plate.shape[:2], bool)

    @property
    def fill(self) -> Filler:
        return fill_smoothly

    @property
    def key(self) -> KeyFrame:
        return KeyFrame(self.plate, self.kept)
