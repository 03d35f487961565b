"""Episodes on disk, and nothing else: no torch, no ray, no configuration."""

from robot_io.errors import DatasetError, EpisodeError
from robot_io.formats import FORMATS, open_dataset
from robot_io.types import (
    Clip,
    Episode,
    EpisodeEntry,
    Field,
    FrameSource,
    FrameWriter,
    MaskTrack,
    Part,
    Provenance,
    Role,
    Truth,
)

__all__ = [
    "FORMATS",
    "Clip",
    "DatasetError",
    "Episode",
    "EpisodeEntry",
    "EpisodeError",
    "Field",
    "FrameSource",
    "FrameWriter",
    "MaskTrack",
    "Part",
    "Provenance",
    "Role",
    "Truth",
    "open_dataset",
]
