"""Assembling a dataset: originals and variants in one pass, sharing on disk whatever they have in common."""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from robot_io.atomic import replacing
from robot_io.formats.hdf5.disk import writing
from robot_io.formats.hdf5.frames import FRAMES
from robot_io.formats.hdf5.layout import COUNTS, DEMO_NAME, PROVENANCE, camera_shapes, filter_keys, read
from robot_io.interruption import heed
from robot_io.types import Part

Usable = Mapping[Path, Sequence[tuple[str, str]]]
"""File -> demo name and episode id of every usable demo, in order."""


def assemble(root: Path, usable: Usable, parts: Iterable[Part], out: Path, keep_originals: bool) -> None:
    """Write `out`, a file or a folder like `root`. See robot_io.formats.base.Dataset.assemble."""
    by_episode: dict[str, list[Part]] = {}
    for part in parts:
        by_episode.setdefault(part.episode, []).append(part)
    with replacing(out) as unfinished:
        if root in usable:  # one file
            _assemble_file(root, usable[root], by_episode, unfinished, keep_originals)
        else:
            unfinished.mkdir()
            for path, demos in usable.items():
                _assemble_file(path, demos, by_episode, unfinished / path.name, keep_originals)


def _assemble_file(
    path: Path,
    demos: Sequence[tuple[str, str]],
    parts: Mapping[str, Sequence[Part]],
    out: Path,
    keep_originals: bool,
) -> None:
    variants = sorted(
        (part.variant, position, demo, part)
        for position, (demo, episode) in enumerate(demos)
        for part in parts.get(episode, ())
    )
    with read(path) as source:
        whole = keep_originals and len(demos) == len(source["data"])
        if whole:
            shutil.copyfile(path, out)  # nothing to leave out: the fastest copy, and the closest
            if not variants:
                return
        with writing(out, extend=whole) as target:
            graft = _Graft(target)
            if not whole:
                _copy_surroundings(source, target)
            sources = {demo: demo for demo, _ in demos if keep_originals}
            for demo in () if whole else sources:
                graft(source["data"][demo], target["data"].create_group(demo), {})
            number = 1 + max((int(name[5:]) for name in source["data"] if DEMO_NAME.fullmatch(name)), default=-1)
            for offset, (_, _, demo, part) in enumerate(variants):
                name = f"demo_{number + offset}"
                graft(source["data"][demo], target["data"].create_group(name), part.files)
                target["data"][name].attrs[PROVENANCE] = json.dumps(part.provenance.to_json(), sort_keys=True)
                sources[name] = demo
                heed()
            _count(source["data"], target["data"])
            if "mask" in source:
                _filter(source, target, sources)


def _copy_surroundings(source: h5py.File, target: h5py.File) -> None:
    """Everything but the demos and the filter keys."""
    _copy_attributes(source, target)
    for name in source:
        if name not in ("data", "mask"):
            source.copy(source[name], target, name, expand_refs=False)
    _copy_attributes(source["data"], target.create_group("data"))


@dataclass
class _Graft:
    """Copies demos into `target`; what is there already is hard-linked instead of copied again."""

    target: h5py.File
    homes: dict[str, str] = field(default_factory=dict)
    """Path of an object in the source -> where a verbatim copy lies in the target, if not at the same path."""

    def __call__(self, demo: h5py.Group, into: h5py.Group, replaced: Mapping[str, Path]) -> None:
        """Copy `demo` into the empty group `into`, with the cameras in `replaced` taken from their part files."""
        cameras = [f"{demo.name}/obs/{name}" for name in camera_shapes(demo)]
        files = {f"{demo.name}/obs/{name}": path for name, path in replaced.items()}
        self._group(demo, into, cameras, files)

    def _group(self, source: h5py.Group, into: h5py.Group, cameras: list[str], files: Mapping[str, Path]) -> None:
        _copy_attributes(source, into)
        for name in source:
            path = f"{source.name}/{name}"
            home = self.homes.get(path, path)
            if path in files:
                with h5py.File(files[path], "r") as part:
                    part.copy(FRAMES, into, name)
            elif any(camera.startswith(path + "/") for camera in cameras):
                self._group(source[name], into.create_group(name), cameras, files)
            elif isinstance(source.get(name, getlink=True), h5py.HardLink) and home in self.target:
                into[name] = self.target[home]
            else:
                source.copy(name, into, name, expand_refs=False)
                self.homes[path] = f"{into.name}/{name}"


def _copy_attributes(source: h5py.HLObject, target: h5py.HLObject) -> None:
    for name in source.attrs:
        kept = source.attrs.get_id(name)
        target.attrs.create(name, source.attrs[name], dtype=kept.dtype)


def _count(source: h5py.Group, data: h5py.Group) -> None:
    steps = sum(int(data[demo].attrs["num_samples"]) for demo in data)
    for name, value in zip(COUNTS, (steps, len(data)), strict=True):
        if name in source.attrs:
            data.attrs.create(name, value, dtype=source.attrs.get_id(name).dtype)


def _filter(source: h5py.File, target: h5py.File, sources: Mapping[str, str]) -> None:
    """Rewrite the filter keys for the demos in `sources` (name in the target -> name in the source)."""
    mask = target.require_group("mask")
    _copy_attributes(source["mask"], mask)
    keys = filter_keys(source)
    for name in source["mask"]:
        if name not in keys:
            if name not in mask:
                source["mask"].copy(name, mask, name, expand_refs=False)
            continue
        if name in mask:
            del mask[name]
        members = [demo.encode() for demo, origin in sources.items() if origin in set(keys[name])]
        stored = source["mask"][name]
        values: Any = members
        dtype = stored.dtype
        if dtype.kind == "S":
            dtype = np.dtype(f"S{max([dtype.itemsize, *map(len, members)])}")
            values = np.array(members, dtype=dtype)
        key = mask.create_dataset(name, data=values, dtype=dtype, shape=(len(members),))
        _copy_attributes(stored, key)
