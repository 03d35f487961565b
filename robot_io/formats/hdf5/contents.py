"""The table of contents of robomimic-style files, and what is stored about each line of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
from xxhash import xxh3_64, xxh3_64_hexdigest

from robot_io.errors import DatasetError
from robot_io.formats.hdf5.digests import attribute_digest, dataset_digest, links, walk
from robot_io.formats.hdf5.layout import (
    DEMO_NAME,
    PROVENANCE,
    camera_shapes,
    demo_order,
    files_of,
    filter_keys,
    is_camera,
    read,
)
from robot_io.types import EpisodeEntry, Field

Listing = list[tuple[EpisodeEntry, str]]
"""Entries with the names of their demos."""


def table_of_contents(path: Path) -> tuple[tuple[EpisodeEntry, ...], dict[str, tuple[Path, str]]]:
    """Entries of a file or folder, and entry name -> (file, demo name). Raises DatasetError when it is unsound.

    A file of a folder that cannot be read is one entry with a problem; if none can, the first one's error is raised.
    """
    entries: list[EpisodeEntry] = []
    places: dict[str, tuple[Path, str]] = {}
    cameras: set[str] = set()
    errors: list[DatasetError] = []
    for file_path in files_of(path):
        prefix = "" if file_path == path else f"{file_path.stem}/"
        try:
            listing = _list_demos(file_path, prefix, cameras)
        except DatasetError as error:
            errors.append(error)
            entries.append(EpisodeEntry(file_path.stem, xxh3_64_hexdigest(prefix.encode()), 0, (), str(error)))
            continue
        entries += [entry for entry, _ in listing]
        places |= {entry.name: (file_path, demo) for entry, demo in listing}
    if errors and not places:
        raise errors[0]
    if not cameras:
        raise DatasetError(
            f"{path} has no camera: no uint8 dataset (T, h, w, 3) under any /data/demo_<i>/obs. {_what_it_has(path)}"
        )
    return tuple(entries), places


def _list_demos(path: Path, prefix: str, cameras: set[str]) -> Listing:
    with read(path) as file:
        if not isinstance(file.get("data"), h5py.Group):
            raise DatasetError(
                f"{path} has no group /data (it has: {', '.join(file) or 'nothing'}); expected the robomimic layout, "
                "/data/demo_<i>/obs/<camera>"
            )
        splits = _memberships(file)
        return [
            (_entry(prefix + demo, demo, file["data"][demo], splits.get(demo, ()), cameras), demo)
            for demo in sorted(file["data"], key=demo_order)
        ]


def _what_it_has(path: Path) -> str:
    with read(files_of(path)[0]) as file:
        names = [name for name, _ in walk(file)]
    return f"It has: {', '.join(names[:12]) or 'nothing'}{', ...' if len(names) > 12 else ''}"


def _entry(name: str, demo: str, group: Any, splits: tuple[str, ...], cameras: set[str]) -> EpisodeEntry:
    if not isinstance(group, h5py.Group):
        return EpisodeEntry(name, dataset_digest(group)[:16], 0, splits, "is a dataset, not a demo group")
    digest = xxh3_64()
    try:
        for item in demo_fields(group):
            digest.update(f"{item.name}\0{item.digest}\0".encode())
        problem = _problem(demo, group, cameras)
    except (OSError, RuntimeError) as error:  # what h5py raises for damaged objects
        digest.update(name.encode())
        problem = f"damaged: {error}"
    length = 0 if problem else int(group.attrs["num_samples"])
    return EpisodeEntry(name, digest.hexdigest(), length, splits, problem)


def _problem(demo: str, group: h5py.Group, known: set[str]) -> str | None:
    """Why a demo cannot be used. `known`: cameras of the demos before it; learns new ones."""
    if not DEMO_NAME.fullmatch(demo):
        return f"is named {demo!r}; readers expect demo_<number>"
    if "num_samples" not in group.attrs:
        return "has no attribute num_samples, which readers require"
    length = int(group.attrs["num_samples"])
    if length == 0:
        return "has zero steps (num_samples is 0)"
    cameras = camera_shapes(group)
    for camera, shape in cameras.items():
        if shape[0] != length:
            return f"obs/{camera} has {shape[0]} frames but num_samples is {length}"
    known |= set(cameras)
    missing = sorted(known - set(cameras))
    return f"lacks the camera obs/{missing[0]} that other demos have" if missing else None


def _memberships(file: h5py.File) -> dict[str, tuple[str, ...]]:
    """Demo name -> filter keys that list it."""
    members: dict[str, tuple[str, ...]] = {}
    for key, names in filter_keys(file).items():
        for name in names:
            members[name] = (*members.get(name, ()), key)
    return members


def demo_fields(group: h5py.Group) -> Iterator[Field]:
    for path, item in (("", group), *walk(group)):
        for name in sorted(item.attrs):
            mark = path == "" and name == PROVENANCE
            yield Field(f"{path}@{name}", attribute_digest(item.attrs, name), bookkeeping=mark)
        if isinstance(item, h5py.Dataset):
            camera = path.removeprefix("obs/") if path.startswith("obs/") and is_camera(item) else None
            yield Field(path, dataset_digest(item), camera)
        else:
            for name, target in links(item):
                yield Field(f"{path}/{name}", f"-> {target}")


def outside_demos(file: h5py.File) -> Iterator[tuple[str, str]]:
    for path, item in (("", file), *walk(file)):
        if path.startswith("data/"):
            continue
        for name in sorted(item.attrs):
            yield f"{path}@{name}", attribute_digest(item.attrs, name)
        if isinstance(item, h5py.Dataset):
            yield path, dataset_digest(item)


def file_problems(path: Path) -> Iterator[str]:
    with read(path) as file:
        data = file["data"]
        steps = sum(int(data[demo].attrs.get("num_samples", 0)) for demo in data)
        if "total" in data.attrs and int(data.attrs["total"]) != steps:
            yield f"{path.name}: /data attribute total is {data.attrs['total']} but the demos have {steps} steps"
        for key, names in filter_keys(file).items():
            for name in names:
                if name not in data:
                    yield f"{path.name}: mask/{key} lists {name}, which is not in /data"
