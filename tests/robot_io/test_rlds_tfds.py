"""What we write, read by tensorflow_datasets' own code (without TensorFlow)."""

import copy
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot_io.formats import rlds
from tests.robot_io.rlds_builder import FEATURES, episode, group, make_part, payload, text, write_dataset

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    tfds = pytest.importorskip("tensorflow_datasets")

BRIDGE = Path("../shared/data/bridge_rlds/1.0.0")


def test_variants_decode_to_the_same_episode(tmp_path):
    features = copy.deepcopy(FEATURES["featuresDict"]["features"])
    step = features["steps"]["sequence"]["feature"]["featuresDict"]["features"]
    del step["observation"]["featuresDict"]["features"]["depth"]  # Pillow alone decodes no 16 bits there
    known = group(steps=features["steps"], episode_metadata=group(file_path=text()))  # nor does it take optional ones
    folder = write_dataset(tmp_path / "source", {"train": [[payload(episode(1)), payload(episode(2))]]}, known)
    check(rlds.open(folder), "front", tmp_path)


@pytest.mark.skipif(not BRIDGE.exists(), reason="the real recordings are not here")
def test_bridge_variants_decode_to_the_same_episode(tmp_path):
    check(rlds.open(BRIDGE.resolve()).select({"train/0", "train/7"}), "image_2", tmp_path)


def check(dataset: rlds.RldsDataset, camera: str, tmp_path: Path) -> None:
    """Two recorded episodes and a variant of each, as both readers see them."""
    parts = [make_part(dataset, entry.id, 0, tmp_path, camera) for entry in dataset.entries]
    dataset.assemble(parts, tmp_path / "out", True)
    again = rlds.open(tmp_path / "out")
    info = tfds.builder_from_directory(str(again.path)).info
    assert info.splits["train"].num_examples == len(again.entries) == 4
    decoded = [steps(info.features.deserialize_example_np(again.contents.payload(n))["steps"]) for n in range(4)]
    for entry, theirs in zip(again.entries, decoded, strict=True):
        ours = again.open(entry.id)
        assert len(theirs) == ours.length
        for name, frames in ours.cameras.items():
            pictures = frames.read(0, ours.length).frames
            assert np.array_equal(np.stack([step[f"observation/{name}"] for step in theirs]), pictures)
        for name, signal in ours.signals.items():
            assert np.array_equal(np.stack([step[name] for step in theirs]), signal)
    for number in (0, 1):
        for recorded, variant in zip(decoded[number], decoded[number + 2], strict=True):
            assert list(recorded) == list(variant)
            unlike = [name for name in recorded if not np.array_equal(recorded[name], variant[name])]
            assert unlike == [f"observation/{camera}"]


def steps(source: Any) -> list[dict[str, Any]]:
    return [flat(step) for step in source]


def flat(node: dict[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, child in node.items():
        found |= flat(child, f"{above}{name}/") if isinstance(child, dict) else {above + name: child}
    return found
