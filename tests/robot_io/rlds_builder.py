"""Small TFDS directories made without TensorFlow, and without the code under test but for its framing.

Messages are built by protobuf itself from a description of `tf.train.Example`, so they are what other tools write.
"""

import io
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from PIL import Image

from robot_io.formats.base import Dataset
from robot_io.formats.rlds.tfrecord import write_record
from robot_io.types import Clip, Part, Provenance

NAME, VERSION = "tiny_robot", "1.0.0"
HEIGHT, WIDTH = 24, 32
PREFIX = "tensorflow_datasets.core.features."


def _message_class() -> Any:
    kinds = {"bytes_list": ("BytesList", "TYPE_BYTES"), "float_list": ("FloatList", "TYPE_FLOAT")}
    kinds["int64_list"] = ("Int64List", "TYPE_INT64")
    proto = descriptor_pb2.FileDescriptorProto(name="tests/example.proto", package="tests", syntax="proto3")
    feature = proto.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (field, (name, kind)) in enumerate(kinds.items(), 1):
        message = proto.message_type.add(name=name)
        message.field.add(name="value", number=1, type=kind, label="LABEL_REPEATED")
        feature.field.add(
            name=field, number=number, type="TYPE_MESSAGE", type_name=f".tests.{name}", label="LABEL_OPTIONAL"
        ).oneof_index = 0
    features = proto.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type="TYPE_STRING", label="LABEL_OPTIONAL")
    entry.field.add(name="value", number=2, type="TYPE_MESSAGE", type_name=".tests.Feature", label="LABEL_OPTIONAL")
    features.field.add(
        name="feature", number=1, type="TYPE_MESSAGE", type_name=".tests.Features.FeatureEntry", label="LABEL_REPEATED"
    )
    example = proto.message_type.add(name="Example")
    example.field.add(
        name="features", number=1, type="TYPE_MESSAGE", type_name=".tests.Features", label="LABEL_OPTIONAL"
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(proto)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tests.Example"))


Example = _message_class()
"""The class of `tf.train.Example` messages."""


def tensor(dtype: str, *shape: int, encoding: str = "none", **more: Any) -> dict[str, Any]:
    dimensions = {"dimensions": [str(size) for size in shape]} if shape else {}
    return {
        "pythonClassName": PREFIX + ("tensor_feature.Tensor" if shape else "scalar.Scalar"),
        "tensor": {"shape": dimensions, "dtype": dtype, "encoding": encoding, **more},
    }


def image(*shape: int, dtype: str = "uint8", encoding: str = "jpeg") -> dict[str, Any]:
    return {
        "pythonClassName": PREFIX + "image_feature.Image",
        "image": {"shape": {"dimensions": [str(s) for s in shape]}, "dtype": dtype, "encodingFormat": encoding},
    }


def text() -> dict[str, Any]:
    return {"pythonClassName": PREFIX + "text_feature.Text", "text": {}}


def group(**features: Any) -> dict[str, Any]:
    return {"pythonClassName": PREFIX + "features_dict.FeaturesDict", "featuresDict": {"features": features}}


def sequence(feature: Any, kind: str = "dataset_feature.Dataset") -> dict[str, Any]:
    return {"pythonClassName": PREFIX + kind, "sequence": {"feature": feature, "length": "-1"}}


FEATURES = group(
    steps=sequence(
        group(
            observation=group(
                front=image(HEIGHT, WIDTH, 3),
                side=image(-1, -1, 3),
                wrist=image(HEIGHT, WIDTH, 3, encoding="png"),
                depth=image(HEIGHT, WIDTH, 1, dtype="uint16", encoding="png"),
                state=tensor("float64", 2, 2),
            ),
            action=tensor("float32", 3),
            is_last=tensor("bool"),
            count=tensor("int32"),
            token=tensor("uint64"),
            packed=tensor("float32", 4, encoding="zlib"),
            contacts=sequence(tensor("int32"), "sequence_feature.Sequence"),
            language_instruction=text(),
        )
    ),
    episode_metadata=group(file_path=text(), note=tensor("string", optional=True)),
)


def jpeg(frame: np.ndarray, **options: Any) -> bytes:
    stored = io.BytesIO()
    Image.fromarray(frame).save(stored, "JPEG", **{"quality": 92, "subsampling": 2, **options})
    return stored.getvalue()


def png(frame: np.ndarray, mode: str | None = None) -> bytes:
    stored = io.BytesIO()
    picture = Image.fromarray(frame)
    (picture.convert(mode) if mode else picture).save(stored, "PNG")
    return stored.getvalue()


def smooth_frames(rng: np.random.Generator, steps: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Pictures that compress the way photographs do, uint8 `(steps, height, width, 3)`."""
    down, across = np.mgrid[:height, :width] / max(height, width)
    slopes = rng.uniform(-3, 3, (steps, 3, 2))
    waves = slopes[..., 0, None, None] * down + slopes[..., 1, None, None] * across
    return np.moveaxis(127 + 120 * np.sin(waves), 1, -1).astype(np.uint8)


def episode(seed: int, steps: int = 4) -> dict[str, Any]:
    """Key -> values of one record, as lists of bytes or numpy arrays."""
    rng = np.random.default_rng(seed)
    front, side, wrist = (smooth_frames(rng, steps) for _ in range(3))
    lengths = rng.integers(0, 3, steps)
    return {
        "steps/observation/front": [jpeg(frame) for frame in front],
        "steps/observation/side": [jpeg(frame, quality=60, subsampling=0, progressive=True) for frame in side],
        "steps/observation/wrist": [png(frame) for frame in wrist],
        "steps/observation/depth": [png(rng.integers(0, 2**16, (HEIGHT, WIDTH), np.uint16)) for _ in range(steps)],
        "steps/observation/state": rng.normal(size=steps * 4).astype(np.float32),
        "steps/action": rng.normal(size=steps * 3).astype(np.float32),
        "steps/is_last": np.arange(steps) == steps - 1,
        "steps/count": rng.integers(-1000, 1000, steps),
        "steps/token": rng.integers(-(2**63), 2**63 - 1, steps),
        "steps/packed": [zlib.compress(rng.normal(size=4).astype(np.float32).tobytes()) for _ in range(steps)],
        "steps/contacts/ragged_flat_values": rng.integers(0, 9, lengths.sum()),
        "steps/contacts/ragged_row_lengths_0": lengths,
        "steps/language_instruction": [f"put cup {seed} on the plate".encode()] * steps,
        "episode_metadata/file_path": [f"/robot/{seed}.pkl".encode()],
    }


def payload(values: Mapping[str, Any]) -> bytes:
    """The serialized Example of `episode(...)`."""
    message = Example()
    for key, items in values.items():
        feature = message.features.feature[key]
        if isinstance(items, list):
            feature.bytes_list.value.extend(items)
        elif items.dtype.kind == "f":
            feature.float_list.value.extend(items.tolist())
        else:
            feature.int64_list.value.extend(int(item) for item in items)
    serialized: bytes = message.SerializeToString(deterministic=True)
    return serialized


def write_dataset(
    root: Path,
    splits: Mapping[str, Sequence[Sequence[bytes]]],
    features: Mapping[str, Any] = FEATURES,
    name: str = NAME,
    config: str | None = None,
    **info: Any,
) -> Path:
    """Split -> shards -> payloads, written below `root`; returns the version folder."""
    folder = root / name / (config or "") / VERSION
    folder.mkdir(parents=True)
    described = []
    for split, shards in splits.items():
        for number, payloads in enumerate(shards):
            with (folder / f"{name}-{split}.tfrecord-{number:05d}-of-{len(shards):05d}").open("wb") as file:
                for serialized in payloads:
                    write_record(file, serialized)
        described.append(
            {
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
                "name": split,
                "numBytes": str(sum(len(serialized) for shard in shards for serialized in shard)),
                "shardLengths": [str(len(shard)) for shard in shards],
            }
        )
    content = {"configName": config} if config else {}
    content |= {"description": "Größe", "fileFormat": "tfrecord", "moduleName": "x", "name": name, **info}
    content |= {"splits": info.get("splits", described), "version": VERSION}
    (folder / "dataset_info.json").write_text(json.dumps(content, indent=2))
    (folder / "features.json").write_text(json.dumps(features, indent=4))
    return folder


def tiny(root: Path, **options: Any) -> Path:
    """Two training shards of 2 and 1 episodes and a `val` split whose only record is also in `train`."""
    first, second, third = (payload(episode(seed, steps)) for seed, steps in ((1, 4), (2, 3), (3, 5)))
    return write_dataset(root, {"train": [[first, second], [third]], "val": [[second]]}, **options)


def make_part(dataset: Dataset, episode_id: str, variant: int, folder: Path, *cameras: str) -> Part:
    """A variant with inverted pictures in `cameras`, and its files in `folder`."""
    source = dataset.open(episode_id)
    files = {}
    for camera in cameras:
        files[camera] = folder / f"{episode_id}-{variant}-{camera}"
        recorded = source.cameras[camera].read(0, source.length)
        with dataset.frame_writer(episode_id, camera, files[camera]) as writer:
            writer.write(Clip(camera, 0, 255 - recorded.frames, recorded.timestamps))
    fates = {name: "restaged" if name in cameras else "as recorded: not asked for" for name in source.cameras}
    return Part(episode_id, variant, files, Provenance(episode_id, variant, {"seed": variant}, "recipe", fates, {}))
