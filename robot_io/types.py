"""What a recording is made of.

Frames are uint8 RGB, `(t, h, w, 3)`, upright, whatever the file stores. Times are seconds. Masks are bool,
True where the thing is. Everything a format does not understand stays in the file and is never represented here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float64, UInt8


class Role(StrEnum):
    """What a mask is of."""

    ROBOT = "robot"
    OBJECT = "object"  # what is manipulated
    GOAL = "goal"  # a fixed thing that the task is about: sink, plate, lever, drawer
    SUPPORT = "support"  # table, floor
    OTHER = "other"


@dataclass(frozen=True, eq=False)
class Clip:
    """A contiguous piece of one camera's stream."""

    camera: str
    start: int
    """Index, in the episode, of the first frame."""
    frames: UInt8[np.ndarray, "t h w 3"]
    timestamps: Float64[np.ndarray, " t"]
    """Seconds from the start of the episode; frame indices where the recording knows no rate."""

    def __post_init__(self) -> None:
        if self.frames.dtype != np.uint8 or self.frames.ndim != 4 or self.frames.shape[-1] != 3:
            raise ValueError(
                f"frames of {self.camera} are {self.frames.dtype} {self.frames.shape}; a clip holds uint8 (t, h, w, 3)"
            )
        if len(self.timestamps) != len(self.frames):
            raise ValueError(f"{self.camera}: {len(self.frames)} frames but {len(self.timestamps)} timestamps")

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def stop(self) -> int:
        return self.start + len(self.frames)

    def part(self, which: slice) -> "Clip":
        """Some of its frames in a row, `which` counted from its first."""
        start, stop, _ = which.indices(len(self))
        return Clip(self.camera, self.start + start, self.frames[start:stop], self.timestamps[start:stop])

    def __repr__(self) -> str:
        return f"Clip({self.camera!r}, {self.start}:{self.stop}, {self.frames.shape[1]}x{self.frames.shape[2]})"


@runtime_checkable
class FrameSource(Protocol):
    """One camera of an episode, decoded on demand."""

    @property
    def camera(self) -> str: ...
    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    def __len__(self) -> int: ...
    def read(self, start: int, stop: int) -> Clip:
        """Frames `start:stop`. Raises EpisodeError where they cannot be decoded."""
        ...


@runtime_checkable
class MaskTrack(Protocol):
    """One thing followed through a camera, read in windows, never whole."""

    @property
    def role(self) -> Role: ...
    @property
    def label(self) -> str: ...
    @property
    def confidence(self) -> float | None:
        """How sure its maker is of it, 0..1; None where it cannot tell."""
        ...

    def __len__(self) -> int: ...
    def read(self, start: int, stop: int) -> Bool[np.ndarray, "t h w"]: ...


@runtime_checkable
class FrameWriter(Protocol):
    """Encodes one camera of one variant the way its source is encoded. A context manager; frames come in order."""

    def __enter__(self) -> "FrameWriter": ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def write(self, clip: Clip) -> Clip:
        """Append the clip; returns it as a reader of the output will decode it (itself where lossless)."""
        ...


@dataclass(frozen=True)
class Provenance:
    """How an episode came to be. JSON-ready: no paths, no times, no objects."""

    source: str
    """Id of the recorded episode."""
    variant: int
    plan: Mapping[str, Any]
    recipe_hash: str
    cameras: Mapping[str, str]
    """What was done to each camera: `restaged`, or `as recorded: <why>`."""
    revisions: Mapping[str, str]
    """Name of the software or model -> its revision."""

    def to_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "variant": self.variant,
            "recipe_hash": self.recipe_hash,
            "plan": dict(self.plan),
            "cameras": dict(self.cameras),
            "revisions": dict(self.revisions),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Provenance":
        return cls(**{key: record[key] for key in cls.__dataclass_fields__})

    @property
    def restaged(self) -> tuple[str, ...]:
        """Names of the cameras whose pictures were changed."""
        return tuple(sorted(name for name, fate in self.cameras.items() if fate == "restaged"))


@dataclass(frozen=True, eq=False)
class Episode:
    """One demonstration, as far as Restage needs to understand it."""

    id: str
    """16 hex digits of a hash of its content (XXH3); the same in every copy of the dataset."""
    name: str
    """Where a person finds it: `demo_3`, `train/12`."""
    length: int
    """Steps; every camera has as many frames."""
    cameras: Mapping[str, FrameSource]
    signals: Mapping[str, np.ndarray]
    """Actions, proprioception and the like, `(length, ...)` in the recorded dtype."""
    language: tuple[str, ...] = ()
    fps: float | None = None
    masks: Mapping[str, tuple[MaskTrack, ...]] = field(default_factory=dict)
    """Camera -> masks that came with the recording."""
    provenance: Provenance | None = None


@dataclass(frozen=True, eq=False)
class Truth:
    """What a rendered camera knows and a recorded one cannot; pictures are uint8 `(t, h, w, 3)`, True = the thing."""

    camera: str
    masks: Mapping[Role, Bool[np.ndarray, "t h w"]]
    plate: UInt8[np.ndarray, "t h w 3"]
    """Neither robot nor object, nor their shadows and reflections."""
    without_object: UInt8[np.ndarray, "t h w 3"]
    """The robot alone: object, its shadow and its reflection gone."""
    without_object_shadow: UInt8[np.ndarray, "t h w 3"]
    """Object still there, casting no shadow."""
    new_plate: UInt8[np.ndarray, "t h w 3"]
    """`plate` with other materials on table and wall."""
    restaged: UInt8[np.ndarray, "t h w 3"]
    """Robot and object, lit as in the recording, with their shadows and reflections on the other materials."""


@dataclass(frozen=True)
class EpisodeEntry:
    """One line of a dataset's table of contents. Two entries may share an id: the same record in two splits."""

    name: str
    id: str
    length: int
    splits: tuple[str, ...] = ()
    problem: str | None = None
    """Why it cannot be used, or None."""


@dataclass(frozen=True)
class Part:
    """A finished variant on disk: one file of encoded frames per restaged camera."""

    episode: str
    variant: int
    files: Mapping[str, Path]
    """Camera -> file, written by the format's own frame writer."""
    provenance: Provenance


@dataclass(frozen=True)
class Field:
    """One thing stored about an episode or a dataset, as a digest of its bytes, type, shape and storage."""

    name: str
    digest: str
    camera: str | None = None
    """The camera whose pictures it holds."""
    bookkeeping: bool = False
    """True where the format itself makes it change when episodes are added: counts, splits, provenance."""
