"""The front door: what it prints, what it refuses, how it exits."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from workflows.cli import WORKFLOWS, main


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The message of a request that is refused with exit code 2, in one line and without a traceback."""
    assert main([str(word) for word in words]) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("restage: ")
    assert "Traceback" not in message
    return message


def test_help_is_fast_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, workflows.cli as cli, robot_io; cli.main(['--help']);"
        "heavy = {'torch', 'ray', 'hydra', 'omegaconf', 'diffusers', 'transformers', 'mujoco'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    best = 10.0
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        best = min(best, time.perf_counter() - start)
    assert done.stdout.strip().endswith("[]")
    assert "usage: restage <workflow>" in done.stdout
    assert best < 5, "a sanity bound; the promise is half a second on an idle machine"


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_every_workflow_describes_its_keys(workflow: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([workflow, "--help"]) == 0
    assert "set:" in capsys.readouterr().out


def test_unknown_workflow(capsys: pytest.CaptureFixture[str]) -> None:
    assert "known: demo, augment, inspect" in refused(capsys, "augmnt")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "recipe.variant=2",
            "unknown key 'recipe.variant'; recipe has: variants, preserve, steps. Did you mean variants?",
        ),
        ("recip=texture", "unknown key 'recip'"),
        (
            "recipe=textur",
            "unknown recipe=textur; known: blended, blended_pixel, mixture, outpaint, photo, texture. Did you mean",
        ),
        ("executor=slurm", "unknown executor=slurm; known: ray, serial"),
        ("recipe.variants=many", "recipe.variants=many: expected a whole number"),
        ("recipe.variants=0", "recipe.variants=0; at least 1"),
        ("recipe.preserve=[robot,tabel]", "unknown recipe.preserve=tabel; known: robot, object, goal, support, other"),
        ("recipe.steps.background.families=[velvet]", "choose at least one of plaster"),
        ("recipe.steps.background.saturation=loud", "recipe.steps.background.saturation"),
        ("recipe.steps.background.method=magic", "unknown recipe.steps.background.method=magic; known: texture, photo"),
        ("segment.low=high", "segment.low"),
        ("segment.name=magic", "unknown segment.name=magic; known: recorded, motion"),
        ("segment.keep_always=nowhere", "segment.keep_always=nowhere is not a folder"),
        ("scene.samples=1.5", "scene.samples"),
        ("check.attempts=0", "check.attempts=0"),
        ("seed=x", "seed=x: expected a whole number"),
        ("output.keep_originals=perhaps", "output.keep_originals=perhaps: expected true or false"),
        ("episodes=0-99", "there is no episode 3; the dataset has 0-2"),
        ("episodes=first", "'first' is neither a number nor a range"),
        ("limit=0", "limit=0; at least 1"),
        ("scene=x", "'scene' is a section; set one of scene.still"),
        ("+new=1", "is not key=value"),
        ("dataset.format=zarr", "unknown dataset format 'zarr'; known formats: auto, hdf5, rlds"),
    ],
)
def test_strict_configuration(demos: Path, tmp_path: Path, capsys, override: str, message: str) -> None:
    words = ["augment", f"dataset.path={demos}", f"output.path={tmp_path / 'out'}", "executor=serial", override]
    assert message in refused(capsys, *words)
    assert not (tmp_path / "out").exists()


def test_required_keys(demos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "output.path is required" in refused(capsys, "augment", f"dataset.path={demos}")
    assert "dataset.path is required" in refused(capsys, "inspect")


def test_photo_recipe_needs_its_folder(demos: Path, tmp_path: Path, capsys) -> None:
    words = ["augment", f"dataset.path={demos}", f"output.path={tmp_path / 'out'}", "recipe=photo"]
    assert "recipe.steps.background.path" in refused(capsys, *words)
    assert "is not a folder" in refused(capsys, *words, "recipe.steps.background.path=nowhere")


def test_more_resources_than_exist(demos: Path, tmp_path: Path, capsys) -> None:
    words = ["augment", f"dataset.path={demos}", f"output.path={tmp_path / 'out'}", "executor.workers=4000"]
    assert "executor.workers=4000 x executor.cpus=1 = 4000 CPUs, but only" in refused(capsys, *words)
    assert not (tmp_path / "out.restage").exists()


def test_paths_are_taken_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.robot_io.hdf5_builder import build

    folder = tmp_path / "a=b, (c) {d} 'e'"
    folder.mkdir()
    assert main(["inspect", f"dataset.path={build(folder / 'x.hdf5')}"]) == 0
    assert "3 episodes" in capsys.readouterr().out


def test_unusable_inputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pointer.hdf5").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    (tmp_path / "text.hdf5").write_text("hello")
    for name, message in {
        "nowhere": "the path does not exist",
        "pointer.hdf5": "Git-LFS pointer",
        "text.hdf5": "cannot be opened as HDF5",
        ".": "no dataset that Restage reads",
    }.items():
        words = [f"dataset.path={tmp_path / name if name != '.' else tmp_path / 'empty'}"]
        (tmp_path / "empty").mkdir(exist_ok=True)
        for workflow in ("inspect", "validate"):
            assert message in refused(capsys, workflow, *words)
        assert message in refused(capsys, "augment", *words, f"output.path={tmp_path / 'out'}", "executor=serial")
