"""A TFDS directory of RLDS episodes as a Dataset."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import file_digest
from pathlib import Path

import numpy as np
from xxhash import xxh3_128, xxh3_128_hexdigest

from robot_io.formats.rlds import example
from robot_io.formats.rlds.assemble import assemble
from robot_io.formats.rlds.contents import SIDECAR, Contents
from robot_io.formats.rlds.frames import RldsFrames, RldsFrameWriter, frame_size, read_part
from robot_io.formats.rlds.info import FEATURES, INFO
from robot_io.types import Episode, EpisodeEntry, Field, Part, Provenance


@dataclass(frozen=True, eq=False)
class RldsDataset:
    """See robot_io.formats.base.Dataset."""

    contents: Contents

    @property
    def format(self) -> str:
        return "rlds"

    @property
    def path(self) -> Path:
        """The version folder: the one with features.json in it."""
        return self.contents.path

    @property
    def entries(self) -> tuple[EpisodeEntry, ...]:
        return self.contents.entries

    def open(self, episode_id: str) -> Episode:
        """Raises EpisodeError when it cannot be used, KeyError when no such id exists."""
        number = self.contents.by_id[episode_id]
        entry = self.entries[number]
        stored = example.entries(self.contents.payload(number))
        return Episode(
            entry.id,
            entry.name,
            entry.length,
            dict(self._cameras(entry, stored)),
            dict(self._signals(entry, stored)),
            self._language(stored),
            provenance=self.provenance(entry.name),
        )

    def frame_writer(self, episode_id: str, camera: str, path: Path) -> RldsFrameWriter:
        """A writer of new frames for `camera`. Raises ValueError where the episode has no such camera."""
        return RldsFrameWriter(self._camera(episode_id, camera), path)

    def _camera(self, episode_id: str, camera: str) -> RldsFrames:
        cameras = self.open(episode_id).cameras
        source = cameras.get(camera)
        if not isinstance(source, RldsFrames):
            raise ValueError(f"episode {episode_id} has no camera {camera!r}; it has {', '.join(cameras)}")
        return source

    def frame_reader(self, episode_id: str, camera: str, path: Path) -> RldsFrames:
        """What such a writer left. Raises EpisodeError where that cannot be read."""
        source = self._camera(episode_id, camera)
        return replace(source, blobs=tuple(read_part(path, len(source))))

    def assemble(self, parts: Iterable[Part], out: Path, keep_originals: bool) -> None:
        """Write the data directory `out`; the dataset is `out/<name>[/<config>]/<version>`."""
        assemble(self.contents, parts, out, keep_originals)

    def select(self, names: Collection[str]) -> "RldsDataset":
        """The same dataset with only the entries called `names`."""
        return RldsDataset(self.contents.select(names))

    def fields(self, name: str) -> Iterator[Field]:
        """Every feature of the record. Raises KeyError for an unknown name, EpisodeError for an unreadable record."""
        cameras = {feature.key: camera for camera, feature in self.contents.cameras.items()}
        payload = self.contents.payload(self.contents.numbers[name])
        for key, entry in example.entries(payload).items():
            yield Field(key, _digest(entry), cameras.get(key))

    def dataset_fields(self) -> Iterator[Field]:
        """features.json, each key of dataset_info.json, and each other file."""
        yield Field(FEATURES, _file_digest(self.path / FEATURES))
        for key, value in self.contents.info.content.items():
            yield Field(
                f"{INFO}/{key}", _digest(json.dumps(value, sort_keys=True).encode()), bookkeeping=key == "splits"
            )
        for file in self.contents.other_files():
            yield Field(file.relative_to(self.path).as_posix(), _file_digest(file))
        if (self.path / SIDECAR).is_file():
            yield Field(SIDECAR, _file_digest(self.path / SIDECAR), bookkeeping=True)

    def provenance(self, name: str) -> Provenance | None:
        """From augmentation.jsonl; None where the entry called `name` was recorded."""
        line = self.contents.sidecar.get(name)
        return None if line is None else Provenance.from_json(line)

    def problems(self) -> list[str]:
        """Wrong numBytes, shards nobody declares, provenance of records that do not exist."""
        return list(self.contents.unsound)

    def _cameras(self, entry: EpisodeEntry, stored: Mapping[str, memoryview]) -> Iterator[tuple[str, RldsFrames]]:
        for name, feature in self.contents.cameras.items():
            if feature.key in stored:
                blobs = tuple(bytes(blob) for blob in example.values(stored[feature.key]))
                yield name, RldsFrames(name, entry.name, blobs, *frame_size(feature, blobs))

    def _signals(self, entry: EpisodeEntry, stored: Mapping[str, memoryview]) -> Iterator[tuple[str, np.ndarray]]:
        for feature in self.contents.features:
            if feature.is_signal and feature.key in stored:
                values = feature.steps_of(example.values(stored[feature.key]), entry.length)
                yield feature.key.removeprefix("steps/"), values

    def _language(self, stored: Mapping[str, memoryview]) -> tuple[str, ...]:
        texts = [
            bytes(text).decode(errors="replace")
            for feature in self.contents.features
            if feature.is_language and feature.key in stored
            for text in example.values(stored[feature.key])
        ]
        return tuple(text for text in dict.fromkeys(texts) if text)


def _digest(stored: bytes | memoryview) -> str:
    return xxh3_128_hexdigest(stored)


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, xxh3_128).hexdigest()
