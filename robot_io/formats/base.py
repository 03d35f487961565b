"""What every dataset format promises.

A format is a module with `recognises(path)` and `open(path)`; what `open` returns is a Dataset. Formats do not know
each other. See CONTRIBUTING.md, "Adding a format": the contract test in tests/robot_io/test_formats.py runs on
every name in `robot_io.formats.FORMATS`.
"""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

from robot_io.errors import DatasetError
from robot_io.types import Episode, EpisodeEntry, Field, FrameSource, FrameWriter, Part, Provenance

LFS_MAGIC = b"version https://git-lfs.github.com/spec"


@runtime_checkable
class Dataset(Protocol):
    """A dataset on disk. Picklable: it holds paths and a table of contents, no open files."""

    @property
    def format(self) -> str: ...
    @property
    def path(self) -> Path:
        """The file or folder that is the dataset, resolved."""
        ...

    @property
    def entries(self) -> tuple[EpisodeEntry, ...]:
        """Every episode, in the dataset's order, unreadable ones included (their `problem` says why)."""
        ...

    def open(self, episode_id: str) -> Episode:
        """Raises EpisodeError when it cannot be used, KeyError when no such id exists."""
        ...

    def frame_writer(self, episode_id: str, camera: str, path: Path) -> FrameWriter:
        """A writer of new frames for `camera` into the new file `path`, flushed to disk on exit."""
        ...

    def frame_reader(self, episode_id: str, camera: str, path: Path) -> FrameSource:
        """The frames that such a writer left in `path`. Raises EpisodeError where they cannot be read."""
        ...

    def assemble(self, parts: Iterable[Part], out: Path, keep_originals: bool) -> None:
        """Write the dataset `out`, same shape as this one, in one streaming pass.

        Originals first, in order, then variant 0 of every episode, then variant 1, ... A variant joins every split
        and filter of its source; an episode that stands in two splits has its variants in both. Episodes with a
        problem are left out. Whatever is not a restaged camera is carried over byte for byte. `out` appears by one
        rename (or its index file last), replacing an earlier `out`. The bytes depend on this dataset and the parts
        alone, not on the order in which parts come.
        """
        ...

    def select(self, names: Collection[str]) -> "Dataset":
        """The same dataset with only the entries called `names`."""
        ...

    def fields(self, name: str) -> Iterator[Field]:
        """Everything stored about the entry called `name`."""
        ...

    def dataset_fields(self) -> Iterator[Field]:
        """Everything stored about the dataset rather than one episode."""
        ...

    def provenance(self, name: str) -> Provenance | None:
        """Of the entry called `name`; None where it was recorded."""
        ...

    def problems(self) -> list[str]:
        """What is unsound beyond single episodes' problems: counts, indices, declared against stored."""
        ...


def refuse_lfs_pointer(path: Path) -> None:
    """Raises DatasetError if the file is a Git-LFS pointer left in place of the data."""
    with path.open("rb") as file:
        if file.read(len(LFS_MAGIC)) == LFS_MAGIC:
            raise DatasetError(f"{path} is a Git-LFS pointer, not the data itself; fetch it with `git lfs pull`")
