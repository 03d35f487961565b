"""Pictures with things in them, for training: from any episodes that have masks and an instruction."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from augment.instructions import named_things
from robot_io.types import Episode, Role

ROBOT = ("robot arm", "robot")
SMALLEST = 24  # pixels of a picture of training size, below which a thing is not worth asking for
NEAREST = 0.55  # share of the picture's side that a crop has at least
EXPOSURE, GAMMA, NOISE = (0.8, 1.25), (0.8, 1.25), 4.0


@dataclass(frozen=True, eq=False)
class Thing:
    """Something in a picture, and what it may be called."""

    role: Role
    phrases: tuple[str, ...]
    mask: Bool[np.ndarray, "h w"]


@dataclass(frozen=True, eq=False)
class Example:
    """One picture with all that is known to be in it."""

    picture: UInt8[np.ndarray, "h w 3"]
    things: tuple[Thing, ...]


def read_example(episode: Episode, camera: str, index: int) -> Example:
    """One recorded frame with its masks of robot, object and goal, the latter two named by the instruction."""
    picture = episode.cameras[camera].read(index, index + 1).frames[0]
    named = {thing.role: thing.phrase for text in episode.language for thing in named_things(text)}
    things = []
    for track in episode.masks.get(camera, ()):
        phrases = ROBOT if track.role == Role.ROBOT else (named[track.role],) if track.role in named else ()
        if phrases:
            things.append(Thing(track.role, phrases, track.read(index, index + 1)[0]))
    return Example(picture, tuple(things))


def vary(example: Example, size: int, rng: np.random.Generator) -> Example:
    """A square crop of `size` pixels, perhaps mirrored, in other light and with noise, without things that it lost."""
    height, width = example.picture.shape[:2]
    side = min(height, width) * (1.0 if rng.random() < 0.3 else rng.uniform(NEAREST, 1))
    left, top = rng.uniform(0, width - side), rng.uniform(0, height - side)
    box = (left, top, left + side, top + side)
    mirrored = rng.random() < 0.5
    picture = _cropped(example.picture, box, size, mirrored)
    things = [
        Thing(thing.role, thing.phrases, _cropped(thing.mask.astype(np.uint8) * 255, box, size, mirrored) > 127)
        for thing in example.things
    ]
    kept = tuple(thing for thing in things if thing.mask.sum() >= SMALLEST)
    return Example(_relit(picture, rng), kept)


def box_of(mask: Bool[np.ndarray, "h w"]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a mask that is not empty, pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _cropped(picture: np.ndarray, box: tuple[float, float, float, float], size: int, mirrored: bool) -> np.ndarray:
    made = np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR, box=box))
    return made[:, ::-1] if mirrored else made


def _relit(picture: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator) -> UInt8[np.ndarray, "h w 3"]:
    levels = np.linspace(0, 1, 256) ** rng.uniform(*GAMMA)
    tables = 255 * levels[:, None] * rng.uniform(*EXPOSURE) * rng.uniform(0.93, 1.07, 3)
    lit = np.stack([tables[picture[..., channel], channel] for channel in range(3)], axis=-1)
    return np.clip(np.rint(lit + rng.normal(0, rng.uniform(0, NOISE), lit.shape)), 0, 255).astype(np.uint8)
