"""`recipe=outpaint` and `recipe=blended` through the front door, with the real networks at a tiny size."""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from diffusers import UNet2DConditionModel
from PIL import Image

from augment.errors import PaintError
from augment.generate import Blended, Painted
from augment.images import grow
from augment.models.doors import open_judge
from augment.models.painting.painter import LatentPainter
from robot_io import open_dataset
from robot_io.types import Role
from tests.pipelines import tiny_clip, tiny_controlnet, tiny_pipeline, tiny_pixels, tiny_policy
from workflows._config import build_flow, load
from workflows.cli import main

SAMPLES = Path(__file__).parents[2] / "robot_io" / "tabletop" / "samples.hdf5"
BRIEF = ["recipe.steps.background.steps=2", "recipe.steps.background.candidates=2", "check=none"]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    root = tmp_path_factory.mktemp("pack")
    tiny_pipeline(root / "base")
    tiny_controlnet(root / "control")
    parts = [f"models.base.source={root / 'base'}", f"models.controlnet.source={root / 'control'}"]
    return ["models=sd15", *parts, "models.device=cpu"]


def augment(source: Path, out: Path, *overrides: str) -> int:
    words = [f"dataset.path={source}", f"output.path={out}", "segment=recorded", "executor=serial", *overrides]
    return main(["augment", *words])


def frames(path: Path, demo: str) -> np.ndarray:
    with h5py.File(path) as file:
        return file[f"data/{demo}/obs/front"][()]


def summary(out: Path) -> dict:
    return json.loads((out.with_name(f"{out.name}.restage") / "summary.json").read_text())


@pytest.mark.parametrize("granularity", ["plate", "clip", "frame"])
def test_surroundings_are_painted_at_every_granularity(
    demos: Path, tmp_path: Path, pack: list[str], granularity: str
) -> None:
    out = tmp_path / "out.hdf5"
    words = ["recipe=outpaint", *pack, *BRIEF, "limit=1", f"recipe.steps.background.granularity={granularity}"]
    assert augment(demos, out, *words, "recipe.steps.background.frames=3") == 0
    assert summary(out)["cameras"]["front"] == {"restaged": 1}
    before, after = frames(out, "demo_0"), frames(out, "demo_3")
    episode = open_dataset(demos).entries[0]
    recorded = open_dataset(demos).open(episode.id)
    keep = np.logical_or.reduce([track.read(0, len(before)) for track in recorded.masks["front"]])
    inside = keep.copy()
    for axis in (1, 2):
        inside &= np.roll(keep, 1, axis) & np.roll(keep, -1, axis)
    assert np.array_equal(before[inside], after[inside])
    changes = np.abs(after[~keep].astype(int) - before[~keep])
    assert changes.mean() > 10
    never = ~keep.any(axis=0)
    for _ in range(6):
        never[1:-1, 1:-1] &= never[:-2, 1:-1] & never[2:, 1:-1] & never[1:-1, :-2] & never[1:-1, 2:]
    flicker = np.abs(np.diff(after[:, never].astype(int), axis=0)).mean(axis=(1, 2))
    if granularity == "plate":
        assert flicker.max() < 1
    elif granularity == "clip":  # frames 0 to 2, 3 to 5, 6 and 7 share their noise
        within, between = flicker[[0, 1, 3, 4, 6]], flicker[[2, 5]]
        assert 0 < within.mean() < between.mean()
    else:
        assert flicker.min() > 5


@pytest.mark.parametrize("recipe", ["outpaint", "blended_pixel"])
def test_the_same_plan_gives_the_same_bytes_with_other_episodes_beside_it(
    demos: Path, tmp_path: Path, pack: list[str], pixels: list[str], recipe: str
) -> None:
    words = [f"recipe={recipe}", "check=none", *(pack if recipe == "outpaint" else pixels)]
    if recipe == "outpaint":
        words += BRIEF
    else:
        painted = tmp_path / "painted"
        painted.mkdir()
        Image.new("L", (64, 48), 255).save(painted / "front.support.png")
        words += ["recipe.steps.edit.steps=2", "recipe.steps.edit.candidates=2", f"segment.keep_always={painted}"]
    two, one = tmp_path / "two.hdf5", tmp_path / "one.hdf5"
    assert augment(demos, two, *words, "episodes=0,1") == 0
    assert augment(demos, one, *words, "episodes=1") == 0
    assert np.array_equal(frames(two, "demo_4"), frames(one, "demo_3"))
    assert not np.array_equal(frames(two, "demo_4"), frames(two, "demo_1"))


def test_other_processes_paint_the_same_bytes(demos: Path, tmp_path: Path, pack: list[str]) -> None:
    here, there = tmp_path / "here.hdf5", tmp_path / "there.hdf5"
    words = ["recipe=outpaint", *pack, *BRIEF, "limit=1"]
    assert augment(demos, here, *words) == 0
    said = [f"dataset.path={demos}", f"output.path={there}", "segment=recorded", *words]
    command = [sys.executable, "-m", "workflows.cli", "augment", *said, "executor=serial"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert there.read_bytes() == here.read_bytes()


def test_a_mixture_of_recipes(demos: Path, tmp_path: Path, pack: list[str]) -> None:
    out, photos = tmp_path / "out.hdf5", tmp_path / "photos"
    photos.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3))
    Image.fromarray(noise.astype(np.uint8)).save(photos / "a.png")
    brief = ["recipe.steps.outpaint.steps=2", "recipe.steps.outpaint.candidates=1", "check=none", "limit=1"]
    assert augment(demos, out, "recipe=mixture", f"recipe.steps.photo.path={photos}", *pack, *brief) == 0
    parts = [json.loads(path.read_text()) for path in out.with_name("out.hdf5.restage").glob("parts/*/*/part.json")]
    methods = [step["method"] for part in parts for step in part["provenance"]["plan"]["steps"]]
    assert sorted(methods) == ["outpaint", "outpaint", "photo", "texture", "texture"]


@pytest.fixture(scope="module")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    root = tmp_path_factory.mktemp("pixels")
    parts = [f"models.pixels.source={tiny_pixels(root / 'pixels')}", f"models.clip.source={tiny_clip(root / 'clip')}"]
    whole = ["models.pixels.file=null", "models.pixels.architecture=null", "models.pixels.revision=null"]
    return ["models=blended_pixel_256", *parts, *whole, "models.device=cpu", "recipe.steps.edit.views=2"]


@pytest.mark.parametrize("granularity", ["plate", "clip", "frame"])
@pytest.mark.parametrize("form", ["latent", "pixel"])
def test_edits_stay_within_their_region(
    demos: Path, tmp_path: Path, pack: list[str], pixels: list[str], form: str, granularity: str
) -> None:
    out, painted = tmp_path / "out.hdf5", tmp_path / "painted"
    painted.mkdir()
    table = np.zeros((48, 64), np.uint8)
    table[30:] = 255
    Image.fromarray(table).save(painted / "front.support.png")
    words = ["recipe=blended", *pack] if form == "latent" else ["recipe=blended_pixel", *pixels]
    words += ["recipe.steps.edit.steps=2", "recipe.steps.edit.candidates=2", "check=none"]
    words += ["recipe.steps.edit.prompt=a blue wooden table", f"segment.keep_always={painted}", "limit=1"]
    words += [f"recipe.steps.edit.granularity={granularity}", "recipe.steps.edit.frames=4"]
    assert augment(demos, out, *words) == 0
    before, after = frames(out, "demo_0"), frames(out, "demo_3")
    assert np.array_equal(before[:, :28], after[:, :28])
    assert np.abs(after[:, 34:].astype(int) - before[:, 34:]).mean() > 10
    flicker = np.abs(np.diff(after[:, 34:].astype(int), axis=0)).mean(axis=(1, 2, 3))  # the robot is above
    within, between = np.delete(flicker, 3).max(), flicker[3]
    if granularity == "plate":
        assert flicker.max() < 1
    elif granularity == "clip":  # frames 0 to 3 and 4 to 7 share their noise
        assert within < between
    else:
        assert flicker.min() > 5


def test_candidates_are_ranked_by_the_words_where_a_pack_has_clip(pack: list[str], pixels: list[str]) -> None:
    """Of latent candidates, too: the judge's choice changes with the words, the pictures being the same."""
    clip = next(word for word in pixels if word.startswith("models.clip.source")).partition("=")[2]
    given_clip = f"models.clip={{kind: clip, source: {clip}}}"
    flow = build_flow(load("augment", ["segment=recorded", "recipe=outpaint", *pack, given_clip]))
    generator = flow.recipe.steps[0].generator
    assert isinstance(generator, Painted)
    assert "clip" in generator.identity()["pack"]
    rng, keep = np.random.default_rng(0), np.zeros((48, 64), np.bool_)
    keep[:24] = True
    pictures = [rng.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(8)]
    assert generator.pack.clip
    judge = open_judge(generator.pack.clip, generator.runtime)
    for prompt in ("a blue wooden table", "a white wall", "a robot arm"):
        nearest = int(judge.distances(pictures, prompt, [~keep] * 8).argmin())
        assert generator.best({"prompt": prompt}, pictures, keep) is pictures[nearest]


def test_candidates_in_which_a_robot_grew_are_ruled_out() -> None:
    """By the shipped networks: of a recorded frame and its plate the latter, whichever comes first."""
    flow = build_flow(load("augment", ["segment=recorded", "recipe=outpaint", "models=tabletop", "models.device=cpu"]))
    generator = flow.recipe.steps[0].generator
    assert isinstance(generator, Painted)
    assert {"detector", "segmenter"} <= set(generator.identity()["pack"])
    dataset = open_dataset(SAMPLES)
    episode = dataset.open(dataset.entries[0].id)
    recorded = episode.cameras["agentview_image"].read(20, 21).frames[0]
    (robot,) = (track.read(20, 21)[0] for track in episode.masks["agentview_image"] if track.role == Role.ROBOT)
    plate, keep = recorded.copy(), np.zeros(robot.shape, np.bool_)
    plate[grow(robot, 4)] = np.median(recorded[~robot], axis=0)
    keep[:16] = True
    choices = {"prompt": "", "things": []}
    for candidates in ([recorded, plate], [plate, recorded]):
        assert generator.best(choices, candidates, keep) is plate


def test_the_papers_own_settings_are_an_experiment(pixels: list[str]) -> None:
    own = [word for word in pixels if word.startswith("models.")]
    words = ["segment=recorded", "experiment=paper_blended", *own, "recipe.steps.edit.views=8"]
    generator = build_flow(load("augment", words)).recipe.steps[0].generator
    assert isinstance(generator, Blended)
    assert (generator.form, generator.candidates, generator.sampling.level) == ("pixel", 64, 0.75)
    assert (generator.sampling.steps, generator.sampling.guidance, generator.sampling.steering.range) == (75, 1000, 50)
    assert generator.sampling.sampler == "ancestral"
    assert generator.sampling.steering.views == 8


def test_what_the_pixel_form_needs_is_said(
    demos: Path, tmp_path: Path, pack: list[str], pixels: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    refused = {
        ("recipe=blended_pixel", *pack): "form=pixel needs pixels and clip, and models=sd15 lacks one",
        ("recipe=blended", *pack, "recipe.steps.edit.form=voxel"): "unknown form=voxel; known: latent, pixel",
        ("recipe=blended_pixel", *pixels, "recipe.steps.edit.views=0"): "at least 1 view",
    }
    for words, message in refused.items():
        assert augment(demos, tmp_path / "out.hdf5", *words) == 2
        assert message in capsys.readouterr().err


def test_what_cannot_be_painted_is_refused_before_any_work(
    demos: Path, tmp_path: Path, pack: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    refused = {
        "start=policy": "needs an initialization policy, and models=sd15 has none",
        "granularity=film": "unknown granularity=film; known: plate, clip, frame",
        "prompt=''": "prompt is empty",
        "sampler=euler": "unknown sampler=euler; known: multistep",
        "steps=0": "at least 1 step",
    }
    for option, message in refused.items():
        words = ["recipe=outpaint", *pack, f"recipe.steps.background.{option}"]
        assert augment(demos, tmp_path / "out.hdf5", *words) == 2
        assert message in capsys.readouterr().err
    assert augment(demos, tmp_path / "out.hdf5", "recipe=outpaint", *pack, "models.offload=true") == 2
    assert "models.offload=true spares a GPU" in capsys.readouterr().err
    assert augment(demos, tmp_path / "out.hdf5", "recipe=outpaint") == 2
    assert "diffusion needs a base; choose a pack that has one: models=NAME" in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))


def test_a_prompt_that_is_too_long_is_cut_and_that_is_said(
    demos: Path, tmp_path: Path, pack: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["recipe=outpaint", *pack, *BRIEF, "limit=1", f"recipe.steps.background.prompt={'a blue table ' * 10}"]
    assert augment(demos, tmp_path / "out.hdf5", *words) == 0
    assert (
        "recipe.steps.background: prompt is too long, and is read without: blue table a blue" in capsys.readouterr().err
    )
    assert augment(demos, tmp_path / "bank.hdf5", "recipe=outpaint", *pack, *BRIEF, "limit=1") == 0
    assert "the longest prompt of the bank is too long, and is read without: " in capsys.readouterr().err


def test_a_policy_paints_from_its_own_level_and_another_is_remarked(
    demos: Path, tmp_path: Path, pack: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (base,) = (Path(word.partition("=")[2]) for word in pack if word.startswith("models.base.source="))
    policy = tiny_policy(tmp_path / "policy", base, start=600)
    words = ["recipe=outpaint", *pack, *BRIEF, "limit=1", "recipe.steps.background.start=policy"]
    words.append(f"models.policy={{kind: initialization_policy, source: {policy}}}")
    made = {}
    for level in ("null", "0.6", "0.8"):
        out = tmp_path / f"{level}.hdf5"
        assert augment(demos, out, *words, f"recipe.steps.background.level={level}") == 0
        said = "level=0.8 takes the policy's composition up at noise level 800 of 1000" in capsys.readouterr().err
        assert said == (level == "0.8")
        made[level] = frames(out, "demo_3")
    assert np.array_equal(made["null"], made["0.6"])
    assert not np.array_equal(made["null"], made["0.8"])


def test_networks_that_do_not_fit_are_refused_before_an_episode_is_opened(
    demos: Path, tmp_path: Path, pack: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "base"
    tiny_pipeline(other)
    unet = UNet2DConditionModel.from_pretrained(other / "unet")
    unet.from_config({**unet.config, "in_channels": 5}).save_pretrained(other / "unet")
    words = ["recipe=outpaint", *pack, *BRIEF, f"models.base.source={other}"]
    assert augment(demos, tmp_path / "out.hdf5", *words) == 2
    assert "takes 5 channels, the vae gives 4" in capsys.readouterr().err
    assert not (tmp_path / "out.hdf5.restage").exists()


def test_networks_that_fail_leave_the_camera_as_recorded(
    demos: Path, tmp_path: Path, pack: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def overflow(*_: object) -> None:
        raise PaintError("no numbers")

    monkeypatch.setattr(LatentPainter, "__call__", overflow)
    out = tmp_path / "out.hdf5"
    assert augment(demos, out, "recipe=outpaint", *pack, *BRIEF[:2], "limit=1") == 3
    record = summary(out)
    assert record["variants"] == {"done": 0, "left": 0, "rejected": 1, "failed": 0}
    assert record["cameras"]["front"] == {"as recorded: no numbers": 1}
