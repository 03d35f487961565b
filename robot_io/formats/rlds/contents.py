"""The table of contents as an object."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from robot_io.errors import EpisodeError
from robot_io.formats.rlds.features import Feature, cameras
from robot_io.formats.rlds.info import FEATURES, INFO, Info
from robot_io.formats.rlds.tfrecord import read_record
from robot_io.types import EpisodeEntry

SIDECAR = "augmentation.jsonl"
LOADER_CACHE = "dataset_statistics_*.json"
"""Statistics that a loader left; they are of the dataset as it was, so they belong to no copy of it."""


@dataclass(frozen=True)
class Location:
    """Where a record is."""

    shard: int
    """Index among all shards of all splits."""
    offset: int
    """Bytes from the start of the file."""
    size: int
    """Bytes of the payload; 0 where it cannot be read."""


@dataclass(frozen=True)
class Contents:
    """All that is known of a dataset without its frames. Picklable."""

    path: Path
    info: Info
    features: tuple[Feature, ...]
    shards: tuple[tuple[str, str], ...]
    """Split and file name of each."""
    entries: tuple[EpisodeEntry, ...]
    locations: tuple[Location, ...]
    """Of each entry."""
    sidecar: Mapping[str, Mapping[str, Any]]
    """Entry name -> its line of augmentation.jsonl."""
    unsound: tuple[str, ...]
    """What is wrong beyond single episodes."""

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """Entry name -> its number in `entries`."""
        return {entry.name: number for number, entry in enumerate(self.entries)}

    @cached_property
    def by_id(self) -> Mapping[str, int]:
        """Episode id -> number of its first entry."""
        return {entry.id: number for number, entry in reversed(list(enumerate(self.entries)))}

    @cached_property
    def cameras(self) -> Mapping[str, Feature]:
        return cameras(self.features)

    def payload(self, number: int) -> bytes:
        """The record of an entry. Raises EpisodeError where it has a problem or is no longer what it was."""
        entry, location = self.entries[number], self.locations[number]
        if entry.problem:
            raise EpisodeError(f"{entry.name}: {entry.problem}")
        try:
            payload = read_record(self.path / self.shards[location.shard][1], location.offset)
        except (OSError, ValueError) as error:
            raise EpisodeError(f"{entry.name}: {error}; it was whole when the dataset was opened") from error
        if len(payload) != location.size:
            raise EpisodeError(f"{entry.name}: its record has changed since the dataset was opened; open it again")
        return payload

    def other_files(self) -> list[Path]:
        """Files that belong to the dataset but hold no records, say nothing of them, and are no loader's cache."""
        return [
            file
            for file in sorted(self.path.rglob("*"))
            if file.is_file()
            and file.relative_to(self.path).as_posix() not in (INFO, FEATURES, SIDECAR)
            and not file.match(LOADER_CACHE)
            and ".tfrecord-" not in file.name
        ]

    def select(self, names: Collection[str]) -> "Contents":
        """The same dataset with only the entries called `names`."""
        chosen = [number for number, entry in enumerate(self.entries) if entry.name in names]
        return replace(
            self,
            entries=tuple(self.entries[number] for number in chosen),
            locations=tuple(self.locations[number] for number in chosen),
        )
