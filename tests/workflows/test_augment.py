"""`restage augment` through the front door, with what the other workflows say of its output."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from robot_io import open_dataset
from robot_io.tabletop.samples import samples_path
from tests.robot_io import rlds_builder
from tests.robot_io.hdf5_builder import build
from workflows.cli import main


def augment(source: Path, out: Path, *overrides: str) -> int:
    words = [f"dataset.path={source}", f"output.path={out}", "segment=recorded", "executor=serial", *overrides]
    return main(["augment", *words])


def summary(out: Path) -> dict:
    return json.loads((out.with_name(f"{out.name}.restage") / "summary.json").read_text())


def test_from_one_dataset_to_another(demos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.hdf5"
    assert augment(demos, out, "recipe.variants=2") == 0
    record = summary(out)
    assert record["state"] == "complete"
    assert record["variants"] == {"done": 6, "left": 0, "rejected": 0, "failed": 0}
    assert record["cameras"] == {"front": {"restaged": 6}, "wrist": {"as recorded: the camera moves all the time": 6}}
    kept = 1 - record["repainted_share"]
    assert 0 < kept < 12 * 12 / (48 * 64), "the square, less its rim"
    covered = "4.7% of the picture where it is restaged"
    assert record["preserve"]["robot"] == f"provided for 3 of 6 cameras, {covered}"
    assert record["preserve"]["support"] == "provided by nobody: not preserved"
    assert set(record["seconds"]) >= {"open", "survey", "segment", "layers", "generate", "decode", "compose", "encode"}
    report = (tmp_path / "out.hdf5.restage" / "report.html").read_text()
    assert report.count("data:image/jpeg") == report.count("data:image/webp") == 3
    said = capsys.readouterr().err
    assert said.index("nobody provides object, goal, support") < said.index("6/6 variants")
    assert main(["validate", f"dataset.path={out}", f"source.path={demos}"]) == 0
    said = capsys.readouterr().out
    assert "9 episodes compared" in said
    assert "obs/front: pictures of a restaged camera (6 times)" in said
    assert main(["inspect", f"dataset.path={out}", "json=true"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["episodes"], report["variants"], report["splits"]) == (9, 6, {"train": 6, "valid": 3})


def test_rlds_too(tmp_path: Path) -> None:
    source = rlds_builder.tiny(tmp_path / "source")
    out = tmp_path / "out"
    words = [f"dataset.path={source}", f"output.path={out}", "executor=serial", "check=none", "recipe.variants=2"]
    assert main(["augment", *words]) == 0
    assert main(["validate", f"dataset.path={out}", f"source.path={source}"]) == 0


def test_validate_sees_a_changed_action(demos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.hdf5"
    assert augment(demos, out) == 0
    with h5py.File(out, "r+") as file:
        actions = file["data/demo_4/actions"][()]
        actions[2, 2] += 1e-12
        del file["data/demo_4/actions"]
        file["data/demo_4/actions"] = actions
    assert main(["validate", f"dataset.path={out}", f"source.path={demos}"]) == 2
    assert "PROBLEM: demo_4: actions differs from the source" in capsys.readouterr().out


def test_the_same_command_again_gives_the_same_bytes(demos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.hdf5"
    augment(demos, out)
    before = out.read_bytes()
    assert augment(demos, out) == 0
    assert out.read_bytes() == before
    assert summary(out)["reused"] == 3


def test_more_variants_reuse_the_ones_there_are(demos: Path, tmp_path: Path) -> None:
    augment(demos, tmp_path / "out.hdf5")
    assert augment(demos, tmp_path / "out.hdf5", "recipe.variants=3") == 0
    assert summary(tmp_path / "out.hdf5")["reused"] == 3
    augment(demos, tmp_path / "fresh.hdf5", "recipe.variants=3")
    assert (tmp_path / "out.hdf5").read_bytes() == (tmp_path / "fresh.hdf5").read_bytes()


def test_a_selection_of_episodes(demos: Path, tmp_path: Path) -> None:
    assert augment(demos, tmp_path / "out.hdf5", "episodes=0,2") == 0
    assert [entry.name for entry in open_dataset(tmp_path / "out.hdf5").entries] == [
        "demo_0",
        "demo_2",
        "demo_3",
        "demo_4",
    ]
    assert augment(demos, tmp_path / "two.hdf5", "limit=2", "output.keep_originals=false") == 0
    assert len(open_dataset(tmp_path / "two.hdf5").entries) == 2


def test_one_bad_episode_does_not_stop_the_others(demos: Path, tmp_path: Path, capsys) -> None:
    with h5py.File(demos, "r+") as file:
        del file["data/demo_1"].attrs["num_samples"]
    assert augment(demos, tmp_path / "out.hdf5") == 3
    record = summary(tmp_path / "out.hdf5")
    assert record["variants"]["done"] == 2
    assert record["quarantined"][0]["episode"] == "demo_1"
    assert main(["validate", f"dataset.path={tmp_path / 'out.hdf5'}", f"source.path={demos}"]) == 0
    assert "demo_1 was left out" in capsys.readouterr().out


def test_a_damaged_record_does_not_stop_the_others(tmp_path: Path) -> None:
    source = rlds_builder.tiny(tmp_path / "source")
    shard = sorted(source.glob("*train.tfrecord*"))[0]
    content = bytearray(shard.read_bytes())
    content[40] ^= 1
    shard.write_bytes(content)
    words = [f"dataset.path={source}", f"output.path={tmp_path / 'out'}", "executor=serial", "check=none"]
    assert main(["augment", *words]) == 3
    assert [item["episode"] for item in summary(tmp_path / "out")["quarantined"]] == ["train/0"]
    assert main(["validate", f"dataset.path={tmp_path / 'out'}", f"source.path={source}"]) == 0
    assert main(["validate", f"dataset.path={source}"]) == 3


def test_nan_actions_pass_through(demos: Path, tmp_path: Path) -> None:
    augment(demos, tmp_path / "out.hdf5")
    with h5py.File(tmp_path / "out.hdf5") as file, h5py.File(demos) as source:
        assert np.isnan(file["data/demo_3/actions"][0, 3])
        assert file["data/demo_3/actions"][()].tobytes() == source["data/demo_0/actions"][()].tobytes()


def test_an_output_that_is_not_ours_is_left_alone(demos: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "out.hdf5").write_text("precious")
    assert augment(demos, tmp_path / "out.hdf5") == 2
    assert "exists and was not made by this run" in capsys.readouterr().err
    assert (tmp_path / "out.hdf5").read_text() == "precious"


def test_other_settings_need_another_output(demos: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out.hdf5"
    augment(demos, out)
    before = out.read_bytes()
    assert augment(demos, out, "seed=5", "compose.band=0.1") == 2
    assert "was made with other settings (seed, compose)" in capsys.readouterr().err
    assert augment(build(tmp_path / "other.hdf5", seed=70), out) == 2
    assert "was made from another dataset" in capsys.readouterr().err
    assert out.read_bytes() == before


def test_output_inside_the_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "suite").mkdir()
    build(tmp_path / "suite" / "a.hdf5")
    assert augment(tmp_path / "suite", tmp_path / "suite" / "out") == 2
    assert "lies inside the dataset" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "suite").iterdir()] == ["a.hdf5"]


def test_output_that_cannot_be_written(demos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert augment(demos, tmp_path / "file" / "out.hdf5") == 2
    assert "cannot write" in capsys.readouterr().err


def test_no_masks_at_all(demos: Path, tmp_path: Path) -> None:
    with h5py.File(demos, "r+") as file:
        for demo in file["data"].values():
            del demo["masks"]
    assert augment(demos, tmp_path / "out.hdf5") == 3
    record = summary(tmp_path / "out.hdf5")
    assert {item["reason"] for item in record["rejected"]} == {"front: nothing says what to keep"}


def test_preview_draws_what_will_be_kept(demos: Path, tmp_path: Path) -> None:
    words = [f"dataset.path={demos}", f"output.path={tmp_path / 'preview'}", "segment=recorded", "episodes=1"]
    assert main(["preview", *words]) == 0
    names = sorted(path.name for path in (tmp_path / "preview").iterdir() if path.is_file())
    assert names == ["demo_1-front.mp4", "demo_1-front.png", "demo_1-wrist.mp4", "demo_1-wrist.png"]


def test_preview_gives_a_picture_to_paint_on_and_takes_what_is_painted(demos: Path, tmp_path: Path) -> None:
    words = [f"dataset.path={demos}", f"output.path={tmp_path / 'preview'}", "segment=recorded", "episodes=0,1"]
    assert main(["preview", *words]) == 0
    folder = tmp_path / "preview" / "paint"
    (path,) = folder.iterdir()
    assert path.name == "front.jpg", "none of the wrist camera, which moves"
    picture = np.asarray(Image.open(path)).astype(int)
    with h5py.File(demos) as file:
        recorded = file["data/demo_0/obs/front"][()]
    height, width = recorded.shape[1:3]
    assert min(np.abs(picture - frame).mean() for frame in recorded.astype(int)) < 6
    shape = {"label": "goal", "points": [[2, 3], [12, 9]], "shape_type": "rectangle"}
    about = {"shapes": [shape], "imagePath": "front.jpg", "imageHeight": height, "imageWidth": width}
    (folder / "front.json").write_text(json.dumps(about))
    assert main(["preview", *words, f"segment.keep_always={folder}"]) == 0
    kept = [json.loads(path.read_text()) for path in (tmp_path / "preview").rglob("about.json")]
    assert sum(track["label"] == "painted" for known in kept for track in known["tracks"]) == 2


def command(source: Path, out: Path, *overrides: str) -> list[str]:
    words = [f"dataset.path={source}", f"output.path={out}", "segment=recorded", "recipe.variants=3", *overrides]
    return [sys.executable, "-m", "workflows.cli", "augment", *words]


def start_and_stop(source: Path, out: Path, number: signal.Signals, *overrides: str) -> int:
    """Start a run, send it a signal when its first part appears; returns its exit code."""
    process = subprocess.Popen(command(source, out, *overrides), stderr=subprocess.DEVNULL)
    work = out.with_name(f"{out.name}.restage")
    deadline = time.monotonic() + 120
    while not list(work.glob("parts/*/0*/part.json")):
        assert process.poll() is None, "ended before it could be stopped"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(number)
    return process.wait(timeout=60)


@pytest.fixture(scope="module")
def long_demos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("long") / "long.hdf5", demos=4, length=40)


@pytest.fixture(scope="module")
def undisturbed(long_demos: Path) -> bytes:
    """What a run that nothing happens to makes of `long_demos`."""
    out = long_demos.with_name("whole.hdf5")
    assert augment(long_demos, out, "recipe.variants=3") == 0
    return out.read_bytes()


@pytest.mark.parametrize(
    ("number", "executor"),
    [(signal.SIGKILL, "serial"), (signal.SIGINT, "serial"), (signal.SIGTERM, "serial"), (signal.SIGKILL, "ray")],
)
def test_a_stopped_run_resumes_to_the_same_bytes(
    long_demos: Path, undisturbed: bytes, tmp_path: Path, number: signal.Signals, executor: str
) -> None:
    out = tmp_path / "out.hdf5"
    code = start_and_stop(long_demos, out, number, f"executor={executor}")
    assert code == (-9 if number == signal.SIGKILL else 1)
    assert not out.exists(), "nothing appears before it is whole"
    if number != signal.SIGKILL:
        assert summary(out)["state"] == "interrupted"
    finished = len(list(tmp_path.glob("out.hdf5.restage/parts/*/0*")))
    assert 0 < finished < 12
    assert subprocess.run(command(long_demos, out, f"executor={executor}"), stderr=subprocess.DEVNULL).returncode == 0
    assert summary(out)["reused"] >= finished
    assert out.read_bytes() == undisturbed
    assert not list((tmp_path / "out.hdf5.restage").rglob(".*"))


def test_a_killed_worker_is_replaced(long_demos: Path, undisturbed: bytes, tmp_path: Path) -> None:
    out = tmp_path / "out.hdf5"
    process = subprocess.Popen(command(long_demos, out, "executor=ray"), stderr=subprocess.DEVNULL)
    victim = None
    while victim is None and process.poll() is None:
        victim = next(iter(actors(process.pid)), None) if list(tmp_path.glob("out.hdf5.restage/layers/*")) else None
    assert victim is not None
    os.kill(victim, signal.SIGKILL)
    assert process.wait(timeout=120) == 0
    assert summary(out)["worker_deaths"] == 1
    assert out.read_bytes() == undisturbed


def actors(driver: int) -> list[int]:
    """Process ids of Restage's actors below the driver's Ray."""
    listing = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listing.splitlines()[1:]]
    parents = {int(pid): int(parent) for pid, parent, _ in rows}
    found = []
    for pid, _, title in rows:
        ancestor = int(pid)
        while ancestor in parents and ancestor != driver:
            ancestor = parents[ancestor]
        if ancestor == driver and title.startswith("ray::_Actor"):
            found.append(int(pid))
    return found


def test_ray_and_serial_give_the_same_bytes(long_demos: Path, undisturbed: bytes, tmp_path: Path) -> None:
    done = subprocess.run(command(long_demos, tmp_path / "ray.hdf5", "executor=ray"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "ray.hdf5").read_bytes() == undisturbed


def test_episodes_in_the_same_hands_share_networks_and_nothing_else(tmp_path: Path) -> None:
    source, length = tmp_path / "source.hdf5", 3
    with h5py.File(samples_path()) as samples, h5py.File(source, "w") as file:
        data = file.create_group("data")
        data.attrs.update(samples["data"].attrs)
        for name in ("demo_0", "demo_1"):
            samples.copy(f"data/{name}", data)
            del data[name]["masks"]
            shorten(data[name], length)
            data[name].attrs["num_samples"] = length
    words = ["segment=grounded", "models=tabletop", "models.device=cpu", "models.batch=2", "recipe.variants=1"]
    words = ["augment", f"dataset.path={source}", *words, "check=none"]
    alone, together = tmp_path / "alone.hdf5", tmp_path / "together.hdf5"
    assert main([*words, f"output.path={alone}", "executor=serial"]) == 0
    actor = ["executor=ray", "executor.workers=1", "executor.at_once=2"]
    run = [sys.executable, "-m", "workflows.cli", *words, f"output.path={together}", *actor]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert summary(together)["variants"]["done"] == summary(alone)["variants"]["done"] == 2
    assert together.read_bytes() == alone.read_bytes()


def shorten(group: h5py.Group, length: int) -> None:
    """Keep the first frames alone of all that a group holds."""
    names: list[str] = []
    group.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    for name in names:
        kept = group[name][:length]
        del group[name]
        group[name] = kept


def test_two_runs_on_one_output(demos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import fcntl

    work = tmp_path / "out.hdf5.restage"
    work.mkdir()
    with (work / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert augment(demos, tmp_path / "out.hdf5") == 2
    assert "another run is at work" in capsys.readouterr().err


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 600 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("needs the right to mount")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)]).returncode:
        pytest.skip("cannot mount here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_keeps_what_is_done(long_demos: Path, undisturbed: bytes, small_disk: Path, capfd) -> None:
    out = small_disk / "out.hdf5"
    assert augment(long_demos, out, "recipe.variants=3") == 1
    said = capfd.readouterr().err
    assert "No space left on device" in said
    assert "Traceback" not in said
    assert not out.exists()
    assert list(small_disk.glob("out.hdf5.restage/parts/*/0*/part.json")), "what is done stays done"
    subprocess.run(["mount", "-o", "remount,size=60m", str(small_disk)], check=True)
    assert augment(long_demos, out, "recipe.variants=3") == 0
    assert out.read_bytes() == undisturbed


def test_tabletop_is_a_dataset_like_any_other(tmp_path: Path, capsys, monkeypatch) -> None:
    pytest.importorskip("mujoco")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    words = ["dataset=tabletop", "dataset.episodes=1", "dataset.size=32", "seed=4"]
    assert main(["inspect", *words]) == 0
    assert "agentview_image: 32x32" in capsys.readouterr().out
    out = f"output.path={tmp_path / 'out.hdf5'}"
    assert main(["augment", *words, out, "segment=recorded", "executor=serial"]) == 0
    (rendered,) = (tmp_path / "cache").rglob("*.hdf5")
    assert main(["validate", f"dataset.path={tmp_path / 'out.hdf5'}", f"source.path={rendered}"]) == 0


def test_demo(tmp_path: Path) -> None:
    words = [f"output.path={tmp_path / 'demo'}", "recipe.variants=1", "executor=serial"]
    assert main(["demo", *words]) == 0
    assert len(list((tmp_path / "demo").glob("*.png"))) == 6
    assert (tmp_path / "demo" / "restaged.hdf5").exists()
