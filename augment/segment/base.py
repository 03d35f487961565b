"""What every way to segment has in common: one call, and the parts that a person painted."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from augment.errors import RequestError
from augment.segment.painted import painted_files, painted_roles, painted_tracks
from augment.types import Background, MaskTrack, Role
from robot_io.types import Episode

FOLDERS = {"keep_always", "masks", "references"}  # what they hold counts, not where it lies


@dataclass(frozen=True)
class Segmenter(ABC):
    """Episode, camera, Background -> mask tracks. Subclasses are frozen dataclasses; their fields are their options."""

    keep_always: str | None = None
    """Folder of what a person painted of parts that never move by themselves: `<camera>.png` or `<camera>.<role>.png`,
    white = keep, and polygons, `<camera>.json`."""

    @property
    def rounds(self) -> int:
        """How often `guess` is asked about samples first, each time with the plate that its last masks uncovered; 0 if
        masks do not depend on the plate."""
        return 0

    @property
    def shares_batches(self) -> bool:
        """Whether threads that segment at once share batches of a network, and so gain from it."""
        return False

    def __call__(self, episode: Episode, camera: str, background: Background) -> tuple[MaskTrack, ...]:
        """Every track of a camera: found ones first, painted ones last. Raises as `painted` does."""
        return (*self.find(episode, camera, background), *self.painted(episode, camera, background))

    def painted(self, episode: Episode, camera: str, background: Background) -> tuple[MaskTrack, ...]:
        """What a person painted. Raises EpisodeError, and RequestError where polygons cannot be understood."""
        return painted_tracks(self.keep_always, episode.cameras[camera], background)

    @abstractmethod
    def find(self, episode: Episode, camera: str, background: Background) -> Sequence[MaskTrack]:
        """The tracks that this way to segment finds."""

    def guess(self, episode: Episode, camera: str, background: Background) -> Sequence[MaskTrack]:
        """The same, of a few small samples, to uncover the plate."""
        return self.find(episode, camera, background)

    def complete(
        self, episode: Episode, camera: str, background: Background, tracks: Sequence[MaskTrack]
    ) -> Sequence[MaskTrack]:
        """More tracks, which only what was found so far can tell. Called once, last."""
        return ()

    @abstractmethod
    def provides(self, episode: Episode, camera: str) -> frozenset[Role]:
        """Roles that `find` covers on this camera, known without looking at pixels."""

    def roles(self, episode: Episode, camera: str) -> frozenset[Role]:
        """Roles that somebody provides for this camera: the way to segment, or a painter.

        Raises RequestError where painted polygons cannot be understood.
        """
        return self.provides(episode, camera) | painted_roles(self.keep_always, camera)

    def identity(self) -> dict[str, Any]:
        """All that decides the masks besides the recording and `files`, as JSON values."""
        options = {name: value for name, value in asdict(self).items() if name not in FOLDERS}
        return {"kind": type(self).__name__, **options}

    def files(self, episode: Episode, camera: str) -> list[Path]:
        """Files of the user's, besides the recording, that the tracks of a camera depend on."""
        return painted_files(self.keep_always, camera)

    def check(self) -> None:
        """Raises RequestError if a folder that an option names does not exist."""
        if self.keep_always is not None and not Path(self.keep_always).is_dir():
            raise RequestError(
                f"segment.keep_always={self.keep_always} is not a folder; it holds painted <camera>.png or .json"
            )
