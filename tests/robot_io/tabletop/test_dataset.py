"""Files: what is written, what comes with the package, what works without MuJoCo or OpenGL."""

import json
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from robot_io import open_dataset
from robot_io.formats.hdf5.create import create
from robot_io.memory import ArrayFrames, ArrayMask
from robot_io.tabletop.samples import SPEC, samples_path
from robot_io.tabletop.spec import TabletopSpec
from robot_io.types import Episode, Role

NO_OPENGL = """
import numpy as np
from robot_io.tabletop.episodes import record_episode
from robot_io.tabletop.spec import TabletopSpec
episode = record_episode(TabletopSpec(episodes=1, size=32), 0)
assert np.ptp(episode.cameras["agentview_image"].read(0, 1).frames) > 50
loaded = open("/proc/self/maps").read().lower()
found = [name for name in ("libgl.", "libegl", "libosmesa", "libglx", "libopengl", "libglfw") if name in loaded]
assert not found, found
"""
NO_MUJOCO = """
import sys
sys.modules["mujoco"] = None
import robot_io
from robot_io.tabletop.samples import samples_path
from robot_io.tabletop.spec import TabletopSpec
assert samples_path().is_file()
try:
    import robot_io.tabletop.episodes
except ModuleNotFoundError as error:
    assert "pip install 'restage[sim]'" in str(error), error
else:
    raise AssertionError("no error")
"""


def run(code: str, **environment: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path), **environment})


def small_episode(number: int, fps: float | None = 10.0) -> Episode:
    rng = np.random.default_rng(number)
    length = 3 + number
    frames = rng.integers(0, 256, (length, 6, 8, 3), dtype=np.uint8)
    return Episode(
        id=f"{number:016x}",
        name=f"any_{number}",
        length=length,
        cameras={"front": ArrayFrames("front", frames, fps)},
        signals={"actions": rng.random((length, 4), dtype=np.float32), "obs/pose": rng.random((length, 2))},
        language=("do it", "please"),
        fps=fps,
        masks={"front": (ArrayMask(Role.ROBOT, "arm", rng.random((length, 6, 8)) < 0.3),)},
    )


def test_what_is_created_reads_back_through_the_format(tmp_path: Path) -> None:
    episodes = [small_episode(i) for i in range(3)]
    create(tmp_path / "set.hdf5", episodes, "Any")
    dataset = open_dataset(tmp_path / "set.hdf5")
    assert dataset.problems() == []
    assert [entry.splits for entry in dataset.entries] == [("train",), ("train",), ("valid",)]
    for entry, episode in zip(dataset.entries, episodes, strict=True):
        read = dataset.open(entry.id)
        assert (read.length, read.fps, read.language) == (episode.length, episode.fps, episode.language)
        assert set(read.signals) == set(episode.signals)
        for name, values in episode.signals.items():
            assert read.signals[name].dtype == values.dtype
            np.testing.assert_array_equal(read.signals[name], values)
        whole = slice(0, episode.length)
        np.testing.assert_array_equal(
            read.cameras["front"].read(whole.start, whole.stop).frames, episode.cameras["front"].read(0, 99).frames
        )
        (mask,) = read.masks["front"]
        assert mask.role is Role.ROBOT
        np.testing.assert_array_equal(mask.read(0, episode.length), episode.masks["front"][0].read(0, episode.length))


def test_robomimics_rules(tmp_path: Path) -> None:
    create(tmp_path / "set.hdf5", (small_episode(i) for i in range(2)), "Any")
    with h5py.File(tmp_path / "set.hdf5", "r", swmr=True, libver="latest") as file:
        assert json.loads(file["data"].attrs["env_args"])["env_kwargs"] == {"fps": 10.0}
        assert file["data"].attrs["total"] == 3 + 4
        assert [file[f"data/demo_{i}"].attrs["num_samples"] for i in (0, 1)] == [3, 4]
        assert file["mask/train"][()].tolist() == [b"demo_0"]
        assert file["mask/valid"][()].tolist() == [b"demo_1"]
        frames, mask = file["data/demo_0/obs/front"], file["data/demo_0/masks/front/robot"]
        assert (frames.chunks, frames.compression) == ((1, 6, 8, 3), "gzip")
        assert (mask.chunks, mask.dtype) == ((1, 6, 8), np.bool_)


def test_bytes_hold_no_times(tmp_path: Path) -> None:
    for name in ("one", "two"):
        create(tmp_path / name, [small_episode(0), small_episode(1)], "Any")
        time.sleep(1.1)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_what_cannot_be_created_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "set.hdf5"
    with pytest.raises(ValueError, match=r"frame rates \['10.0', '12.5'\]; one file has one rate"):
        create(path, [small_episode(0), small_episode(1, fps=12.5)], "Any")
    with pytest.raises(ValueError, match="at least one episode"):
        create(path, [], "Any")
    assert list(tmp_path.iterdir()) == []


def test_a_rendered_dataset(tmp_path: Path) -> None:
    pytest.importorskip("mujoco")
    from robot_io.tabletop.episodes import record_episode, render_dataset

    spec, told = TabletopSpec(episodes=1, size=32, seed=3), []
    render_dataset(spec, tmp_path / "set.hdf5", lambda done, total: told.append((done, total)))
    render_dataset(spec, tmp_path / "again.hdf5")
    assert told == [(1, 1)]
    assert (tmp_path / "set.hdf5").read_bytes() == (tmp_path / "again.hdf5").read_bytes()
    dataset, episode = open_dataset(tmp_path / "set.hdf5"), record_episode(spec, 0)
    read = dataset.open(dataset.entries[0].id)
    assert set(read.signals) == set(episode.signals)
    assert read.language == episode.language
    assert read.fps == 12.5
    for camera, source in episode.cameras.items():
        np.testing.assert_array_equal(read.cameras[camera].read(0, 99).frames, source.read(0, 99).frames)
        assert {track.role for track in read.masks[camera]} == set(Role) - {Role.OTHER}


def test_samples() -> None:
    assert samples_path().stat().st_size < 5_000_000
    dataset = open_dataset(samples_path())
    assert dataset.problems() == []
    assert all(dataset.open(entry.id).language for entry in dataset.entries)
    with h5py.File(samples_path()) as file:
        assert set(file["data"]) == {f"demo_{i}" for i in range(6)}
        assert len(file["mask/train"]) + len(file["mask/valid"]) == 6
        for demo in file["data"].values():
            length = demo.attrs["num_samples"]
            assert demo["obs/agentview_image"].shape == (length, 128, 128, 3)
            assert demo["obs/robot0_eye_in_hand_image"].shape == (length, 64, 64, 3)
            for camera in ("agentview_image", "robot0_eye_in_hand_image"):
                for role in ("robot", "object", "goal", "support"):
                    assert demo[f"masks/{camera}/{role}"][()].any()
            assert demo["rewards"][-1] == 1


def test_samples_are_those_of_the_present_world() -> None:
    """If this fails: `python -m robot_io.tabletop.samples`."""
    pytest.importorskip("mujoco")
    from robot_io.tabletop.episodes import record_episode

    for index in (0, SPEC.episodes - 1):
        episode = record_episode(TabletopSpec(SPEC.episodes, 32, SPEC.seed), index)
        with h5py.File(samples_path()) as file:
            demo = file[f"data/demo_{index}"]
            assert tuple(json.loads(demo.attrs["language"])) == episode.language
            for name, values in episode.signals.items():
                np.testing.assert_allclose(demo[name][()], values, atol=1e-6)
            small = demo["obs/agentview_image"][()].reshape(-1, 32, 4, 32, 4, 3).mean(axis=(2, 4))
        frames = episode.cameras["agentview_image"].read(0, 99).frames
        assert np.corrcoef(small.ravel(), frames.ravel())[0, 1] > 0.98


def test_no_opengl_is_needed() -> None:
    pytest.importorskip("mujoco")
    run(NO_OPENGL, MUJOCO_GL="disable")


def test_without_mujoco_samples_are_found_and_the_error_says_what_to_install() -> None:
    run(NO_MUJOCO)


def test_importing_robot_io_loads_no_mujoco() -> None:
    run("import sys, robot_io, robot_io.tabletop.samples; assert 'mujoco' not in sys.modules")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"episodes": 0}, "episodes is 0"),
        ({"size": 16}, "size is 16; .* at least 32"),
        ({"size": 65}, "size is 65; it must be even"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_what_cannot_be_rendered(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TabletopSpec(**wrong)


def test_there_is_no_such_episode() -> None:
    with pytest.raises(IndexError, match="episode 8 of a dataset of 8"):
        TabletopSpec().random(8)
