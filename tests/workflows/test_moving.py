"""Cameras that move, through the front door: as recorded unless the recipe says otherwise, then frame by frame."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from augment.errors import RequestError
from augment.generate import Texture
from augment.layers import open_layers
from augment.plan import Recipe, Step
from augment.types import Granularity, Role, Stability
from tests.pipelines import tiny_pipeline
from workflows.cli import main

LENGTH, HEIGHT, WIDTH = 8, 48, 64
BRIEF = ["recipe.steps.background.steps=2", "recipe.steps.background.candidates=1"]
EDIT = ["recipe.steps.edit.steps=2", "recipe.steps.edit.candidates=1", "recipe.steps.edit.prompt=a red table"]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    base = tmp_path_factory.mktemp("pack") / "base"
    tiny_pipeline(base)
    return ["models=sd15", f"models.base.source={base}", "models.controlnet=null", "models.device=cpu"]


def gripper() -> np.ndarray:
    """It goes with the camera, and closes."""
    masks = np.zeros((LENGTH, HEIGHT, WIDTH), np.bool_)
    for number, mask in enumerate(masks):
        mask[30:, 20 + number : 44 - number] = True
    return masks


def support() -> np.ndarray:
    """It goes by: other pixels in every frame."""
    masks = np.zeros((LENGTH, HEIGHT, WIDTH), np.bool_)
    for number, mask in enumerate(masks):
        mask[8 : 24 - number] = True
    return masks


@pytest.fixture
def wrists(demos: Path) -> Path:
    """Episodes whose wrist camera has masks too."""
    with h5py.File(demos, "r+") as file:
        for demo in file["data"].values():
            demo["masks/wrist/robot"], demo["masks/wrist/support"] = gripper(), support()
    return demos


def augment(source: Path, out: Path, *overrides: str) -> int:
    common = ["executor=serial", "limit=1", *overrides]
    return main(["augment", f"dataset.path={source}", f"output.path={out}", *common])


def frames(path: Path, demo: str, camera: str = "wrist") -> np.ndarray:
    with h5py.File(path) as file:
        return file[f"data/{demo}/obs/{camera}"][()]


def summary(out: Path) -> dict:
    return json.loads((out.with_name(f"{out.name}.restage") / "summary.json").read_text())


@pytest.mark.parametrize("moving", ["clip", "frame"])
def test_wrists_are_painted_frame_by_frame_beside_plates(
    wrists: Path, tmp_path: Path, pack: list[str], moving: str
) -> None:
    """With the default checks, but for how much of such small pictures is new."""
    out = tmp_path / "out.hdf5"
    words = ["segment=recorded", "recipe=outpaint", *pack, *BRIEF, f"recipe.moving={moving}", "check.max_seam=1"]
    words += ["check.min_change=1", "recipe.preserve=[robot,object]"]
    assert augment(wrists, out, *words) == 0
    assert summary(out)["cameras"] == {"front": {"restaged": 1}, "wrist": {"restaged": 1}}
    before, after = frames(out, "demo_0"), frames(out, "demo_3")
    far = np.zeros(before.shape[:3], np.bool_)
    far[:, :24] = True
    changes = np.abs(after.astype(int) - before).max(axis=-1)
    assert np.median(changes[far]) > 10
    front = frames(out, "demo_3", "front")[:, :4, :4].astype(int)  # nothing ever passes there
    assert np.abs(np.diff(front, axis=0)).mean() < 1
    work = out.with_name("out.hdf5.restage")
    assert len(list(work.glob("parts/*/*/front.plate.png"))) == 1
    assert not list(work.glob("parts/*/*/wrist.plate.png"))
    assert (work / "report.html").is_file()


def test_kept_pixels_are_exact_where_the_mask_has_an_inside(wrists: Path, tmp_path: Path, pack: list[str]) -> None:
    out = tmp_path / "out.hdf5"
    words = ["segment=recorded", "recipe=outpaint", *pack, *BRIEF, "recipe.moving=frame", "check=none"]
    assert augment(wrists, out, *words, "recipe.preserve=[robot]") == 0
    inside = gripper()
    for axis in (1, 2):
        inside &= np.roll(gripper(), 1, axis) & np.roll(gripper(), -1, axis)
    before, after = frames(out, "demo_0"), frames(out, "demo_3")
    assert inside.any()
    assert np.array_equal(before[inside], after[inside])


def test_without_being_asked_they_stay_as_recorded(wrists: Path, tmp_path: Path, pack: list[str]) -> None:
    out = tmp_path / "out.hdf5"
    assert augment(wrists, out, "segment=recorded", "recipe=outpaint", *pack, *BRIEF, "check=none") == 0
    (fate,) = summary(out)["cameras"]["wrist"]
    assert fate == "as recorded: the camera moves all the time"
    assert np.array_equal(frames(out, "demo_0"), frames(out, "demo_3"))


def test_layers_of_other_cameras_are_the_same_with_and_without(wrists: Path, tmp_path: Path, pack: list[str]) -> None:
    store = tmp_path / "layers"
    words = ["segment=recorded", "recipe=outpaint", *pack, *BRIEF, "check=none", f"layers.path={store}"]
    assert augment(wrists, tmp_path / "a.hdf5", *words) == 0
    before = {path.parent for path in store.glob("*/*/*/about.json")}
    assert augment(wrists, tmp_path / "b.hdf5", *words, "recipe.moving=frame") == 0
    (added,) = {path.parent for path in store.glob("*/*/*/about.json")} - before
    layers = open_layers(added)
    assert (layers.camera, layers.stability) == ("wrist", Stability.MOVING)
    assert {track.role for track in layers.tracks} == {Role.ROBOT, Role.SUPPORT}
    assert layers.hole.all()  # its plate is known nowhere


def test_an_edit_stays_in_the_region_of_each_frame(wrists: Path, tmp_path: Path, pack: list[str]) -> None:
    out = tmp_path / "out.hdf5"
    words = ["segment=recorded", "recipe=blended", *pack, *EDIT, "recipe.moving=frame", "check=none"]
    assert augment(wrists, out, *words) == 0
    before, after, region = frames(out, "demo_0"), frames(out, "demo_3"), support()
    changed = (before != after).any(axis=-1)
    around = region.copy()  # and the band in which old and new are mixed
    for row in (-1, 1):
        around |= np.roll(region, row, axis=1)
    assert not changed[~around].any()
    assert changed[region].mean() > 0.5


def test_motion_tells_nothing_there_but_a_painting_does(demos: Path, tmp_path: Path, pack: list[str]) -> None:
    words = ["segment=motion", "recipe=outpaint", *pack, *BRIEF, "recipe.moving=frame", "check=none"]
    assert augment(demos, tmp_path / "a.hdf5", *words) == 0
    (fate,) = summary(tmp_path / "a.hdf5")["cameras"]["wrist"]
    assert "masks by motion need a camera that stands still" in fate
    painted = tmp_path / "painted"
    painted.mkdir()
    Image.fromarray(gripper()[0]).save(painted / "wrist.robot.png")
    assert augment(demos, tmp_path / "b.hdf5", *words, f"segment.keep_always={painted}") == 0
    assert summary(tmp_path / "b.hdf5")["cameras"]["wrist"] == {"restaged": 1}


def test_variants_that_make_plates_leave_them_alone(wrists: Path, tmp_path: Path, pack: list[str]) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out.hdf5"
    photos.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3))
    Image.fromarray(noise.astype(np.uint8)).save(photos / "a.png")
    brief = [f"recipe.steps.outpaint.{option}" for option in ("steps=1", "candidates=1")]
    words = ["segment=recorded", "recipe=mixture", f"recipe.steps.photo.path={photos}", *pack, *brief, "check=none"]
    assert augment(wrists, out, *words, "recipe.moving=clip") == 0
    cameras = summary(out)["cameras"]
    assert cameras["front"] == {"restaged": 5}
    assert cameras["wrist"] == {"as recorded: the camera moves all the time": 3, "restaged": 2}


def test_preview_shows_masks_where_asked(wrists: Path, tmp_path: Path) -> None:
    words = ["preview", f"dataset.path={wrists}", "segment=recorded", f"output.path={tmp_path / 'shown'}"]
    assert main([*words, "moving=true"]) == 0
    stored = [open_layers(path.parent) for path in tmp_path.glob("shown/layers/*/wrist/*/about.json")]
    assert sorted(len(layers.tracks) for layers in stored) == [0, 2]


def test_what_cannot_be_is_refused() -> None:
    step = Step("background", "texture", Texture())
    with pytest.raises(RequestError, match=r"recipe\.steps\.background makes one plate for all frames"):
        Recipe(1, (Role.ROBOT,), (step,), Granularity.FRAME)
    with pytest.raises(RequestError, match="one plate serves no camera that moves"):
        Recipe(1, (Role.ROBOT,), (step,), Granularity.PLATE)


def test_an_unknown_way_names_those_that_exist(
    demos: Path, tmp_path: Path, pack: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["segment=recorded", "recipe=outpaint", *pack, *BRIEF]
    assert augment(demos, tmp_path / "out.hdf5", *words, "recipe.moving=film") == 2
    assert "unknown recipe.moving=film; known: clip, frame, null" in capsys.readouterr().err
