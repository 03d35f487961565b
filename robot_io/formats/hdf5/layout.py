"""The robomimic layout, with what LIBERO, MimicGen and Isaac Lab share with it.

    /data                 attrs: total, env_args (JSON), ...
    /data/demo_<i>        attrs: num_samples; actions, rewards, ..., obs/<key>, masks/<camera>/<role>
    /mask/<filter key>    names of the demos that belong to it

A camera is a uint8 dataset (T, h, w, 3) anywhere under `obs`; its name is the path below `obs`. `masks` is Restage's
own group for recorded masks, bool or uint8 (T, h, w). Everything else passes through untouched.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from robot_io.errors import DatasetError, EpisodeError
from robot_io.formats.base import refuse_lfs_pointer
from robot_io.formats.hdf5.digests import walk
from robot_io.formats.hdf5.frames import H5Masks
from robot_io.types import MaskTrack, Provenance, Role

SUFFIXES = (".hdf5", ".h5")
PROVENANCE = "augmentation"
DEMO_NAME = re.compile(r"demo_\d+")
COUNTS = ("total", "num_demos")


def files_of(path: Path) -> tuple[Path, ...]:
    if path.is_dir():
        return tuple(sorted(child for child in path.iterdir() if child.suffix in SUFFIXES))
    return (path,)


@contextmanager
def read(path: Path) -> Iterator[h5py.File]:
    refuse_lfs_pointer(path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be opened as HDF5: {error}. It is another kind of file, truncated, or still being written"
        ) from error
    with file:
        yield file


def demo_order(name: str) -> tuple[int, str]:
    return (int(name[5:]), name) if DEMO_NAME.fullmatch(name) else (1 << 62, name)


def camera_shapes(demo: h5py.Group) -> dict[str, tuple[int, ...]]:
    """Camera name -> (T, h, w, 3) of every image dataset under `obs`."""
    obs = demo.get("obs")
    if not isinstance(obs, h5py.Group):
        return {}
    return {name: item.shape for name, item in walk(obs) if is_camera(item)}


def is_camera(item: h5py.Group | h5py.Dataset) -> bool:
    """Whether an object below `obs` is a stream of RGB pictures."""
    return isinstance(item, h5py.Dataset) and item.dtype == np.uint8 and item.ndim == 4 and item.shape[-1] == 3


def filter_keys(file: h5py.File) -> dict[str, list[str]]:
    """Filter key -> names of its demos, in stored order."""
    mask = file.get("mask")
    if not isinstance(mask, h5py.Group):
        return {}
    return {
        key: [item.decode() if isinstance(item, bytes) else str(item) for item in mask[key][()]]
        for key in sorted(mask)
        if isinstance(mask[key], h5py.Dataset) and mask[key].ndim == 1 and mask[key].dtype.kind in "SO"
    }


def signals(group: h5py.Group, length: int) -> dict[str, np.ndarray]:
    return {
        path: item[()]
        for path, item in walk(group)
        if isinstance(item, h5py.Dataset)
        and not path.startswith(("masks/", "next_obs/"))
        and item.dtype.kind in "biuf"
        and item.ndim in (1, 2)
        and len(item) == length
    }


def masks(path: Path, group: h5py.Group, camera: str, turned: bool) -> tuple[MaskTrack, ...]:
    recorded = group.get(f"masks/{camera}")
    if not isinstance(recorded, h5py.Group):
        return ()
    for role in recorded:
        if role not in set(Role):
            raise EpisodeError(f"masks/{camera}/{role}: unknown role; known roles: {', '.join(Role)}")
        expected = group[f"obs/{camera}"].shape[:3]
        if recorded[role].shape != expected:
            raise EpisodeError(
                f"masks/{camera}/{role} is {recorded[role].shape}; its camera's frames are {expected}. Store one mask "
                "a frame, of that size, or none"
            )
    return tuple(H5Masks(Role(role), path, recorded[role].name, recorded[role].shape, turned) for role in recorded)


def provenance(group: h5py.Group) -> Provenance | None:
    record = group.attrs.get(PROVENANCE)
    return Provenance.from_json(json.loads(record)) if record is not None else None


def is_turned(data: h5py.Group) -> bool:
    """LIBERO stores its pictures turned by 180 degrees."""
    return data.attrs.get("macros_image_convention") == "opengl" and "problem_info" in data.attrs


def frames_per_second(data: h5py.Group) -> float | None:
    """The rate that the recorder noted in env_args, if it did."""
    env_kwargs = parse_json(data.attrs.get("env_args")).get("env_kwargs") or {}
    rate = env_kwargs.get("fps") or env_kwargs.get("control_freq")
    return float(rate) if rate else None


def language(group: h5py.Group, data: h5py.Group) -> tuple[str, ...]:
    own = group.attrs.get("language")
    text = (
        (json.loads(own) if own and own.startswith("[") else own)
        or parse_json(group.attrs.get("ep_meta")).get("lang")
        or parse_json(data.attrs.get("problem_info")).get("language_instruction")
    )
    if not text:
        return ()
    return (text,) if isinstance(text, str) else tuple(text)


def parse_json(text: Any) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return {}  # free text where other tools write JSON: nothing to learn from it, and it passes through as it is
    return value if isinstance(value, dict) else {}
