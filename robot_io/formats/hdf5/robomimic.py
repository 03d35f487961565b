"""Robomimic-style HDF5 as a Dataset; the layout itself is described in layout.py."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from robot_io.errors import EpisodeError
from robot_io.formats.hdf5 import contents, layout
from robot_io.formats.hdf5.frames import H5Frames, H5FrameWriter, open_written
from robot_io.formats.hdf5.rewrite import assemble
from robot_io.types import Episode, EpisodeEntry, Field, Part, Provenance


def open_robomimic(path: Path) -> "RobomimicDataset":
    """Read the table of contents of the file or folder. Raises DatasetError when it is unsound as a whole."""
    return RobomimicDataset(path, *contents.table_of_contents(path))


@dataclass(frozen=True)
class RobomimicDataset:
    """A robomimic-style file, or a folder of them. See robot_io.formats.base.Dataset."""

    path: Path
    entries: tuple[EpisodeEntry, ...]
    places: Mapping[str, tuple[Path, str]]
    """Entry name -> file and demo name, for every demo in a file that can be read."""
    format: str = "hdf5"

    def open(self, episode_id: str) -> Episode:
        entry = self._by_id[episode_id]
        if entry.problem:
            raise EpisodeError(f"{entry.name}: {entry.problem}")
        path, demo = self.places[entry.name]
        with layout.read(path) as file:
            data, group = file["data"], file["data"][demo]
            turned, fps = layout.is_turned(data), layout.frames_per_second(data)
            shapes = layout.camera_shapes(group)
            return Episode(
                id=entry.id,
                name=entry.name,
                length=entry.length,
                cameras={
                    name: H5Frames(name, path, f"data/{demo}/obs/{name}", shape, fps, turned)
                    for name, shape in shapes.items()
                },
                signals=layout.signals(group, entry.length),
                language=layout.language(group, data),
                fps=fps,
                masks={name: layout.masks(path, group, name, turned) for name in shapes},
                provenance=layout.provenance(group),
            )

    def frame_writer(self, episode_id: str, camera: str, path: Path) -> H5FrameWriter:
        source, demo = self.places[self._by_id[episode_id].name]
        return H5FrameWriter(camera, source, f"data/{demo}/obs/{camera}", path, self._is_turned(source))

    def frame_reader(self, episode_id: str, camera: str, path: Path) -> H5Frames:
        source, _ = self.places[self._by_id[episode_id].name]
        return open_written(camera, path, self._is_turned(source))

    def _is_turned(self, source: Path) -> bool:
        with layout.read(source) as file:
            return layout.is_turned(file["data"])

    def assemble(self, parts: Iterable[Part], out: Path, keep_originals: bool) -> None:
        usable: dict[Path, list[tuple[str, str]]] = {path: [] for path in self._files}
        for entry in self.entries:
            if entry.problem is None:
                path, demo = self.places[entry.name]
                usable[path].append((demo, entry.id))
        assemble(self.path, usable, parts, out, keep_originals)

    def select(self, names: Collection[str]) -> "RobomimicDataset":
        return replace(self, entries=tuple(entry for entry in self.entries if entry.name in names))

    def fields(self, name: str) -> Iterator[Field]:
        path, demo = self.places[name]
        with layout.read(path) as file:
            yield from contents.demo_fields(file["data"][demo])

    def dataset_fields(self) -> Iterator[Field]:
        for path in self._files:
            prefix = "" if path == self.path else f"{path.name}:"
            with layout.read(path) as file:
                for name, digest in contents.outside_demos(file):
                    counted = name.startswith("mask/") or name in {f"data@{count}" for count in layout.COUNTS}
                    yield Field(prefix + name, digest, bookkeeping=counted)

    def provenance(self, name: str) -> Provenance | None:
        path, demo = self.places[name]
        with layout.read(path) as file:
            return layout.provenance(file["data"][demo])

    def problems(self) -> list[str]:
        return [problem for path in self._files for problem in contents.file_problems(path)]

    @cached_property
    def _by_id(self) -> dict[str, EpisodeEntry]:
        return {entry.id: entry for entry in self.entries}

    @property
    def _files(self) -> tuple[Path, ...]:
        """Files that can be read, in order."""
        return tuple(dict.fromkeys(path for path, _ in self.places.values()))
