"""Bad data: one bad episode never stops the others; a bad dataset is refused with the way out."""

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot_io.errors import DatasetError, EpisodeError
from robot_io.formats import rlds
from robot_io.formats.rlds.tfrecord import FRAMING
from tests.robot_io.rlds_builder import (
    FEATURES,
    HEIGHT,
    WIDTH,
    Example,
    episode,
    group,
    image,
    jpeg,
    payload,
    png,
    sequence,
    tensor,
    tiny,
    write_dataset,
)

Values = dict[str, Any]
FRONT = "steps/observation/front"


def shard(folder: Path, number: int = 0) -> Path:
    return sorted(folder.glob("*-train.tfrecord-*"))[number]


def of_three(tmp_path: Path, spoil: Callable[[Values], Any]) -> rlds.RldsDataset:
    """Three records, the second spoilt."""
    values = [episode(seed) for seed in (1, 2, 3)]
    spoil(values[1])
    return rlds.open(write_dataset(tmp_path, {"train": [[payload(each) for each in values]]}))


def problems(dataset: rlds.RldsDataset) -> list[str | None]:
    """Of each entry; checks on the way that the others can be used and that this one cannot."""
    assert len({entry.id for entry in dataset.entries}) == len(dataset.entries)
    for entry in dataset.entries:
        if entry.problem:
            with pytest.raises(EpisodeError, match=entry.name):
                dataset.open(entry.id)
            with pytest.raises(EpisodeError, match=entry.name):
                list(dataset.fields(entry.name))
        else:
            for frames in dataset.open(entry.id).cameras.values():
                frames.read(0, len(frames))
    return [entry.problem for entry in dataset.entries]


def test_a_flipped_bit_costs_one_record(tmp_path):
    payloads = [payload(episode(seed)) for seed in (1, 2, 3)]
    folder = write_dataset(tmp_path, {"train": [payloads]})
    stored = bytearray(shard(folder).read_bytes())
    stored[len(payloads[0]) + FRAMING + 12 + 100] ^= 4
    shard(folder).write_bytes(stored)
    found = problems(rlds.open(folder))
    assert [found[0], found[2]] == [None, None]
    assert "its content is corrupt (checksum mismatch)" in found[1]
    assert rlds.open(folder).entries == rlds.open(folder).entries


@pytest.mark.parametrize(
    ("kept", "message"), [(-7, "truncated: "), (FRAMING + 5, "truncated: "), (6, "truncated within its length")]
)
def test_a_truncated_shard_costs_its_last_record(tmp_path, kept, message):
    payloads = [payload(episode(seed)) for seed in (1, 2)]
    folder = write_dataset(tmp_path, {"train": [payloads, [payload(episode(3))]]})
    start = len(payloads[0]) + FRAMING
    os.truncate(shard(folder), start + kept if kept > 0 else shard(folder).stat().st_size + kept)
    found = problems(rlds.open(folder))
    assert [found[0], found[2]] == [None, None]
    assert message in found[1]


def test_a_corrupt_length_costs_the_rest_of_its_shard(tmp_path):
    payloads = [payload(episode(seed)) for seed in (1, 2, 3)]
    folder = write_dataset(tmp_path, {"train": [payloads, [payload(episode(4))]]})
    stored = bytearray(shard(folder).read_bytes())
    stored[len(payloads[0]) + FRAMING] ^= 1
    shard(folder).write_bytes(stored)
    dataset = rlds.open(folder)
    found = problems(dataset)
    assert [found[0], found[3]] == [None, None]
    assert "its length is corrupt" in found[1]
    assert "cannot be reached" in found[2]
    assert [entry.name for entry in dataset.entries] == [f"train/{number}" for number in range(4)]


def test_rubbish_behind_the_records_is_one_more_problem(tmp_path):
    folder = write_dataset(tmp_path, {"train": [[payload(episode(1))]]})
    with shard(folder).open("ab") as file:
        file.write(b"rubbish")
    found = problems(rlds.open(folder))
    assert found[0] is None
    assert "truncated within its length" in found[1]


def drop_action_row(values: Values) -> None:
    values["steps/action"] = values["steps/action"][:-3]


def split_contacts_unevenly(values: Values) -> None:
    values["steps/contacts/ragged_row_lengths_0"] = values["steps/contacts/ragged_row_lengths_0"][:-1]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda v: v.update(episode(2, 0)), "it has no steps"),
        (lambda v: v.pop("steps/action"), "it lacks steps/action, which features.json declares"),
        (lambda v: v.pop("episode_metadata/file_path"), "it lacks episode_metadata/file_path"),
        (lambda v: v.pop(FRONT), f"it lacks {FRONT}"),
        (lambda v: v.update({FRONT: []}), f"{FRONT} holds no images, although the episode has 4 steps"),
        (lambda v: v[FRONT].pop(), f"{FRONT} has 3, others have 4"),
        (lambda v: v.update({f"{FRONT}/left": v.pop(FRONT)}), f"{FRONT} holds no images"),
        (drop_action_row, "steps/action has 3, others have 4"),
        (split_contacts_unevenly, "steps/contacts has 3, others have 4"),
        (lambda v: v.update({"steps/action": v["steps/action"][:-1]}), "11 values, no multiple of 3"),
        (lambda v: v.update({"steps/action": [b"x"] * 4}), "steps/action holds bytes"),
        (lambda v: v.update({FRONT: np.zeros(4)}), f"{FRONT} holds numbers"),
        (lambda v: v[FRONT].__setitem__(2, png(np.zeros((8, 9, 3), np.uint8))), f"frame 2 of {FRONT} is 9x8"),
        (
            lambda v: v["steps/observation/side"].__setitem__(3, jpeg(np.zeros((8, 9, 3), np.uint8))),
            f"frame 3 of steps/observation/side is 9x8 instead of {WIDTH}x{HEIGHT}",
        ),
        (lambda v: v[FRONT].__setitem__(1, b"GIF89a"), f"frame 1 of {FRONT}: 6 bytes .* neither JPEG nor PNG"),
        (lambda v: v.update({"steps/observation/side": [b""] * 4}), "side holds only padding"),
    ],
)
def test_a_bad_record_costs_itself_alone(tmp_path, spoil, message):
    dataset = of_three(tmp_path, spoil)
    found = problems(dataset)
    assert [found[0], found[2]] == [None, None]
    with pytest.raises(EpisodeError, match=message):
        dataset.open(dataset.entries[1].id)


def test_what_is_no_example_costs_itself_alone(tmp_path):
    folder = write_dataset(tmp_path, {"train": [[payload(episode(1)), b"\x0a\xffnot an Example"]]})
    found = problems(rlds.open(folder))
    assert found[0] is None
    assert "it is no tf.train.Example" in found[1]


def test_an_undecodable_picture_is_found_when_read(tmp_path):
    dataset = of_three(tmp_path, lambda values: values[FRONT].__setitem__(2, values[FRONT][2][:-150]))
    frames = dataset.open(dataset.entries[1].id).cameras["front"]
    assert len(frames.read(0, 2)) == 2
    with pytest.raises(EpisodeError, match=r"train/1: frame 2 of camera front: .* cannot be decoded"):
        frames.read(0, 4)


def test_optional_features_may_be_absent(tmp_path):
    values = [episode(1), episode(2) | {"episode_metadata/note": [b"here"]}]
    dataset = rlds.open(write_dataset(tmp_path, {"train": [[payload(each) for each in values]]}))
    assert problems(dataset) == [None, None]


def test_a_record_that_changes_after_opening_is_noticed(tmp_path):
    folder = tiny(tmp_path)
    dataset = rlds.open(folder)
    stored = bytearray(shard(folder).read_bytes())
    stored[200] ^= 1
    shard(folder).write_bytes(stored)
    with pytest.raises(EpisodeError, match="was whole when the dataset was opened"):
        dataset.open(dataset.entries[0].id)


def rewrite_info(folder: Path, change: Callable[[Values], Any]) -> None:
    info = json.loads((folder / "dataset_info.json").read_text())
    change(info)
    (folder / "dataset_info.json").write_text(json.dumps(info))


def declare(folder: Path, **more: Any) -> None:
    features = copy.deepcopy(FEATURES)
    features["featuresDict"]["features"].update(more)
    (folder / "features.json").write_text(json.dumps(features))


def leave_lfs_pointer(folder: Path) -> None:
    shard(folder, 1).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: shard(f, 1).unlink(), "has no tiny_robot-train.tfrecord-00001-of-00002, which .* split train"),
        (leave_lfs_pointer, "00001-of-00002 is a Git-LFS pointer.*git lfs pull"),
        (lambda f: (f / "features.json").unlink(), "has no features.json"),
        (lambda f: (f / "dataset_info.json").unlink(), "has no dataset_info.json"),
        (lambda f: (f / "features.json").write_text("{"), "features.json is not valid JSON"),
        (lambda f: (f / "dataset_info.json").write_bytes(b"\xff"), "dataset_info.json is not valid JSON"),
        (lambda f: (f / "dataset_info.json").write_text("[]"), "holds a JSON list; expected an object"),
        (lambda f: (f / "features.json").write_text('{"featuresDict": {"features": 3}}'), "does not describe features"),
        (lambda f: declare(f, extra=tensor("int64")), "declares extra, which not one of 4 records holds"),
        (lambda f: declare(f, steps=sequence(group(a=tensor("int64")))), "declares no camera: .* found steps/a, "),
        (lambda f: declare(f, steps=group(a=image(8, 8, 3, dtype="uint16"))), "declares no camera"),
        (lambda f: rewrite_info(f, lambda i: i.pop("name")), "does not describe a dataset .KeyError: 'name'"),
        (lambda f: rewrite_info(f, lambda i: i.update(name="../up")), "are not plain, distinct names"),
        (lambda f: rewrite_info(f, lambda i: i.update(fileFormat="array_record")), "fileFormat is 'array_record'"),
        (
            lambda f: rewrite_info(f, lambda i: i["splits"][0].update(shardLengths=["2", "7"])),
            "00001-of-00002 holds 1 records, but dataset_info.json declares 7",
        ),
        (
            lambda f: rewrite_info(f, lambda i: i["splits"][0].update(filepathTemplate="{DATASET}-{FLAVOUR}")),
            "'{DATASET}-{FLAVOUR}' of split train cannot be filled in",
        ),
        (
            lambda f: rewrite_info(f, lambda i: i["splits"][0].update(filepathTemplate="../{SPLIT}")),
            "leads to another folder",
        ),
        (lambda f: os.truncate(shard(f), (len(payload(episode(1))) + FRAMING)), "holds 1 records, but .* declares 2"),
    ],
)
def test_an_unsound_dataset_is_refused(tmp_path, spoil, message):
    folder = tiny(tmp_path)
    rlds.open(folder)
    spoil(folder)
    with pytest.raises(DatasetError, match=message):
        rlds.open(folder)


def test_other_templates_name_other_files(tmp_path):
    folder = tiny(tmp_path)
    template = "{SPLIT}.{SHARD_INDEX}.{NUM_SHARDS}.{FILEFORMAT}"
    rewrite_info(folder, lambda info: [split.update(filepathTemplate=template) for split in info["splits"]])
    for number in (0, 1):
        shard(folder, 0).rename(folder / f"train.{number:05d}.00002.tfrecord")
    next(folder.glob("*val*")).rename(folder / "val.00000.00001.tfrecord")
    assert len(rlds.open(folder).entries) == 4


def test_problems_tell_what_is_unsound(tmp_path):
    folder = tiny(tmp_path)
    rewrite_info(folder, lambda info: info["splits"][1].update(numBytes="12"))
    (folder / "tiny_robot-test.tfrecord-00000-of-00001").touch()
    line = {"source": "0", "variant": 0, "plan": {}, "recipe_hash": "", "cameras": {}, "revisions": {}}
    lines = [{**line, "split": "train", "record": record} for record in (1, 1, 3)]
    (folder / "augmentation.jsonl").write_text("\n".join([*map(json.dumps, lines), "{}", ""]))
    dataset = rlds.open(folder)
    size = len(payload(episode(2, 3)))
    assert sorted(dataset.problems()) == [
        "augmentation.jsonl line 2 is the second about train/1",
        "augmentation.jsonl line 4 cannot be understood (KeyError: 'split')",
        "augmentation.jsonl tells of record train/3, which does not exist",
        f"dataset_info.json declares numBytes 12 for split val; its records hold {size}",
        "tiny_robot-test.tfrecord-00000-of-00001 is in the folder, but dataset_info.json does not declare it",
    ]
    assert dataset.select(["train/0"]).problems() == dataset.problems()


def test_records_in_another_order_of_keys_are_read(tmp_path):
    message = Example.FromString(payload(episode(1)))
    backwards = b"".join(
        Example.FromString(payload({key: values})).SerializeToString()
        for key, values in reversed(list(episode(1).items()))
    )
    assert Example.FromString(backwards) == message
    dataset = rlds.open(write_dataset(tmp_path, {"train": [[backwards]]}))
    assert problems(dataset) == [None]
