"""What a rendered dataset is to be like. Importable without MuJoCo."""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np


@dataclass(frozen=True)
class Conditions:
    """What makes a recording by the static camera hard; none of it by default.

    Raises ValueError where a value is out of range.
    """

    sway: float = 0.0
    """Pixels by which the camera turns back and forth at most."""
    drift: float = 0.0
    """Share by which its exposure rises and falls at most, in linear light; least in blue."""
    noise: float = 0.0
    """Standard deviation of the sensor's noise, grey levels; both cameras."""
    rest: int = 0
    """Steps for which the arm stays where it is before it begins."""
    arrival: int = 0
    """Step from which the object is there."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 0:
                raise ValueError(f"{name} is {value}; it must not be negative")


@dataclass(frozen=True)
class TabletopSpec:
    """A rendered dataset; equal specs give equal bytes on the same kind of machine.

    Raises ValueError where a value is out of range.
    """

    episodes: int = 8
    size: int = 128
    """Height and width of the static camera, pixels; the wrist camera has half of it."""
    seed: int = 0
    conditions: Conditions = Conditions()
    every: int = 1
    """Only every so many steps is recorded, from a random one of the first on: few pictures of many scenes."""

    def __post_init__(self) -> None:
        if self.episodes < 1:
            raise ValueError(f"episodes is {self.episodes}; a dataset has at least 1")
        if self.size < 32 or self.size % 2:
            raise ValueError(f"size is {self.size}; it must be even (the wrist camera has half of it) and at least 32")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; it must not be negative")
        if self.every < 1:
            raise ValueError(f"every is {self.every}; at least 1, which records all steps")

    def random(self, index: int) -> np.random.Generator:
        """The source of everything random in one episode. Raises IndexError where there is no such episode."""
        if not 0 <= index < self.episodes:
            raise IndexError(f"episode {index} of a dataset of {self.episodes}: indices run from 0")
        return _stream(f"tabletop {self.seed} {index}")

    def random_elsewhere(self, index: int) -> np.random.Generator:
        """The source of all that the episode's truth adds to it, and of its conditions."""
        return _stream(f"tabletop elsewhere {self.seed} {index}")


def _stream(name: str) -> np.random.Generator:
    key = blake2b(name.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))
