"""What is done, on disk: parts, and the record of variants that did not become one.

    <work>/run.json                              whose work this is
    <work>/parts/<episode>/<variant>/part.json   a finished variant, put there by one rename
    <work>/outcomes/<episode>/<variant>.json     turned down by a check, or left as recorded on purpose

Failures are not kept: the next run tries again.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import uuid4

from robot_io.atomic import flush
from robot_io.types import Part, Provenance

PART = "part.json"


class Status(StrEnum):
    DONE = "done"
    LEFT = "left as recorded"  # on purpose: no camera of the episode can or should change
    REJECTED = "rejected"  # by a check, at every attempt
    FAILED = "failed"  # by an error


@dataclass(frozen=True)
class Outcome:
    """How one variant ended."""

    status: Status
    reason: str | None
    attempts: int
    cameras: Mapping[str, str]
    """Camera -> what was done to it."""
    figures: Mapping[str, Mapping[str, float]]
    """Camera -> what its check measured."""
    layers: Mapping[str, str]
    """Camera -> digest of the layers it was made from."""

    def to_json(self) -> dict[str, Any]:
        figures = {camera: dict(values) for camera, values in self.figures.items()}
        return {**vars(self), "cameras": dict(self.cameras), "figures": figures, "layers": dict(self.layers)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Outcome":
        fields = {name: record[name] for name in cls.__dataclass_fields__}
        return cls(**{**fields, "status": Status(record["status"])})


@dataclass(frozen=True)
class Ledger:
    """The record below a work folder. Every write is atomic; any number of workers may share it."""

    work: Path

    def find(self, episode: str, variant: int, layers: Mapping[str, str]) -> Outcome | None:
        """How a variant ended, if it did and its layers are still the same."""
        for path in (self._part(episode, variant) / PART, self._outcome(episode, variant)):
            if path.is_file():
                outcome = Outcome.from_json(json.loads(path.read_text())["outcome"])
                if outcome.layers == layers:
                    return outcome
        return None

    @contextmanager
    def open_part(self, episode: str, variant: int) -> Iterator[Path]:
        """An empty folder to make a part in; gone afterwards unless committed."""
        folder = self.work / "parts" / episode / f".{variant:04d}.{uuid4().hex}"
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def commit(self, folder: Path, outcome: Outcome, provenance: Provenance, files: Mapping[str, str]) -> None:
        """Make the part in `folder` visible. `files`: restaged camera -> file name in the folder."""
        record = {"outcome": outcome.to_json(), "provenance": provenance.to_json(), "files": dict(files)}
        _write_json(folder / PART, record)
        part = self._part(provenance.source, provenance.variant)
        shutil.rmtree(part, ignore_errors=True)  # made from layers that have changed since
        folder.rename(part)
        flush(part.parent)

    def note(self, episode: str, variant: int, outcome: Outcome) -> None:
        """Remember a variant that did not become a part."""
        shutil.rmtree(self._part(episode, variant), ignore_errors=True)
        path = self._outcome(episode, variant)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{uuid4().hex}")
        _write_json(unfinished, {"outcome": outcome.to_json()})
        unfinished.replace(path)

    def parts(self, episodes: Iterable[str], variants: int) -> Iterator[Part]:
        """Finished variants of these episodes, numbers below `variants`."""
        for episode in dict.fromkeys(episodes):
            for variant in range(variants):
                folder = self._part(episode, variant)
                if (folder / PART).is_file():
                    record = json.loads((folder / PART).read_text())
                    files = {camera: folder / name for camera, name in record["files"].items()}
                    yield Part(episode, variant, files, Provenance.from_json(record["provenance"]))

    def sweep(self) -> None:
        """Remove what a run that died was in the middle of. Call it only when nobody else is at work."""
        for pattern in ("parts/*/.*", "layers/*/*/.*", "outcomes/*/.*"):
            for path in self.work.glob(pattern):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)

    def _part(self, episode: str, variant: int) -> Path:
        return self.work / "parts" / episode / f"{variant:04d}"

    def _outcome(self, episode: str, variant: int) -> Path:
        return self.work / "outcomes" / episode / f"{variant:04d}.json"


def _write_json(path: Path, record: Mapping[str, Any]) -> None:
    with path.open("w") as file:
        json.dump(record, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
