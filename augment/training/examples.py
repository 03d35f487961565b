"""Pictures with things in them, for training: from any episodes that have masks and an instruction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from PIL import Image

from augment.errors import RequestError
from augment.instructions import named_things
from augment.models.tensors import DEVIATION, MEAN
from robot_io.types import Episode, Role

ROBOT = ("robot arm", "robot")
OPEN_EPISODES = 64
TRIES = 200  # for each example that is wanted
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


class Examples:
    """Frames of episodes as examples, in random batches that a number decides."""

    def __init__(self, open_episode: Callable[[str], Episode], episodes: Sequence[str], cameras: Sequence[str]) -> None:
        """`open_episode` gives an episode by its id; of `cameras`, those that have masks are used.

        Raises EpisodeError where an episode cannot be opened, ValueError where there is nothing to learn from.
        """
        self._open = lru_cache(OPEN_EPISODES)(open_episode)
        self._shots: list[tuple[str, str, int]] = []
        phrases: dict[str, None] = {}
        for name in episodes:
            episode = self._open(name)
            for camera in sorted(set(cameras) & set(episode.masks)):
                self._shots += [(name, camera, frame) for frame in range(episode.length)]
            phrases |= dict.fromkeys(phrase for called in _called(episode).values() for phrase in called)
        if not self._shots:
            raise ValueError(
                f"no episode has masks of the cameras {', '.join(cameras)}; there is nothing to learn from"
            )
        self.phrases = sorted(phrases)
        """All that things are called in any of them."""

    def __len__(self) -> int:
        return len(self._shots)

    def batch(self, count: int, size: int, rng: np.random.Generator) -> list[Example]:
        """`count` varied examples of `size` x `size` pixels that show something. Raises RequestError if too few do."""
        found: list[Example] = []
        for _ in range(TRIES * count):
            name, camera, frame = self._shots[rng.integers(len(self._shots))]
            example = vary(read_example(self._open(name), camera, frame), size, rng)
            if example.things:
                found.append(example)
            if len(found) == count:
                return found
        raise RequestError(
            f"hardly one of {TRIES * count} pictures shows a thing of {SMALLEST} pixels at {size}x{size}; enlarge masks"
        )


def read_example(episode: Episode, camera: str, index: int) -> Example:
    """One recorded frame with its masks of robot, object and goal, the latter two named by the instruction."""
    picture = episode.cameras[camera].read(index, index + 1).frames[0]
    called = _called(episode)
    tracks = [track for track in episode.masks.get(camera, ()) if track.role in called]
    return Example(
        picture, tuple(Thing(track.role, called[track.role], track.read(index, index + 1)[0]) for track in tracks)
    )


def vary(example: Example, size: int, rng: np.random.Generator) -> Example:
    """A square crop of `size` pixels, perhaps mirrored, in other light and with noise, without things that it lost."""
    height, width = example.picture.shape[:2]
    side = min(height, width) * (1.0 if rng.random() < 0.3 else rng.uniform(NEAREST, 1))
    left, top = rng.uniform(0, width - side), rng.uniform(0, height - side)
    box = (left, top, left + side, top + side)
    mirrored = rng.random() < 0.5
    picture = cropped(example.picture, box, size, mirrored)
    things = [
        Thing(thing.role, thing.phrases, cropped(thing.mask.astype(np.uint8) * 255, box, size, mirrored) > 127)
        for thing in example.things
    ]
    kept = tuple(thing for thing in things if thing.mask.sum() >= SMALLEST)
    return Example(_relit(picture, rng), kept)


def normalised(pictures: Sequence[UInt8[np.ndarray, "h w 3"]], device: Any) -> torch.Tensor:
    """Pictures of one size as networks take them: float32 `(n, 3, h, w)`, by ImageNet's mean and deviation."""
    pixels = torch.from_numpy(np.stack(pictures)).to(device)
    mean, deviation = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (MEAN, DEVIATION))
    return (pixels.permute(0, 3, 1, 2).float() / 255 - mean) / deviation


def _called(episode: Episode) -> dict[Role, tuple[str, ...]]:
    """What the things of an episode may be called."""
    named = {thing.role: (thing.phrase,) for text in episode.language for thing in named_things(text)}
    return {Role.ROBOT: ROBOT, **named}


def cropped(picture: np.ndarray, box: tuple[float, float, float, float], size: int, mirrored: bool) -> np.ndarray:
    """A part of a picture or mask at another size."""
    made = np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR, box=box))
    return made[:, ::-1] if mirrored else made


def _relit(picture: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator) -> UInt8[np.ndarray, "h w 3"]:
    levels = np.linspace(0, 1, 256) ** rng.uniform(*GAMMA)
    tables = 255 * levels[:, None] * rng.uniform(*EXPOSURE) * rng.uniform(0.93, 1.07, 3)
    lit = np.stack([tables[picture[..., channel], channel] for channel in range(3)], axis=-1)
    return np.clip(np.rint(lit + rng.normal(0, rng.uniform(0, NOISE), lit.shape)), 0, 255).astype(np.uint8)
