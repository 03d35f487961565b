"""Synthetic recordings for `restage bench`: an arm that swings before a wall, in every format."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Int16, UInt8
from PIL import Image, ImageDraw, ImageFilter

from robot_io.formats.rlds.example import bytes_feature
from robot_io.formats.rlds.tfrecord import write_record

CAMERAS = ("agentview", "side")
PERIOD = 20  # frames in which the painted arm crosses the picture and comes back
GRAIN = 1.5  # grey levels: standard deviation of the noise in a frame
SHADE = 0.35  # share of its light that the wall loses in the arm's shadow
METAL, ORANGE = (90, 92, 96), (225, 120, 30)
JPEG_QUALITY = 92
SHARDS = 4


@dataclass(frozen=True)
class Size:
    """Of a synthetic dataset with two square cameras."""

    episodes: int
    length: int
    """Frames of an episode."""
    side: int
    """Pixels."""


def paint(seed: int, length: int, height: int, width: int, flat: bool = False) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """Frames of an arm of two links that swings before a wall and casts a soft shadow on it.

    `flat`: patches of one colour, no shadow, no noise: little to store.
    """
    rng = np.random.default_rng(seed)
    patches = rng.integers(40, 170, (6, 8, 1), np.uint8) + rng.integers(0, 60, (6, 8, 3), np.uint8)
    wall = _enlarged(patches, height, width, flat)
    noise = np.zeros((2 * height, 2 * width, 1), np.int16)
    if not flat:
        wall += _enlarged(rng.integers(0, 24, (height // 3, width // 3), np.uint8), height, width, flat)[..., None]
        noise = np.rint(rng.normal(0, GRAIN, noise.shape)).astype(np.int16)
    for index in range(length):
        arm = np.asarray(_arm(index, height, width))
        lit = wall if flat else wall * (1 - SHADE * _shadow(index, height, width)[..., None])
        frame = np.where(arm.any(axis=-1, keepdims=True), arm, lit).astype(np.int16)
        down, right = rng.integers(height), rng.integers(width)
        yield (frame + noise[down : down + height, right : right + width]).clip(0, 255).astype(np.uint8)


def make_recording(
    path: Path, length: int, height: int, width: int, flat: bool = False, cameras: Sequence[str] = CAMERAS
) -> None:
    """A robomimic-style file with one episode, gzipped, written frame by frame. `flat`: see `paint`."""
    with h5py.File(path, "w") as file:
        demo = file.create_group("data/demo_0")
        demo.attrs["num_samples"] = file["data"].attrs["total"] = length
        demo["actions"] = np.random.default_rng(0).normal(size=(length, 7))
        for seed, camera in enumerate(cameras):
            frames = demo.create_dataset(
                f"obs/{camera}",
                (length, height, width, 3),
                np.uint8,
                chunks=(1, height, width, 3),
                compression="gzip",
                compression_opts=1,
            )
            for index, frame in enumerate(paint(seed, length, height, width, flat)):
                frames[index] = frame


def make_hdf5(path: Path, size: Size) -> None:
    """A robomimic-style file: one camera contiguous and uncompressed, the other gzipped with one frame a chunk."""
    raw, gzipped = (np.stack(list(paint(seed, size.length, size.side, size.side))) for seed in range(2))
    with h5py.File(path, "w") as file:
        for number in range(size.episodes):
            demo = file.create_group(f"data/demo_{number}")
            demo.attrs["num_samples"] = size.length
            demo["actions"] = np.random.default_rng(number).normal(size=(size.length, 7))
            demo[f"obs/{CAMERAS[0]}"] = raw
            demo.create_dataset(f"obs/{CAMERAS[1]}", data=gzipped, chunks=(1, *gzipped.shape[1:]), compression="gzip")
        file["data"].attrs["total"] = size.episodes * size.length


def make_rlds(root: Path, size: Size) -> None:
    """A TFDS directory below `root` with two JPEG cameras."""
    folder = root / "bench" / "1.0.0"
    folder.mkdir(parents=True)
    cameras = {f"steps/observation/{camera}": _jpegs(seed, size) for seed, camera in enumerate(CAMERAS)}
    lengths, total = [], 0
    for shard in range(SHARDS):
        numbers = range(shard, size.episodes, SHARDS)
        lengths.append(str(len(numbers)))
        with (folder / f"bench-train.tfrecord-{shard:05d}-of-{SHARDS:05d}").open("wb") as file:
            for number in numbers:
                text = [f"swing to and fro, number {number}".encode()] * size.length
                payload = _example({**cameras, "steps/language_instruction": text})
                write_record(file, payload)
                total += len(payload)
    image = {"image": {"shape": {"dimensions": [str(size.side), str(size.side), "3"]}, "dtype": "uint8"}}
    step = _group(observation=_group(**dict.fromkeys(CAMERAS, image)), language_instruction={"text": {}})
    features = _group(steps={"sequence": {"feature": step, "length": "-1"}})
    split = {"name": "train", "shardLengths": lengths, "numBytes": str(total)}
    info = {"name": "bench", "version": "1.0.0", "fileFormat": "tfrecord", "splits": [split]}
    (folder / "features.json").write_text(json.dumps(features))
    (folder / "dataset_info.json").write_text(json.dumps(info))


def _arm(index: int, height: int, width: int) -> Image.Image:
    """The arm on black."""
    angle = 2 * np.pi * index / PERIOD
    elbow = (width * (0.5 + 0.15 * np.cos(angle)), 0.3 * height)
    hand = (width * (0.5 + 0.35 * np.cos(angle)), height * (0.65 + 0.08 * np.sin(2 * angle)))
    thick = height / 12
    picture = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(picture)
    draw.line([(width / 2, 0), elbow, hand], METAL, round(thick))
    for (across, down), radius, colour in ((elbow, thick, METAL), (hand, 1.5 * thick, ORANGE)):
        draw.ellipse([across - radius, down - radius, across + radius, down + radius], colour)
    return picture


def _shadow(index: int, height: int, width: int) -> np.ndarray:
    """Where the arm keeps light away, 0..1, `(h, w)`."""
    moved = Image.new("L", (width, height))
    solid = _arm(index, height, width).convert("L").point(lambda grey: 255 if grey else 0)
    moved.paste(solid, (width // 12, height // 16))
    return np.asarray(moved.filter(ImageFilter.BoxBlur(height / 50)), dtype=np.float32) / 255


def _enlarged(picture: UInt8[np.ndarray, "_ _ *c"], height: int, width: int, flat: bool) -> Int16[np.ndarray, "h w *c"]:
    resampling = Image.Resampling.NEAREST if flat else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(picture).resize((width, height), resampling)).astype(np.int16)


def _jpegs(seed: int, size: Size) -> list[bytes]:
    files = [BytesIO() for _ in range(size.length)]
    for file, frame in zip(files, paint(seed, size.length, size.side, size.side), strict=True):
        Image.fromarray(frame).save(file, "JPEG", quality=JPEG_QUALITY)
    return [file.getvalue() for file in files]


def _group(**features: Any) -> dict[str, Any]:
    return {"featuresDict": {"features": features}}


def _example(features: Mapping[str, list[bytes]]) -> bytes:
    """A serialized `tf.train.Example`."""
    entries = (_field(1, key.encode()) + _field(2, bytes_feature(blobs)) for key, blobs in features.items())
    return _field(1, b"".join(_field(1, entry) for entry in entries))


def _field(number: int, content: bytes) -> bytes:
    header, size = bytearray([number << 3 | 2]), len(content)
    while size > 0x7F:
        header.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*header, size]) + content
