"""`restage bench name=io`: a rewrite beside a plain copy, reading beside plain library use, on synthetic recordings."""

import os
import shutil
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from time import perf_counter
from typing import Any

import h5py
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from robot_io import open_dataset
from robot_io.atomic import flush, remove
from robot_io.formats.base import Dataset
from workflows._bench_data import CAMERAS, Size, make_hdf5, make_rlds

COPY_TARGET, READ_TARGET = 1.5, 1.2
WINDOW = 32  # frames read at a time
RECORD_HEADER, RECORD_FOOTER = 12, 4  # bytes around the payload of a TFRecord: its length and two checksums

EXAMPLE_FIELDS = (  # of `tf.train.Example`: message, field, number, type, label
    ("BytesList", "value", 1, "bytes", "repeated"),
    ("FloatList", "value", 1, "float", "repeated"),
    ("Int64List", "value", 1, "int64", "repeated"),
    ("Feature", "bytes_list", 1, "BytesList", "optional"),
    ("Feature", "float_list", 2, "FloatList", "optional"),
    ("Feature", "int64_list", 3, "Int64List", "optional"),
    ("Entry", "key", 1, "string", "optional"),
    ("Entry", "value", 2, "Feature", "optional"),
    ("Features", "feature", 1, "Entry", "repeated"),
    ("Example", "features", 1, "Features", "optional"),
)


@dataclass(frozen=True)
class Comparison:
    """Two ways to do the same thing."""

    what: str
    ours: float
    """Seconds."""
    plain: float
    """Seconds without Restage."""
    target: float
    """Greatest acceptable ratio of the two."""

    @property
    def ratio(self) -> float:
        return self.ours / self.plain

    def __str__(self) -> str:
        verdict = "met" if self.ratio <= self.target else "MISSED"
        return f"{self.what:45}{self.ours:9.3f}{self.plain:9.3f}{self.ratio:8.2f}{self.target:8.2f}  {verdict}"


HDF5_SIZE, RLDS_SIZE = Size(episodes=20, length=100, side=128), Size(episodes=120, length=50, side=256)


def measure(folder: Path, hdf5: Size = HDF5_SIZE, rlds: Size = RLDS_SIZE, repetitions: int = 7) -> Iterator[str]:
    """Make a dataset of each format in `folder`; lines to print, one for each comparison."""
    yield f"Least of {repetitions} repetitions in turn, warm page cache; rewrite and copy both end when synced to disk."
    yield f"{'':45}{'ours s':>9}{'plain s':>9}{'ratio':>8}{'target':>8}"
    make_hdf5(folder / "demos.hdf5", hdf5)
    yield from _format_lines("hdf5", folder / "demos.hdf5", hdf5, read_hdf5, "h5py", repetitions)
    make_rlds(folder / "rlds", rlds)
    yield from _format_lines("rlds", folder / "rlds", rlds, read_rlds, "protobuf and Pillow", repetitions)


def _format_lines(
    name: str, source: Path, size: Size, read: Callable[[Path], Iterator[object]], library: str, repetitions: int
) -> Iterator[str]:
    os.sync()
    out = source.with_name("out")
    yield str(
        side_by_side(
            f"{name}: identity rewrite / copy",
            partial(rewrite, source, out),
            partial(copy, source, out),
            COPY_TARGET,
            repetitions,
            partial(remove, out),
        )
    )
    dataset = open_dataset(source)
    try:
        reading = side_by_side(
            f"{name}: read every frame / {library}",
            lambda: _exhaust(read_frames(dataset)),
            lambda: _exhaust(read(source)),
            READ_TARGET,
            repetitions,
        )
        yield str(reading)
    except ImportError:
        yield f"{name}: reading is left out, because protobuf is not installed"
    opening = least_seconds(lambda: open_dataset(source), repetitions)
    yield (
        f"  {size.episodes} episodes x {size.length} frames x {len(CAMERAS)} cameras {size.side}x{size.side}, "
        f"{_bytes(source) / 1e6:.0f} MB; opening, part of the rewrite, hashes all of it: {opening:.3f} s"
    )


def side_by_side(
    what: str,
    ours: Callable[[], object],
    plain: Callable[[], object],
    target: float,
    repetitions: int,
    clean: Callable[[], object] = lambda: None,
) -> Comparison:
    """Call both in turn, `repetitions` times; the least seconds of each. `clean` is called after each, untimed."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repetitions):
        for action, found in zip((ours, plain), seconds, strict=True):
            found.append(least_seconds(action))
            clean()
    return Comparison(what, min(seconds[0]), min(seconds[1]), target)


def rewrite(source: Path, out: Path) -> None:
    """Through Restage, with nothing changed; `assemble` itself syncs what it writes."""
    open_dataset(source).assemble([], out, keep_originals=True)


def copy(source: Path, out: Path) -> None:
    """Without Restage, synced as well."""
    if source.is_dir():
        shutil.copytree(source, out)
    else:
        shutil.copyfile(source, out)
    for path in (*out.rglob("*"), out, out.parent):
        flush(path)


def read_frames(dataset: Dataset) -> Iterator[UInt8[np.ndarray, "t h w 3"]]:
    """Every frame through FrameSource."""
    for entry in dataset.entries:
        for frames in dataset.open(entry.id).cameras.values():
            for start in range(0, len(frames), WINDOW):
                yield frames.read(start, min(start + WINDOW, len(frames))).frames


def read_hdf5(path: Path) -> Iterator[UInt8[np.ndarray, "t h w 3"]]:
    """The same frames in the same order with h5py alone."""
    with h5py.File(path) as file:
        for demo in sorted(file["data"], key=lambda name: int(name.removeprefix("demo_"))):
            for frames in file[f"data/{demo}/obs"].values():
                for start in range(0, len(frames), WINDOW):
                    yield frames[start : start + WINDOW]


def read_rlds(path: Path) -> Iterator[UInt8[np.ndarray, "1 h w 3"]]:
    """The same frames in the same order with protobuf and Pillow alone. Raises ImportError without protobuf."""
    example = _example_class()
    for shard in sorted(path.rglob("*.tfrecord-*")):
        with shard.open("rb") as file:
            while header := file.read(RECORD_HEADER):
                payload = file.read(struct.unpack_from("<Q", header)[0])
                file.read(RECORD_FOOTER)
                features = {entry.key: entry.value for entry in example.FromString(payload).features.feature}
                for camera in CAMERAS:
                    for blob in features[f"steps/observation/{camera}"].bytes_list.value:
                        yield np.asarray(Image.open(BytesIO(blob)))[None]


def _exhaust(items: Iterable[object]) -> None:
    deque(items, maxlen=0)


def least_seconds(action: Callable[[], object], repetitions: int = 1) -> float:
    """What the quickest of several calls takes."""
    seconds = []
    for _ in range(repetitions):
        start = perf_counter()
        action()
        seconds.append(perf_counter() - start)
    return min(seconds)


def _bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def _example_class() -> Any:
    """The class of `tf.train.Example` messages. Raises ImportError without protobuf."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    described = descriptor_pb2.FileDescriptorProto(name="example.proto", syntax="proto3")
    messages: dict[str, Any] = {}
    for message, field, number, kind, label in EXAMPLE_FIELDS:
        if message not in messages:
            messages[message] = described.message_type.add(name=message)
        scalar = {"type": f"TYPE_{kind.upper()}"}
        of = {"type": "TYPE_MESSAGE", "type_name": f".{kind}"} if kind in messages else scalar
        messages[message].field.add(name=field, number=number, label=f"LABEL_{label.upper()}", **of)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(described)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("Example"))
