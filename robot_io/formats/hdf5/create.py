"""A new robomimic-style file from episodes in memory; the layout is described in layout.py."""

import json
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np

from robot_io.atomic import replacing
from robot_io.formats.hdf5.disk import writing
from robot_io.types import Episode

DEMO_LEVEL = ("actions", "rewards", "dones", "states")
"""Signals that lie beside `obs`, not in it."""
WINDOW = 32
"""Frames read at a time."""
VALID_SHARE = 0.1


def create(path: Path, episodes: Iterable[Episode], env_name: str) -> None:
    """Write `episodes` as demo_0, demo_1, ... to `path`, which appears when it is whole, replacing an earlier one.

    The last tenth, at least one of two or more, is the filter key `valid`, the others `train`. The bytes depend on the
    episodes alone. Raises ValueError when there are none, rates differ, or a camera has two masks of one role.
    """
    with replacing(path) as unfinished, writing(unfinished) as file:
        _fill(file, episodes, env_name)


def _fill(file: h5py.File, episodes: Iterable[Episode], env_name: str) -> None:
    data, rates, total, count = file.create_group("data"), set(), 0, 0
    for episode in episodes:
        _demo(data.create_group(f"demo_{count}"), episode)
        rates.add(episode.fps)
        total, count = total + episode.length, count + 1
    if len(rates) != 1:
        raise ValueError(f"frame rates {sorted(map(str, rates))}; one file has one rate and at least one episode")
    fps = rates.pop()
    data.attrs["total"] = total
    data.attrs["env_args"] = json.dumps(
        {"env_name": env_name, "type": 2, "env_kwargs": {} if fps is None else {"fps": fps}}
    )
    train = count - max(1, round(VALID_SHARE * count)) if count > 1 else 1
    for key, demos in (("train", range(train)), ("valid", range(train, count))):
        names = np.array([f"demo_{i}" for i in demos], dtype="S")
        file.create_dataset(f"mask/{key}", data=names, track_times=False)


def _demo(group: h5py.Group, episode: Episode) -> None:
    group.attrs["num_samples"] = episode.length
    group.attrs["language"] = json.dumps(episode.language)
    for name, values in episode.signals.items():
        place = name if name in DEMO_LEVEL or name.startswith("obs/") else f"obs/{name}"
        group.create_dataset(place, data=values, track_times=False)
    for name, source in episode.cameras.items():
        frames = _pictures(group, f"obs/{name}", (episode.length, source.height, source.width, 3), np.uint8)
        for start in range(0, episode.length, WINDOW):
            clip = source.read(start, start + WINDOW)
            frames[clip.start : clip.stop] = clip.frames
    for name, tracks in episode.masks.items():
        if len({track.role for track in tracks}) < len(tracks):
            raise ValueError(f"{episode.name}: {name} has two masks of one role; a file holds one per role")
        shape = group[f"obs/{name}"].shape[:3]
        for track in tracks:
            masks = _pictures(group, f"masks/{name}/{track.role}", shape, np.bool_)
            for start in range(0, episode.length, WINDOW):
                masks[start : start + WINDOW] = track.read(start, min(start + WINDOW, episode.length))


def _pictures(group: h5py.Group, name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> h5py.Dataset:
    """An empty dataset, one picture a chunk, which is how loaders read."""
    return group.create_dataset(
        name, shape, dtype, chunks=(1, *shape[1:]), compression="gzip", compression_opts=9, track_times=False
    )
