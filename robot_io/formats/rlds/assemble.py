"""Writing a data directory: records are copied or rewritten one by one, then the whole appears by one rename."""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from robot_io.atomic import replacing
from robot_io.errors import DatasetError, EpisodeError
from robot_io.formats.rlds import example
from robot_io.formats.rlds.contents import SIDECAR, Contents
from robot_io.formats.rlds.frames import read_part
from robot_io.formats.rlds.info import FEATURES, INFO
from robot_io.formats.rlds.tfrecord import FRAMING, write_record
from robot_io.types import Part

THREADS = 4
MAX_RECORD = 1_900_000_000
"""Bytes. Protobuf readers take no message of 2 GiB or more."""

Item = tuple[int, Part | None]
"""A record to write: number of its source entry, and the variant of it; None for the original."""


def assemble(contents: Contents, parts: Iterable[Part], out: Path, keep_originals: bool) -> None:
    """Write the data directory `out`. See robot_io.formats.base.Dataset.assemble.

    Parts of episodes that are not in `contents` are passed over, and so are splits left without a record. Raises
    DatasetError where `out` must not be replaced or nothing is left to write, EpisodeError where a part or a rewritten
    record cannot be used.
    """
    out = out.resolve()
    _refuse_unsafe(contents, out)
    layout = _layout(contents, parts, keep_originals)
    with replacing(out) as unfinished:
        folder = unfinished.joinpath(*contents.info.folders)
        folder.mkdir(parents=True)
        _write(contents, layout, folder)


def _refuse_unsafe(contents: Contents, out: Path) -> None:
    if contents.path.is_relative_to(out) or out.is_relative_to(contents.path):
        raise DatasetError(f"{out} overlaps the source {contents.path}, which would be lost; choose another folder")
    name = contents.info.folders[0]
    if out.exists() and not (out.is_dir() and {child.name for child in out.iterdir()} <= {name}):
        raise DatasetError(f"{out} holds other things than the dataset {name} and is not replaced; choose a new folder")


def _layout(contents: Contents, parts: Iterable[Part], keep_originals: bool) -> dict[str, list[list[Item]]]:
    """Split -> shards -> items. The source's shards, then for each variant number the same shards of variants."""
    chosen = {(part.variant, part.episode): part for part in parts}
    sources: list[list[int]] = [[] for _ in contents.shards]
    for number, (entry, location) in enumerate(zip(contents.entries, contents.locations, strict=True)):
        if not entry.problem:
            sources[location.shard].append(number)
    layout: dict[str, list[list[Item]]] = {}
    for split in contents.info.splits:
        own = [numbers for (name, _), numbers in zip(contents.shards, sources, strict=True) if name == split.name]
        shards: list[list[Item]] = [[(number, None) for number in numbers] for numbers in own] if keep_originals else []
        for variant in sorted({variant for variant, _ in chosen}):
            for numbers in own:
                keys = [(number, (variant, contents.entries[number].id)) for number in numbers]
                shards.append([(number, chosen[key]) for number, key in keys if key in chosen])
        if any(shards):
            layout[split.name] = [shard for shard in shards if shard]
    if not layout:
        raise DatasetError(f"nothing to write: {contents.path} has no usable episode, or no variant was made of one")
    return layout


def _write(contents: Contents, layout: Mapping[str, Sequence[Sequence[Item]]], folder: Path) -> None:
    sizes: dict[str, tuple[list[int], int]] = {}
    told: list[str] = []
    for split in contents.info.splits:
        shards = layout.get(split.name, [])
        names = contents.info.shards(split, len(shards))
        with ThreadPoolExecutor(THREADS) as pool:
            written = pool.map(lambda name, items: _write_shard(contents, items, folder / name), names, shards)
            size = sum(written)
        if shards:
            sizes[split.name] = ([len(items) for items in shards], size)
        told += _sidecar_lines(contents, split.name, (item for items in shards for item in items))
    for file in contents.other_files():
        copy = folder / file.relative_to(contents.path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    shutil.copyfile(contents.path / FEATURES, folder / FEATURES)
    if told:
        (folder / SIDECAR).write_text("".join(told), encoding="utf-8")
    (folder / INFO).write_text(contents.info.with_splits(sizes), encoding="utf-8")


def _write_shard(contents: Contents, items: Sequence[Item], path: Path) -> int:
    """Returns the bytes of all payloads."""
    shard = contents.locations[items[0][0]].shard
    source = contents.path / contents.shards[shard][1]
    size = sum(contents.locations[number].size for number, _ in items)
    if all(part is None for _, part in items) and source.stat().st_size == size + len(items) * FRAMING:
        shutil.copyfile(source, path)  # nothing left out, nothing added
        return size
    size = 0
    with path.open("wb") as file:
        for number, part in items:
            payload = contents.payload(number)
            if part is not None:
                payload = _rewritten(contents, number, payload, part)
            write_record(file, payload)
            size += len(payload)
    return size


def _rewritten(contents: Contents, number: int, payload: bytes, part: Part) -> bytes:
    entry = contents.entries[number]
    unknown = set(part.files) - set(contents.cameras)
    if unknown:
        raise EpisodeError(f"{entry.name}: a variant of it has cameras {sorted(unknown)}, which the dataset has not")
    frames = {contents.cameras[name].key: read_part(path, entry.length) for name, path in part.files.items()}
    new = example.replace(payload, frames)
    if len(new) > MAX_RECORD:
        raise EpisodeError(
            f"{entry.name}: variant {part.variant} would be a record of {len(new)} bytes, more than the {MAX_RECORD} "
            "that readers take; cut the episode into shorter ones"
        )
    return new


def _sidecar_lines(contents: Contents, split: str, items: Iterable[Item]) -> Iterator[str]:
    for record, (number, part) in enumerate(items):
        recorded: Mapping[str, Any] | None = contents.sidecar.get(contents.entries[number].name)
        told = recorded if part is None else part.provenance.to_json()
        if told is not None:
            line = {**told, "split": split, "record": record}
            yield json.dumps(line, sort_keys=True, ensure_ascii=False) + "\n"
