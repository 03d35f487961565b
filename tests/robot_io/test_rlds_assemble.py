"""Writing a data directory: laws of what is in it, and of how it appears."""

import hashlib
import json
import random
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from robot_io.errors import DatasetError, EpisodeError
from robot_io.formats import rlds
from robot_io.formats.rlds import assemble as assembling
from robot_io.formats.rlds import example
from robot_io.formats.rlds.tfrecord import scan
from robot_io.types import Part
from tests.robot_io.rlds_builder import NAME, VERSION, episode, make_part, payload, tiny, write_dataset

BRIDGE = Path("../shared/data/bridge_rlds/1.0.0")
FRONT, WRIST = "steps/observation/front", "steps/observation/wrist"


def payloads(folder: Path) -> dict[str, list[bytes]]:
    """File name -> payloads, whole ones only."""
    return {
        file.name: [record.payload for record in scan(file) if not record.problem]
        for file in sorted(folder.glob("*.tfrecord-*"))
    }


def tree(folder: Path) -> Mapping[str, str]:
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def content(values: Mapping[str, object]) -> dict[str, bytes]:
    return {key: bytes(entry) for key, entry in example.entries(payload(values)).items()}


@pytest.fixture
def source(tmp_path) -> rlds.RldsDataset:
    return rlds.open(tiny(tmp_path / "source"))


@pytest.fixture
def parts(source, tmp_path) -> list[Part]:
    """Variants 0 and 1 of the episode in both splits, variant 0 of the one in the second shard."""
    _, second, third, _ = (entry.id for entry in source.entries)
    (tmp_path / "parts").mkdir()
    return [
        make_part(source, second, 0, tmp_path / "parts", "front", "wrist"),
        make_part(source, second, 1, tmp_path / "parts", "front"),
        make_part(source, third, 0, tmp_path / "parts", "side"),
    ]


def test_without_parts_the_copy_is_the_source(source, tmp_path):
    (source.path / "labels").mkdir()
    (source.path / "labels" / "task.labels.txt").write_text("lift\n")
    source.assemble([], tmp_path / "out", True)
    assert tree(tmp_path / "out") == tree(tmp_path / "source")


def test_variants_follow_shard_by_shard(source, parts, tmp_path):
    source.assemble(parts, tmp_path / "out", True)
    out = tmp_path / "out" / NAME / VERSION
    first, second, third = (payload(episode(seed, steps)) for seed, steps in ((1, 4), (2, 3), (3, 5)))
    written = payloads(out)
    assert {name: len(records) for name, records in written.items()} == {
        "tiny_robot-train.tfrecord-00000-of-00005": 2,  # recorded
        "tiny_robot-train.tfrecord-00001-of-00005": 1,
        "tiny_robot-train.tfrecord-00002-of-00005": 1,  # variant 0 of each shard
        "tiny_robot-train.tfrecord-00003-of-00005": 1,
        "tiny_robot-train.tfrecord-00004-of-00005": 1,  # variant 1 of the first
        "tiny_robot-val.tfrecord-00000-of-00003": 1,
        "tiny_robot-val.tfrecord-00001-of-00003": 1,
        "tiny_robot-val.tfrecord-00002-of-00003": 1,
    }
    train = [record for name, records in written.items() if "train" in name for record in records]
    val = [record for name, records in written.items() if "val" in name for record in records]
    assert train[:3] == [first, second, third]
    assert val == [second, train[3], train[5]]
    again = rlds.open(tmp_path / "out")
    assert again.problems() == []
    assert [entry.length for entry in again.entries] == [4, 3, 5, 3, 5, 3, 3, 3, 3]


def test_only_the_restaged_entries_change(source, parts, tmp_path):
    source.assemble(parts, tmp_path / "out", True)
    again = rlds.open(tmp_path / "out")
    for name, origin, restaged in (
        ("train/3", "train/1", {"front", "wrist"}),
        ("train/4", "train/2", {"side"}),
        ("train/5", "train/1", {"front"}),
        ("val/2", "val/0", {"front"}),
    ):
        before, after = list(source.fields(origin)), list(again.fields(name))
        assert [field.name for field in before] == [field.name for field in after]
        assert {old.camera for old, new in zip(before, after, strict=True) if old != new} == restaged
        provenance = again.provenance(name)
        assert provenance is not None
        assert set(provenance.restaged) == restaged
        assert again.open(next(e.id for e in again.entries if e.name == name)).provenance == provenance
    assert again.provenance("train/1") is None


def test_frames_are_those_the_writer_returned(source, tmp_path):
    entry = source.entries[0]
    recorded = source.open(entry.id).cameras["front"].read(0, entry.length)
    with source.frame_writer(entry.id, "front", tmp_path / "part") as writer:
        seen = writer.write(recorded).frames
    part = make_part(source, entry.id, 0, tmp_path)
    source.assemble([Part(entry.id, 0, {"front": tmp_path / "part"}, part.provenance)], tmp_path / "out", False)
    again = rlds.open(tmp_path / "out")
    frames = again.open(again.entries[0].id).cameras["front"].read(0, entry.length).frames
    assert np.array_equal(frames, seen)
    assert not np.array_equal(frames, recorded.frames)  # JPEG, once more


def test_the_index_tells_the_truth_and_keeps_the_rest(source, parts, tmp_path):
    source.assemble(parts, tmp_path / "out", True)
    out = tmp_path / "out" / NAME / VERSION
    before, after = (json.loads((folder / "dataset_info.json").read_text()) for folder in (source.path, out))
    assert {**after, "splits": before["splits"]} == before
    assert list(after) == list(before)
    assert after["splits"][0]["shardLengths"] == ["2", "1", "1", "1", "1"]
    written = payloads(out)
    for split in after["splits"]:
        sizes = [len(r) for name, records in written.items() if split["name"] in name for r in records]
        assert split["numBytes"] == str(sum(sizes))
    assert (out / "features.json").read_bytes() == (source.path / "features.json").read_bytes()
    unlike = {
        field.name
        for old, new in zip(source.dataset_fields(), rlds.open(out).dataset_fields(), strict=False)
        for field in (old, new)
        if old != new and not field.bookkeeping
    }
    assert unlike == set()


@pytest.mark.parametrize(
    ("indent", "separators", "end"), [(2, None, ""), (4, None, "\n"), (None, (",", ":"), ""), (None, None, "\n")]
)
def test_the_index_keeps_its_style(source, tmp_path, indent, separators, end):
    info = json.loads((source.path / "dataset_info.json").read_text())
    for ascii_only in (True, False):
        text = json.dumps(info, indent=indent, separators=separators, ensure_ascii=ascii_only) + end
        (source.path / "dataset_info.json").write_text(text)
        rlds.open(source.path).assemble([], tmp_path / "out", True)
        assert (tmp_path / "out" / NAME / VERSION / "dataset_info.json").read_text() == text


def test_order_of_parts_does_not_matter(source, parts, tmp_path):
    source.assemble(parts, tmp_path / "a", True)
    shuffled = random.Random(1).sample(parts, len(parts))
    assert shuffled != parts
    source.assemble(iter(shuffled), tmp_path / "b", True)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_provenance_lists_each_variant_where_it_stands(source, parts, tmp_path):
    source.assemble(parts, tmp_path / "out", True)
    lines = (tmp_path / "out" / NAME / VERSION / "augmentation.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    second, third = parts[0].episode, parts[2].episode
    assert [(line["split"], line["record"], line["source"], line["variant"]) for line in told] == [
        ("train", 3, second, 0),
        ("train", 4, third, 0),
        ("train", 5, second, 1),
        ("val", 1, second, 0),
        ("val", 2, second, 1),
    ]
    assert {key: told[0][key] for key in parts[0].provenance.to_json()} == parts[0].provenance.to_json()


def test_variants_alone(source, parts, tmp_path):
    source.assemble(parts[2:], tmp_path / "out", False)
    again = rlds.open(tmp_path / "out")
    assert [entry.name for entry in again.entries] == ["train/0"]
    assert again.provenance("train/0") == parts[2].provenance
    assert [split.name for split in again.contents.info.splits] == ["train"]  # nothing is left of `val`
    with pytest.raises(DatasetError, match="nothing to write"):
        source.assemble([], tmp_path / "empty", False)
    assert not (tmp_path / "empty").exists()


def test_restaging_again_carries_provenance_over(source, parts, tmp_path):
    source.assemble(parts, tmp_path / "once", True)
    once = rlds.open(tmp_path / "once")
    restaged = make_part(once, once.entries[3].id, 0, tmp_path, "side")
    once.assemble([restaged], tmp_path / "twice", True)
    twice = rlds.open(tmp_path / "twice")
    assert twice.problems() == []
    names = [entry.name for entry in twice.entries]
    assert names == [f"train/{n}" for n in range(7)] + [f"val/{n}" for n in range(4)]
    assert [twice.provenance(f"train/{n}") for n in range(6)] == [once.provenance(f"train/{n}") for n in range(6)]
    assert twice.provenance("train/6") == twice.provenance("val/3") == restaged.provenance

    chosen = once.select({"train/5", "val/1"})
    chosen.assemble([], tmp_path / "chosen", True)
    again = rlds.open(tmp_path / "chosen")
    assert [entry.id for entry in again.entries] == [entry.id for entry in chosen.entries]
    assert again.provenance("train/0") == once.provenance("train/5")
    assert again.provenance("val/0") == once.provenance("val/1")


def test_unreadable_records_are_left_out(source, parts, tmp_path):
    shard = source.path / "tiny_robot-train.tfrecord-00000-of-00002"
    stored = bytearray(shard.read_bytes())
    stored[100] ^= 1
    shard.write_bytes(stored)
    spoilt = rlds.open(source.path)
    assert [entry.problem is None for entry in spoilt.entries] == [False, True, True, True]
    spoilt.assemble(parts, tmp_path / "out", True)
    again = rlds.open(tmp_path / "out")
    assert again.problems() == []
    assert [entry.id for entry in again.entries][:2] == [entry.id for entry in spoilt.entries][1:3]
    assert again.provenance("train/2") == parts[0].provenance


def test_config_and_custom_names_are_kept(tmp_path):
    folder = tiny(tmp_path / "source", name="other_robot", config="large")
    dataset = rlds.open(folder)
    dataset.assemble([], tmp_path / "out", True)
    assert rlds.open(tmp_path / "out").path == tmp_path / "out" / "other_robot" / "large" / VERSION


def test_an_earlier_output_is_replaced_whole(source, parts, tmp_path):
    out = tmp_path / "out"
    source.assemble(parts, out, True)
    (source.path / "dataset_statistics_12.json").write_text("{}")
    (tmp_path / ".out.unfinished" / "left" / "behind").mkdir(parents=True)
    source.assemble([], out, True)
    (source.path / "dataset_statistics_12.json").unlink()
    assert tree(out) == tree(tmp_path / "source")
    assert sorted(child.name for child in tmp_path.iterdir()) == ["out", "parts", "source"]


def test_a_failure_leaves_the_earlier_output(source, parts, tmp_path):
    out = tmp_path / "out"
    source.assemble([], out, True)
    before = tree(out)
    broken = parts[0].files["wrist"]
    broken.write_bytes(broken.read_bytes()[:-3])
    with pytest.raises(EpisodeError, match=r"2-0-wrist|-0-wrist holds 3 frames of an episode of 3 steps .truncated"):
        source.assemble(parts, out, True)
    assert tree(out) == before
    assert sorted(child.name for child in tmp_path.iterdir()) == ["out", "parts", "source"]


def test_other_folders_are_never_replaced(source, tmp_path):
    taken = tmp_path / "taken"
    (taken / "precious").mkdir(parents=True)
    with pytest.raises(DatasetError, match="holds other things"):
        source.assemble([], taken, True)
    assert (taken / "precious").exists()
    for out in (source.path, source.path.parent.parent, source.path / "inside"):
        with pytest.raises(DatasetError, match="overlaps the source"):
            source.assemble([], out, True)
    assert len(rlds.open(source.path).entries) == 4


def test_parts_of_cameras_that_do_not_exist_are_refused(source, parts, tmp_path):
    part = Part(parts[0].episode, 0, {"rear": parts[0].files["front"]}, parts[0].provenance)
    with pytest.raises(EpisodeError, match=r"cameras \['rear'\], which the dataset has not"):
        source.assemble([part], tmp_path / "out", True)


def test_parts_of_other_length_are_refused(source, parts, tmp_path):
    part = Part(parts[0].episode, 0, {"side": parts[2].files["side"]}, parts[0].provenance)
    with pytest.raises(EpisodeError, match="holds 5 frames of an episode of 3 steps"):
        source.assemble([part], tmp_path / "out", True)


def test_a_record_too_large_for_readers_is_refused(source, parts, tmp_path, monkeypatch):
    monkeypatch.setattr(assembling, "MAX_RECORD", 1000)
    with pytest.raises(EpisodeError, match=r"train/1: variant 0 would be a record of .* bytes, more than the 1000"):
        source.assemble(parts, tmp_path / "out", True)


def test_same_pictures_give_the_same_record(tmp_path):
    values = episode(1)
    dataset = rlds.open(write_dataset(tmp_path / "source", {"train": [[payload(values)]]}))
    assert example.replace(payload(values), {FRONT: values[FRONT], WRIST: values[WRIST]}) == payload(values)
    entry = dataset.entries[0]
    part = make_part(dataset, entry.id, 0, tmp_path, "wrist")
    dataset.assemble([part], tmp_path / "out", False)
    again = rlds.open(tmp_path / "out")
    back = make_part(again, again.entries[0].id, 0, tmp_path, "wrist")  # PNG: inverting twice is the identity
    again.assemble([back], tmp_path / "back", False)
    (record,) = payloads(rlds.open(tmp_path / "back").path).popitem()[1]
    assert record == payload(values)


@pytest.mark.skipif(not BRIDGE.exists(), reason="the real recordings are not here")
def test_bridge(tmp_path):
    dataset = rlds.open(BRIDGE.resolve())
    assert len(dataset.entries) == 50
    assert len({entry.id for entry in dataset.entries}) == 25
    assert not any(entry.problem for entry in dataset.entries)
    assert dataset.problems() == []
    found = dataset.open(dataset.entries[0].id)
    assert sorted(found.cameras) == [f"image_{number}" for number in range(4)]
    assert found.signals["action"].shape == (10, 7)
    assert found.language == ("put cup from counter or drying rack into sink",)

    dataset.assemble([], tmp_path / "copy", True)
    assert tree(tmp_path / "copy" / "bridge_dataset" / "1.0.0") == tree(BRIDGE)
    parts = [make_part(dataset, entry.id, 0, tmp_path, "image_0") for entry in dataset.entries[:25]]
    dataset.assemble(parts, tmp_path / "out", True)
    again = rlds.open(tmp_path / "out")
    assert again.problems() == []
    for number in range(25):
        for split in ("train", "val"):
            before = dataset.fields(f"{split}/{number}")
            after = again.fields(f"{split}/{number + 25}")
            assert [new.camera for old, new in zip(before, after, strict=True) if old != new] == ["image_0"]
    shutil.rmtree(tmp_path)
