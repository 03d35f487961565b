"""Masks that exist already: inside the dataset, or in a folder beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from augment.errors import RequestError
from augment.layers import file_name
from augment.segment.base import Segmenter
from augment.segment.painted import read_mask
from augment.types import Background, MaskTrack, Role
from robot_io.errors import EpisodeError
from robot_io.types import Episode, FrameSource


@dataclass(frozen=True)
class Recorded(Segmenter):
    """`segment=recorded`."""

    masks: str | None = None
    """Folder of masks, `<episode name or id>/<camera>/<role>/<frame number>.png`, one picture a frame, white = the
    thing. Without it, the masks that came with the recording."""

    def find(self, episode: Episode, camera: str, background: Background) -> Sequence[MaskTrack]:
        if self.masks is None:
            return episode.masks.get(camera, ())
        frames = episode.cameras[camera]
        return [MaskFolder(path, Role(path.name), frames) for path in self._folders(episode, camera)]

    def provides(self, episode: Episode, camera: str) -> frozenset[Role]:
        if self.masks is None:
            return frozenset(track.role for track in episode.masks.get(camera, ()))
        return frozenset(Role(path.name) for path in self._folders(episode, camera))

    def files(self, episode: Episode, camera: str) -> list[Path]:
        masks = [path for folder in self._folders(episode, camera) for path in sorted(folder.glob("*.png"))]
        return super().files(episode, camera) + masks

    def check(self) -> None:
        super().check()
        if self.masks is not None and not Path(self.masks).is_dir():
            raise RequestError(f"segment.masks={self.masks} is not a folder; it holds <episode>/<camera>/<role>/*.png")

    def _folders(self, episode: Episode, camera: str) -> list[Path]:
        if self.masks is None:
            return []
        roots = [Path(self.masks) / name / file_name(camera) for name in (episode.id, episode.name)]
        return [root / role for root in roots for role in Role if (root / role).is_dir()]


@dataclass(frozen=True)
class MaskFolder:
    """A MaskTrack over a folder with one numbered picture per frame."""

    path: Path
    role: Role
    frames: FrameSource
    label: str = "recorded"
    confidence: float | None = None

    def __len__(self) -> int:
        return len(self.frames)

    def read(self, start: int, stop: int) -> Bool[np.ndarray, "t h w"]:
        stop = min(stop, len(self))
        if len(self._files) != len(self):
            raise EpisodeError(
                f"{self.path} has {len(self._files)} masks; its camera has {len(self)} frames. Give every frame one"
            )
        masks = [read_mask(path, self.frames.height, self.frames.width) for path in self._files[start:stop]]
        return np.stack(masks) if masks else np.zeros((0, self.frames.height, self.frames.width), np.bool_)

    @cached_property
    def _files(self) -> list[Path]:
        return sorted(self.path.glob("*.png"))
