"""Bad input through the front door: what it says, what it exits with, and that it loses nothing."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from tests.robot_io.hdf5_builder import build
from tests.workbench import demonstration, noisy, room
from workflows.cli import main

LENGTH = 12


def dataset(path: Path, *demos: tuple[np.ndarray, np.ndarray | None]) -> Path:
    """Frames of one camera, `front`, and masks of its robot, where there are any."""
    with h5py.File(path, "w") as file:
        for number, (frames, masks) in enumerate(demos):
            demo = file.create_group(f"data/demo_{number}")
            demo.attrs["num_samples"] = len(frames)
            demo["actions"] = np.random.default_rng(number).normal(size=(len(frames), 7))
            demo["obs/front"] = frames
            if masks is not None:
                demo["masks/front/robot"] = masks
        file["data"].attrs["total"] = sum(len(frames) for frames, _ in demos)
    return path


def good(seed: int = 0, height: int = 96, width: int = 128) -> tuple[np.ndarray, np.ndarray]:
    frames, masks = demonstration(LENGTH, height, width)
    return noisy(frames, seed=seed), masks


def augment(source: Path, out: Path, *overrides: str) -> int:
    return main(["augment", f"dataset.path={source}", f"output.path={out}", "executor=serial", *overrides])


def summary(out: Path) -> dict:
    return json.loads((out.with_name(f"{out.name}.restage") / "summary.json").read_text())


def nothing_is_half_written(out: Path) -> bool:
    return not list(out.with_name(f"{out.name}.restage").rglob(".*"))


def is_valid(out: Path, source: Path) -> bool:
    return main(["validate", f"dataset.path={out}", f"source.path={source}"]) == 0


def test_where_nothing_moves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    still = noisy(np.repeat(room()[None], LENGTH, axis=0))
    source, out = dataset(tmp_path / "in.hdf5", good(), (still, None)), tmp_path / "out.hdf5"
    assert augment(source, out, "segment=motion") == 3
    record = summary(out)
    assert (record["variants"]["done"], record["variants"]["rejected"]) == (1, 1)
    (refused,) = record["rejected"]
    assert refused["episode"] == "demo_1"
    assert refused["tries"] == 1
    reason = "front: keep mask is empty (0.000% < 0.100%): nothing that moves was found"
    assert refused["reason"].startswith(reason)
    assert f"demo_1: {reason}" in capsys.readouterr().err
    assert is_valid(out, source)
    with h5py.File(out) as file:
        assert list(file["data"]) == ["demo_0", "demo_1", "demo_2"], "what is refused is still there as recorded"


def test_a_camera_that_moves_is_no_failure(tmp_path: Path) -> None:
    large = room(96, 128 + 6 * LENGTH)
    panned = noisy(np.stack([large[:, 6 * index : 6 * index + 128] for index in range(LENGTH)]))
    source, out = dataset(tmp_path / "in.hdf5", (panned, None)), tmp_path / "out.hdf5"
    assert augment(source, out, "segment=motion") == 0
    assert summary(out)["cameras"] == {"front": {"as recorded: the camera moves all the time": 1}}
    assert is_valid(out, source)


def test_a_recording_of_one_frame(tmp_path: Path) -> None:
    frames, masks = good()
    source, out = dataset(tmp_path / "in.hdf5", (frames[:1], masks[:1])), tmp_path / "out.hdf5"
    assert augment(source, out, "segment=recorded") == 0
    assert is_valid(out, source)
    assert augment(source, tmp_path / "motion.hdf5", "segment=motion") == 3
    assert "nothing that moves was found" in summary(tmp_path / "motion.hdf5")["rejected"][0]["reason"]


@pytest.mark.parametrize("segment", ["motion", "recorded"])
def test_two_sizes_in_one_dataset(tmp_path: Path, segment: str) -> None:
    sizes = ((96, 128), (72, 96), (96, 128))
    demos = [good(number, *size) for number, size in enumerate(sizes)]
    source, out = dataset(tmp_path / "in.hdf5", *demos), tmp_path / "out.hdf5"
    assert augment(source, out, f"segment={segment}") == 0
    assert summary(out)["cameras"] == {"front": {"restaged": 3}}
    assert is_valid(out, source)
    with h5py.File(out) as file:
        shapes = [file[f"data/demo_{number}/obs/front"].shape[1:3] for number in range(6)]
    assert shapes == [*sizes, *sizes]


def test_painted_for_another_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    painted = tmp_path / "painted"
    painted.mkdir()
    Image.new("L", (128, 96)).save(painted / "front.png")
    source = dataset(tmp_path / "in.hdf5", good(0), good(1, 48, 64), good(2))
    out = tmp_path / "out.hdf5"
    words = ["segment=recorded", f"segment.keep_always={painted}"]
    assert augment(source, out, *words) == 3
    record = summary(out)
    reason = f"{painted / 'front.png'} is 96x128 pixels; its camera is 48x64. Paint it on a frame of that size"
    assert record["failed"] == [{"episode": "demo_1", "variant": None, "reason": reason}]
    assert record["variants"]["done"] == 2
    assert f"demo_1: {reason}" in capsys.readouterr().err
    assert nothing_is_half_written(out)
    assert is_valid(out, source)
    (painted / "front.png").unlink()
    assert augment(source, out, *words) == 0, "the way out: what was missing is made, the rest is still there"
    assert is_valid(out, source)


def test_polygons_that_are_not_understood(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "painted" / "front.json"
    path.parent.mkdir()
    source, out = dataset(tmp_path / "in.hdf5", good()), tmp_path / "out.hdf5"

    def tried(kind: str, width: int) -> int:
        shape = {"label": "goal", "points": [[9, 9], [12, 12]], "shape_type": kind}
        path.write_text(json.dumps({"shapes": [shape], "imageHeight": 96, "imageWidth": width}))
        return augment(source, out, "segment=recorded", f"segment.keep_always={path.parent}")

    assert tried("circle", 128) == 2
    assert f"{path}: shapes[0] is a circle; understood are polygon and rectangle" in capsys.readouterr().err
    assert not out.exists(), "nothing is begun that could not succeed"
    assert tried("rectangle", 96) == 3
    reason = f"{path} is 96x96 pixels; its camera is 96x128. Paint it on a frame of that size"
    assert [failed["reason"] for failed in summary(out)["failed"]] == [reason]
    assert tried("rectangle", 128) == 0


def test_a_folder_of_masks_for_another_size(tmp_path: Path) -> None:
    frames, masks = good()
    source, out, folder = dataset(tmp_path / "in.hdf5", (frames, None)), tmp_path / "out.hdf5", tmp_path / "masks"
    role = folder / "demo_0" / "front" / "robot"
    role.mkdir(parents=True)
    for index, mask in enumerate(masks):
        Image.fromarray(mask[::2, ::2]).save(role / f"{index:06d}.png")
    words = ["segment=recorded", f"segment.masks={folder}"]
    assert augment(source, out, *words) == 3
    (failed,) = summary(out)["failed"]
    assert failed["reason"].startswith(f"{role / '000000.png'} is 48x64 pixels; its camera is 96x128.")
    assert nothing_is_half_written(out)
    for index, mask in enumerate(masks):
        Image.fromarray(mask).save(role / f"{index:06d}.png")
    assert augment(source, out, *words) == 0
    assert is_valid(out, source)


def test_recorded_masks_of_another_size(tmp_path: Path) -> None:
    frames, masks = good(1)
    source, out = dataset(tmp_path / "in.hdf5", good(), (frames, masks[:, ::2, ::2])), tmp_path / "out.hdf5"
    assert augment(source, out, "segment=recorded") == 3
    record = summary(out)
    assert record["variants"]["done"] == 1
    (failed,) = record["failed"]
    assert failed["episode"] == "demo_1"
    expected = "masks/front/robot is (12, 48, 64); its camera's frames are (12, 96, 128). Store one mask a frame"
    assert failed["reason"].startswith(expected)
    assert main(["validate", f"dataset.path={out}", f"source.path={source}"]) == 3, "it is carried over, masks and all"


def test_one_of_everything(tmp_path: Path) -> None:
    """Bad episodes of every kind beside a good one."""
    large = room(96, 128 + 6 * LENGTH)
    panned = noisy(np.stack([large[:, 6 * index : 6 * index + 128] for index in range(LENGTH)]))
    flashed, masks = good(5)
    flashed[4], flashed[8] = 255, 0
    frames, _ = good(6)
    black = np.zeros_like(frames)
    demos = [good(), (panned, None), (frames[:1], None), (flashed, masks), (frames, masks[:, ::2]), (black, masks)]
    source, out = dataset(tmp_path / "in.hdf5", *demos), tmp_path / "out.hdf5"
    assert augment(source, out, "segment=motion") == 3
    record = summary(out)
    assert record["variants"] == {"done": 3, "left": 1, "rejected": 1, "failed": 0}
    assert [item["episode"] for item in record["rejected"]] == ["demo_5"]
    assert [item["episode"] for item in record["failed"]] == ["demo_4"]
    assert main(["validate", f"dataset.path={out}", f"source.path={source}"]) == 3
    with h5py.File(source) as recorded, h5py.File(out) as written:
        assert set(recorded["data"]) < set(written["data"]), "nothing is lost"


def test_the_sample_with_a_wrist_camera_still_counts(tmp_path: Path) -> None:
    """An episode whose wrist camera moves is restaged in its other camera alone."""
    source, out = build(tmp_path / "in.hdf5", demos=1), tmp_path / "out.hdf5"
    assert augment(source, out, "segment=recorded") == 0
    assert summary(out)["cameras"] == {
        "front": {"restaged": 1},
        "wrist": {"as recorded: the camera moves all the time": 1},
    }
