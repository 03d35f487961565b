"""What can be wrong with a dataset beyond its single episodes."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from robot_io.formats.rlds.contents import SIDECAR, Location
from robot_io.formats.rlds.info import INFO, Info
from robot_io.types import EpisodeEntry, Provenance


def read_sidecar(path: Path) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Entry name -> its line of augmentation.jsonl, and what is wrong with the other lines."""
    told, unsound = dict[str, dict[str, Any]](), list[str]()
    lines = (path / SIDECAR).read_bytes().splitlines() if (path / SIDECAR).is_file() else []
    for number, text in enumerate(lines, 1):
        try:
            line = json.loads(text)
            name = f"{line['split']}/{int(line['record'])}"
            Provenance.from_json(line)
        except (ValueError, KeyError, TypeError) as error:
            unsound.append(f"{SIDECAR} line {number} cannot be understood ({type(error).__name__}: {error})")
            continue
        if name in told:
            unsound.append(f"{SIDECAR} line {number} is the second about {name}")
        told[name] = line
    return told, unsound


def wrong_sizes(info: Info, entries: Sequence[EpisodeEntry], locations: Sequence[Location]) -> Iterator[str]:
    """Splits whose numBytes is not what their records add up to, where all of these can be read."""
    for split in info.splits:
        found = zip(entries, locations, strict=True)
        sizes = [location.size for entry, location in found if entry.splits == (split.name,)]
        if all(sizes) and split.num_bytes not in (None, sum(sizes)):
            yield f"{INFO} declares numBytes {split.num_bytes} for split {split.name}; its records hold {sum(sizes)}"


def stray_shards(path: Path, declared: Collection[str]) -> Iterator[str]:
    """Files of records that no split declares."""
    for file in sorted(path.glob("*.tfrecord-*")):
        if file.name not in declared:
            yield f"{file.name} is in the folder, but {INFO} does not declare it"


def stray_provenance(told: Mapping[str, Mapping[str, Any]], entries: Sequence[EpisodeEntry]) -> Iterator[str]:
    """Lines of augmentation.jsonl about records that do not exist."""
    names = {entry.name for entry in entries}
    for name in told:
        if name not in names:
            yield f"{SIDECAR} tells of record {name}, which does not exist"
