"""What is particular to robomimic-style HDF5; the promises of every format are in test_formats.py."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from robot_io import DatasetError, EpisodeError, Part, Provenance, Role, interruption, open_dataset
from robot_io.formats.base import Dataset
from robot_io.formats.hdf5.disk import writing
from tests.robot_io.hdf5_builder import build

REAL = Path(__file__).parents[3] / "shared/data/g1_hdf5/g1_pick.hdf5"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return build(tmp_path / "demos.hdf5")


def one_part(dataset: Dataset, folder: Path, number: int = 0, variant: int = 0) -> Part:
    """A variant whose front camera is inverted."""
    episode = dataset.open(dataset.entries[number].id)
    file = folder / f"{number}-{variant}.frames"
    clip = episode.cameras["front"].read(0, episode.length)
    with dataset.frame_writer(episode.id, "front", file) as writer:
        writer.write(type(clip)("front", 0, 255 - clip.frames, clip.timestamps))
    provenance = Provenance(episode.id, variant, {"id": "x"}, "r", {"front": "restaged", "wrist": "as recorded"}, {})
    return Part(episode.id, variant, {"front": file}, provenance)


def test_reads_what_robomimic_wrote(path: Path) -> None:
    dataset = open_dataset(path)
    assert [(entry.name, entry.splits) for entry in dataset.entries] == [
        ("demo_0", ("train",)),
        ("demo_1", ("train",)),
        ("demo_2", ("valid",)),
    ]
    episode = dataset.open(dataset.entries[0].id)
    assert set(episode.cameras) == {"front", "wrist"}
    assert set(episode.signals) == {
        "actions",
        "rewards",
        "obs/eef_pos",
        "datagen_info/subtask_term_signals/grasp",
    }
    assert episode.fps == 20
    np.testing.assert_array_equal(episode.cameras["front"].read(2, 5).timestamps, np.arange(2, 5) / 20)
    (track,) = episode.masks["front"]
    assert track.role == Role.ROBOT
    assert track.read(0, 8).sum() == 8 * 144


def test_demos_are_in_numerical_order(tmp_path: Path) -> None:
    names = [entry.name for entry in open_dataset(build(tmp_path / "x.hdf5", demos=11)).entries]
    assert names == [f"demo_{number}" for number in range(11)]


def test_ids_depend_on_content_alone(path: Path, tmp_path: Path) -> None:
    ids = [entry.id for entry in open_dataset(path).entries]
    moved = path.rename(tmp_path / "elsewhere.h5")
    with h5py.File(moved, "r+") as file:
        file.move("data/demo_0", "data/demo_7")
        del file["mask"]
    assert sorted(entry.id for entry in open_dataset(moved).entries) == sorted(ids)
    with h5py.File(moved, "r+") as file:
        file["data/demo_1/obs/front"][3, 0, 0, 0] ^= 1
    changed = {entry.name: entry.id for entry in open_dataset(moved).entries}
    assert changed["demo_1"] != ids[1]
    assert changed["demo_2"] == ids[2]


def test_variant_shares_what_is_unchanged(path: Path, tmp_path: Path) -> None:
    dataset = open_dataset(path)
    dataset.assemble([one_part(dataset, tmp_path)], tmp_path / "out.hdf5", keep_originals=True)
    with h5py.File(tmp_path / "out.hdf5") as file:
        variant, original = file["data/demo_3"], file["data/demo_0"]
        for name in ("actions", "obs/wrist", "obs/depth", "notes", "masks"):
            assert variant[name] == original[name], f"{name} is a copy, not a hard link"
        assert variant["obs/front"] != original["obs/front"]
        np.testing.assert_array_equal(variant["obs/front"][()], 255 - original["obs/front"][()])
        front = variant["obs/front"]
        assert (front.compression, front.fletcher32, front.chunks) == ("gzip", True, (1, 48, 64, 3))
        assert front.attrs["serial"] == 1234
        assert file["data"].attrs["total"] == 32
        assert list(file["mask/train"]) == [b"demo_0", b"demo_1", b"demo_3"]
        assert json.loads(variant.attrs["augmentation"])["cameras"]["front"] == "restaged"
        assert variant.attrs["model_file"] == "<mujoco/>"
        assert isinstance(file["extras"].get("again", getlink=True), h5py.SoftLink)


def test_variants_alone(path: Path, tmp_path: Path) -> None:
    dataset = open_dataset(path)
    parts = [one_part(dataset, tmp_path, 0, 0), one_part(dataset, tmp_path, 0, 1)]
    dataset.assemble(parts, tmp_path / "out.hdf5", keep_originals=False)
    with h5py.File(tmp_path / "out.hdf5") as file:
        assert list(file["data"]) == ["demo_3", "demo_4"]
        assert file["data/demo_3/actions"] == file["data/demo_4/actions"]
        assert list(file["mask/valid"]) == []
    with h5py.File(path) as source, h5py.File(tmp_path / "out.hdf5") as file:
        np.testing.assert_array_equal(file["data/demo_3/actions"][()], source["data/demo_0/actions"][()])


def test_same_bytes_at_another_time(path: Path, tmp_path: Path) -> None:
    dataset = open_dataset(path)
    outputs = []
    for name in ("a.hdf5", "b.hdf5"):
        (tmp_path / name[0]).mkdir()
        parts = [one_part(dataset, tmp_path / name[0], number) for number in (1, 0)]
        dataset.assemble(parts if name[0] == "a" else parts[::-1], tmp_path / name, keep_originals=True)
        outputs.append((tmp_path / name).read_bytes())
        time.sleep(1.1)  # HDF5 keeps times in whole seconds
    assert outputs[0] == outputs[1]


def test_folder_of_files(tmp_path: Path) -> None:
    folder = tmp_path / "suite"
    folder.mkdir()
    for number in range(2):
        build(folder / f"task_{number}_demo.hdf5", seed=10 * number)
    dataset = open_dataset(folder)
    assert dataset.entries[4].name == "task_1_demo/demo_1"
    dataset.assemble([one_part(dataset, tmp_path, 4)], tmp_path / "out", keep_originals=True)
    assert sorted(child.name for child in (tmp_path / "out").iterdir()) == ["task_0_demo.hdf5", "task_1_demo.hdf5"]
    assert len(open_dataset(tmp_path / "out").entries) == 7


def test_one_bad_file_leaves_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "suite"
    folder.mkdir()
    build(folder / "a.hdf5")
    (folder / "b.hdf5").write_bytes(build(tmp_path / "b.hdf5", seed=9).read_bytes()[:-3000])
    dataset = open_dataset(folder)
    assert [entry.name for entry in dataset.entries if entry.problem] == ["b"]
    dataset.assemble([one_part(dataset, tmp_path)], tmp_path / "out", keep_originals=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.hdf5"]
    assert not dataset.problems()
    (folder / "a.hdf5").unlink()
    with pytest.raises(DatasetError, match=r"b\.hdf5 cannot be opened"):
        open_dataset(folder)


def test_libero_is_turned_upright(path: Path, tmp_path: Path) -> None:
    with h5py.File(path, "r+") as file:
        stored = file["data/demo_0/obs/front"][()]
        file["data"].attrs["macros_image_convention"] = "opengl"
        file["data"].attrs["problem_info"] = json.dumps({"language_instruction": "stack the bowls"})
    dataset = open_dataset(path)
    episode = dataset.open(dataset.entries[0].id)
    assert episode.language == ("stack the bowls",)
    np.testing.assert_array_equal(episode.cameras["front"].read(0, 8).frames, stored[:, ::-1, ::-1])
    dataset.assemble([one_part(dataset, tmp_path)], tmp_path / "out.hdf5", keep_originals=True)
    with h5py.File(tmp_path / "out.hdf5") as file:
        np.testing.assert_array_equal(file["data/demo_3/obs/front"][()], 255 - stored)


def test_frame_writer_wants_every_frame_in_order(path: Path, tmp_path: Path) -> None:
    dataset = open_dataset(path)
    entry = dataset.entries[0]
    frames = dataset.open(entry.id).cameras["front"]
    with (
        pytest.raises(ValueError, match="3 frames written, 8 recorded"),
        dataset.frame_writer(entry.id, "front", tmp_path / "p") as writer,
    ):
        writer.write(frames.read(0, 3))
    with (
        pytest.raises(ValueError, match="the next one is 0"),
        dataset.frame_writer(entry.id, "front", tmp_path / "p") as writer,
    ):
        writer.write(frames.read(3, 8))


def bad_num_samples(demo: h5py.Group) -> None:
    del demo.attrs["num_samples"]


def bad_empty(demo: h5py.Group) -> None:
    demo.attrs["num_samples"] = 0


def bad_length(demo: h5py.Group) -> None:
    demo.attrs["num_samples"] = 7


def bad_camera(demo: h5py.Group) -> None:
    del demo["obs/wrist"]


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (bad_num_samples, "no attribute num_samples"),
        (bad_empty, "zero steps"),
        (bad_length, "8 frames but num_samples is 7"),
        (bad_camera, "lacks the camera obs/wrist"),
    ],
)
def test_one_bad_demo_leaves_the_others(path: Path, tmp_path: Path, harm, reason: str) -> None:
    with h5py.File(path, "r+") as file:
        harm(file["data/demo_1"])
    dataset = open_dataset(path)
    problems = [entry.problem for entry in dataset.entries]
    assert problems[0] is problems[2] is None
    assert reason in problems[1]
    with pytest.raises(EpisodeError, match="demo_1"):
        dataset.open(dataset.entries[1].id)
    dataset.assemble([one_part(dataset, tmp_path)], tmp_path / "out.hdf5", keep_originals=True)
    with h5py.File(tmp_path / "out.hdf5") as file:
        assert list(file["data"]) == ["demo_0", "demo_2", "demo_3"]
        assert list(file["mask/train"]) == [b"demo_0", b"demo_3"]
        assert file["data"].attrs["total"] == 24


def test_masks_of_another_size(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["data/demo_0/masks/front/robot"]
        file["data/demo_0/masks/front/robot"] = np.zeros((8, 10, 10), bool)
    dataset = open_dataset(path)
    with pytest.raises(EpisodeError, match=r"masks/front/robot is \(8, 10, 10\)"):
        dataset.open(dataset.entries[0].id)


def test_unknown_role(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.move("data/demo_0/masks/front/robot", "data/demo_0/masks/front/arm")
    dataset = open_dataset(path)
    with pytest.raises(EpisodeError, match="unknown role; known roles: robot, object"):
        dataset.open(dataset.entries[0].id)


def test_counts_that_do_not_add_up(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["data"].attrs["total"] = 99
        file["mask/late"] = np.array([b"demo_9"])
    assert open_dataset(path).problems() == [
        "demos.hdf5: /data attribute total is 99 but the demos have 24 steps",
        "demos.hdf5: mask/late lists demo_9, which is not in /data",
    ]


def test_unusable_files(path: Path, tmp_path: Path) -> None:
    cases = {
        "text.hdf5": (b"not hdf5 at all", "cannot be opened as HDF5"),
        "pointer.hdf5": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "Git-LFS pointer"),
        "short.hdf5": (path.read_bytes()[:-5000], "cannot be opened as HDF5"),
        "other.bin": (b"something", "no dataset that Restage reads"),
    }
    for name, (content, message) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DatasetError, match=message):
            open_dataset(tmp_path / name)
    with h5py.File(tmp_path / "bare.hdf5", "w") as file:
        file["observations/qpos"] = np.zeros(3)
    with pytest.raises(DatasetError, match=r"no group /data \(it has: observations\)"):
        open_dataset(tmp_path / "bare.hdf5")
    with h5py.File(tmp_path / "blind.hdf5", "w") as file:
        file["data/demo_0/actions"] = np.zeros((4, 7))
        file["data/demo_0"].attrs["num_samples"] = 4
    with pytest.raises(DatasetError, match="no camera"):
        open_dataset(tmp_path / "blind.hdf5")
    with pytest.raises(DatasetError, match="does not exist"):
        open_dataset(tmp_path / "nowhere.hdf5")
    with pytest.raises(DatasetError, match="unknown dataset format 'zarr'; known formats: auto, hdf5, rlds"):
        open_dataset(path, "zarr")


def test_follows_the_rules_of_robomimics_reader(path: Path, tmp_path: Path) -> None:
    """What its SequenceDataset does when it opens a file."""
    dataset = open_dataset(path)
    dataset.assemble([one_part(dataset, tmp_path), one_part(dataset, tmp_path, 2)], tmp_path / "out.hdf5", True)
    with h5py.File(tmp_path / "out.hdf5", "r", swmr=True, libver="latest") as file:
        assert json.loads(file["data"].attrs["env_args"])["env_kwargs"] is not None
        assert sorted(file["data"], key=lambda name: int(name[5:])) == [f"demo_{number}" for number in range(5)]
        for key, members in {"train": [0, 1, 3], "valid": [2, 4]}.items():
            demos = [name.decode("utf-8") for name in np.array(file[f"mask/{key}"][:])]
            assert demos == [f"demo_{number}" for number in members]
            for demo in demos:
                group = file["data"][demo]
                length = group.attrs["num_samples"]
                assert group["actions"].ndim == 2
                assert {len(group["obs"][name]) for name in group["obs"]} == {len(group["actions"])} == {length}
        shapes = [{name: item.shape for name, item in demo["obs"].items()} for demo in file["data"].values()]
        assert all(shape == shapes[0] for shape in shapes)


@pytest.mark.skipif(not REAL.exists(), reason="the real recording is not here")
def test_real_recording_is_rewritten_without_loss(tmp_path: Path) -> None:
    dataset = open_dataset(REAL)
    dataset.assemble([], tmp_path / "out.hdf5", keep_originals=True)
    again = open_dataset(tmp_path / "out.hdf5")
    assert [entry.id for entry in again.entries] == [entry.id for entry in dataset.entries]
    assert list(again.dataset_fields()) == list(dataset.dataset_fields())


def test_an_interruption_within_the_library_waits_until_it_is_heeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite = os.pwrite
    steps = []

    def interrupted(*arguments: Any) -> int:
        interruption.interrupt(signal.SIGINT, None)
        return pwrite(*arguments)

    def write() -> None:
        with writing(tmp_path / "x.hdf5") as file:
            file["a"] = np.zeros(100_000)
            monkeypatch.setattr(os, "pwrite", interrupted)
            file["b"] = np.zeros(100_000)
            monkeypatch.undo()
            steps.append("written")
            interruption.heed()
            steps.append("not heeded")

    with pytest.raises(KeyboardInterrupt):
        write()
    assert steps == ["written"]
    interruption.heed()  # nothing is left of it
    with h5py.File(tmp_path / "x.hdf5") as file:
        assert len(file["b"]) == 100_000
