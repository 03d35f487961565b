"""The measurements compare what they say they compare; how fast anything is, is nobody's business here."""

import filecmp
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from augment.errors import RequestError, RunError
from augment.models.runtime import Runtime
from robot_io import open_dataset
from robot_io.atomic import remove
from robot_io.validation import compare, unsound_episodes
from workflows import (
    _bench_data,
    _bench_generate,
    _bench_io,
    _bench_networks,
    _bench_pipeline,
    _bench_plates,
    _bench_scene,
    _config,
)
from workflows.cli import main

SIZE = _bench_data.Size(episodes=5, length=8, side=32)


@pytest.fixture(params=["hdf5", "rlds"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "source"
    {"hdf5": _bench_data.make_hdf5, "rlds": _bench_data.make_rlds}[request.param](path, SIZE)
    return path


def test_the_datasets_are_sound(source: Path) -> None:
    dataset = open_dataset(source)
    assert dataset.problems() == []
    assert list(unsound_episodes(dataset)) == []
    assert len({entry.id for entry in dataset.entries}) == SIZE.episodes
    for entry in dataset.entries:
        cameras = dataset.open(entry.id).cameras
        assert {(len(frames), frames.height, frames.width) for frames in cameras.values()} == {(8, 32, 32)}
        assert tuple(cameras) == _bench_data.CAMERAS


def test_rewrite_and_copy_carry_everything_over(source: Path, tmp_path: Path) -> None:
    dataset = open_dataset(source)
    for action in (_bench_io.rewrite, _bench_io.copy):
        out = tmp_path / "out"
        action(source, out)
        result = compare(dataset, open_dataset(out))
        assert result.violations == []
        assert result.episodes == SIZE.episodes
        remove(out)


def test_a_copied_folder_has_the_same_files(tmp_path: Path) -> None:
    _bench_data.make_rlds(tmp_path / "source", SIZE)
    _bench_io.copy(tmp_path / "source", tmp_path / "out")
    files = [path.relative_to(tmp_path / "source") for path in (tmp_path / "source").rglob("*") if path.is_file()]
    same, different, failed = filecmp.cmpfiles(tmp_path / "source", tmp_path / "out", files, shallow=False)
    assert (len(same), different, failed) == (_bench_data.SHARDS + 2, [], [])


@pytest.mark.parametrize(
    ("make", "read", "needs"),
    [
        (_bench_data.make_hdf5, _bench_io.read_hdf5, "h5py"),
        (_bench_data.make_rlds, _bench_io.read_rlds, "google.protobuf"),
    ],
)
def test_both_readers_give_the_same_frames_in_the_same_order(
    make: Callable[[Path, _bench_data.Size], None],
    read: Callable[[Path], Iterator[np.ndarray]],
    needs: str,
    tmp_path: Path,
) -> None:
    pytest.importorskip(needs)
    make(tmp_path / "source", SIZE)
    ours = np.concatenate(list(_bench_io.read_frames(open_dataset(tmp_path / "source"))))
    plain = np.concatenate(list(read(tmp_path / "source")))
    assert len(ours) == SIZE.episodes * SIZE.length * len(_bench_data.CAMERAS)
    np.testing.assert_array_equal(ours, plain)


def test_a_verdict_follows_the_ratio() -> None:
    assert str(_bench_io.Comparison("x", 1.5, 1.0, 1.5)).endswith("  1.50    1.50  met")
    assert str(_bench_io.Comparison("x", 1.6, 1.0, 1.5)).endswith("  1.60    1.50  MISSED")


def test_side_by_side_takes_turns_and_cleans_up_after_each() -> None:
    calls: list[str] = []
    ours, plain, clean = (lambda name=name: calls.append(name) for name in ("ours", "plain", "clean"))
    _bench_io.side_by_side("x", ours, plain, 1.0, 2, clean)
    assert calls == ["ours", "clean", "plain", "clean"] * 2


def test_io_gives_every_ratio_of_the_contract(tmp_path: Path) -> None:
    pytest.importorskip("google.protobuf")
    lines = list(_bench_io.measure(tmp_path, SIZE, SIZE, repetitions=1))
    rows = [re.fullmatch(r"(\w+: .+?) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+)  (met|MISSED)", line) for line in lines]
    assert [(row[1], float(row[5])) for row in rows if row] == [
        ("hdf5: identity rewrite / copy", 1.5),
        ("hdf5: read every frame / h5py", 1.2),
        ("rlds: identity rewrite / copy", 1.5),
        ("rlds: read every frame / protobuf and Pillow", 1.2),
    ]


def test_without_protobuf_the_row_that_needs_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    lines = list(_bench_io.measure(tmp_path, SIZE, SIZE, repetitions=1))
    assert "rlds: reading is left out, because protobuf is not installed" in lines
    assert sum(line.endswith((" met", " MISSED")) for line in lines) == 3


def test_pipeline_gives_stages_and_peaks(tmp_path: Path) -> None:
    lines = list(_bench_pipeline.measure(tmp_path, length=8, lengths=(8, 16), height=48, width=64))
    shares = {row[1]: int(row[2]) for line in lines if (row := re.fullmatch(r"(\w.*?) +[\d.]+ +(\d+)%", line))}
    assert {"survey", "layers", "generate", "decode", "compose", "encode", "check"} < set(shares)
    assert sum(shares.values()) == pytest.approx(100, abs=len(shares))
    lengths = [int(row[1]) for line in lines if (row := re.fullmatch(r" +(\d+) +\d+", line))]
    assert lengths == [8, 16]
    assert sum(line.endswith((" met", " MISSED")) for line in lines) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_run_restages_every_camera_in_every_variant(tmp_path: Path) -> None:
    source, out = tmp_path / "recording.hdf5", tmp_path / "restaged.hdf5"
    _bench_data.make_recording(source, 8, 48, 64)
    run = _bench_pipeline.augment(source, out, 2)
    assert run.summary["cameras"] == {camera: {"restaged": 2} for camera in _bench_data.CAMERAS}
    assert run.seconds > sum(run.summary["seconds"].values())
    assert _bench_pipeline.codec_seconds(source, out, tmp_path / "frames") > 0


def test_the_peak_is_that_of_the_run_alone(tmp_path: Path) -> None:
    ballast = np.ones(400_000_000, np.uint8)  # would be inherited by a process that this one forks
    source = tmp_path / "recording.hdf5"
    _bench_data.make_recording(source, 8, 48, 64, flat=True)
    assert 20 < _bench_pipeline.augment(source, tmp_path / "out.hdf5", 1).peak < ballast.nbytes / 1e6


def test_a_run_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(_bench_pipeline.RunError, match="no dataset at"):
        _bench_pipeline.augment(tmp_path / "nothing.hdf5", tmp_path / "out.hdf5", 1)


@pytest.mark.parametrize("flat", [True, False])
def test_a_recording_holds_the_painted_frames(flat: bool, tmp_path: Path) -> None:
    _bench_data.make_recording(tmp_path / "x.hdf5", 3, 24, 32, flat)
    with h5py.File(tmp_path / "x.hdf5") as file:
        for seed, camera in enumerate(_bench_data.CAMERAS):
            painted = np.stack(list(_bench_data.paint(seed, 3, 24, 32, flat)))
            np.testing.assert_array_equal(file[f"data/demo_0/obs/{camera}"][()], painted)


def test_scene_gives_every_ratio_of_the_contract(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    lines = list(_bench_scene.measure(tmp_path, length=8, lengths=(8, 12), height=48, width=64, repetitions=1))
    rows = [re.fullmatch(r"(\w.+?) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+)  (met|MISSED)", line) for line in lines]
    assert [(row[1], float(row[5])) for row in rows if row] == [
        ("survey and masks / OpenCV MOG2", 4.0),
        ("compose / encode, H.264", 1.0),
        ("whole / decode and encode, HDF5 with gzip", 3.0),
        ("whole / decode and encode, H.264, 8 frames", 3.0),
        ("whole / decode and encode, H.264, 12 frames", 3.0),
    ]
    lengths = [int(row[1]) for line in lines if (row := re.fullmatch(r" +(\d+) +[\d.]+ +[\d.]+", line))]
    assert lengths == [8, 12]
    own = [int(row[1]) for line in lines if (row := re.fullmatch(r"\S.* +[\d.]+ +(\d+)% +\d+", line))]
    assert len(own) == _bench_scene.SLOWEST
    assert own == sorted(own, reverse=True)
    assert sum(own) <= 100 + len(own)


def test_scene_without_opencv_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(RequestError, match="opencv-python-headless"):
        list(_bench_scene.measure(tmp_path, length=8, height=48, width=64))


def test_scene_does_the_same_work_every_time(tmp_path: Path) -> None:
    flow = _config.build_flow(_config.load("augment", ["segment=motion", "recipe=texture"]))
    work, film = _bench_scene.Work(flow, tmp_path / "work"), _bench_scene.Film.painted(8, 48, 64)
    runs = []
    for _ in range(2):
        assert set(work.restage(film).seconds) == {"open", "generate", "decode", "compose", "encode", "check"}
        runs.append(np.stack(film.restaged))
    np.testing.assert_array_equal(*runs)
    assert runs[0].shape == film.frames.shape
    assert (runs[0] != film.frames).any()


def test_scene_refuses_to_time_what_is_not_restaged(tmp_path: Path) -> None:
    flow = _config.build_flow(_config.load("augment", ["segment=motion", "recipe=texture"]))
    empty = _bench_scene.Film(np.full((8, 48, 64, 3), 128, np.uint8))
    with pytest.raises(RunError, match="cannot be restaged: agentview is as recorded: keep mask is empty"):
        _bench_scene.Work(flow, tmp_path / "work").restage(empty)


def test_video_comes_back_as_it_was_encoded(tmp_path: Path) -> None:
    frames = _bench_scene.Film.painted(8, 48, 64).frames
    _bench_scene.encode(tmp_path / "x.mp4", frames)
    apart = _bench_scene.decode(tmp_path / "x.mp4").astype(np.int16) - frames
    assert apart.shape == frames.shape
    assert np.abs(apart).mean() < 8


def test_networks_gives_every_stage_beside_its_library(tmp_path: Path) -> None:
    amount = _bench_networks.Amount(48, 64, batches=(1, 2), boxes=(3,), tracks=(2,), length=2, rounds=1)
    lines = list(_bench_networks.measure(tmp_path, "auto", Runtime(device="cpu"), amount))
    assert lines[0] == "size=small, cpu, one thread, float32, processor time; frames of 48x64"
    figure = r" +([\d.]+)"
    rows = [row for line in lines if (row := re.fullmatch(r"(\w.+?)( +\d+)?" + 4 * figure, line))]
    assert [(row[1], int(row[2] or 0)) for row in rows] == [
        ("detect / processor and model", 1),
        ("detect / processor and model", 2),
        ("detect for 4 cameras / one after another", 2),
        ("embed / set_image", 1),
        ("embed / set_image", 2),
        ("cut out 3 of an embedded frame / predict for each", 0),
        ("embed and cut out 3 / set_image once", 4),
        ("embed and cut out 3 / set_image for each", 4),
        ("follow 2 / a session of the whole clip", 0),
    ]
    for row in rows:
        a_second, ours, plain, ratio = map(float, row.groups()[2:])
        assert a_second == pytest.approx(1000 / ours, rel=0.2)
        assert ratio == pytest.approx(ours / plain, rel=0.2)
    assert {path.name for path in tmp_path.iterdir()} == {"detector", "segmenter", "tracker"}


def test_generate_gives_both_ways_and_the_options(tmp_path: Path) -> None:
    options = [option for option in _bench_plates.OPTIONS if option != "compile"]
    plates = _bench_plates.Amount(48, 64, steps=(1,), batches=(1, 2), options=options, rounds=1)
    amount = _bench_generate.Amount(lengths=(8, 12), height=48, width=64, steps=1, plates=plates)
    lines = list(_bench_generate.measure(tmp_path, "auto", Runtime("cpu"), amount))
    episodes = [[float(figure) for figure in row.split()] for row in lines if re.fullmatch(r" +\d+( +[\d.]+){8}", row)]
    assert [row[0] for row in episodes] == [8, 12]
    for length, plate, all_of_plate, a_frame, frames, all_of_frames, _, generate, whole in episodes:
        assert plate < all_of_plate
        assert frames < all_of_frames
        assert a_frame == pytest.approx(all_of_plate / length, abs=1e-3 + 0.005 / length)
        assert generate == pytest.approx(frames / plate, rel=0.2)
        assert whole == pytest.approx(all_of_frames / all_of_plate, rel=0.2)
    assert sum(line.endswith((" met", " MISSED")) for line in lines) == 1
    rows = [line.split() for line in lines if line.startswith("small ")]
    plain = [["1", batch, "float32"] for batch in "12"]
    other = (
        ["bfloat16"] * 2,
        *([*name.split(), "float32"] for name in ("channels_last", "tiles", "attend math", "attend flash")),
    )
    changed = [["1", "2", *words] for words in other]
    assert [row[1:-5] for row in rows] == plain + changed  # what is so anyway on a CPU is left out


def test_more_steps_are_more_operations_and_more_pictures_are_not(tmp_path: Path) -> None:
    amount = _bench_plates.Amount(48, 64, steps=(1, 2), batches=(1, 2), options=(), rounds=1)
    known = _bench_plates.Known()
    list(_bench_plates.table(tmp_path, ("small",), Runtime("cpu"), amount, known))
    done = known.operations
    assert done["small", 1, 2] == pytest.approx(done["small", 1, 1], rel=0.01)  # words are read once
    assert 1.2 * done["small", 1, 1] < done["small", 2, 1] < 2 * done["small", 1, 1]


@pytest.mark.parametrize("name", ["networks", "generate"])
def test_networks_of_an_unknown_size_are_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", f"name={name}", "size=huge"]) == 2
    assert "unknown size=huge; known: auto, small, full" in capsys.readouterr().err


def test_an_unknown_bench_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "name=speed"]) == 2
    assert "unknown name=speed; known: io, pipeline, scene, networks, generate" in capsys.readouterr().err
