"""`recipe=blended` where a region is said in words, through the front door, with the networks that ship."""

import json
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from augment.generate import Blended
from augment.images import bounds, grow
from augment.models.base import Detections
from augment.models.finding import open_finder
from augment.models.grounding_dino.detector import GroundingDino
from augment.pipeline import sought
from robot_io import open_dataset
from robot_io.types import Role
from tests.pipelines import tiny_clip, tiny_pipeline, tiny_pixels
from workflows._config import build_flow, load
from workflows.cli import main

SAMPLES = Path(__file__).parents[2] / "robot_io" / "tabletop" / "samples.hdf5"
TABLE, WRIST = "agentview_image", "robot0_eye_in_hand_image"
SHIPPED = ["models=tabletop", "models.device=cpu"]
EDIT = [
    "recipe.steps.edit.steps=2",
    "recipe.steps.edit.candidates=1",
    "recipe.steps.edit.prompt=a blue wooden table",
    "recipe.preserve=[robot,object]",
]


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the detector is asked, once for each picture, by a process that knows nothing yet."""
    monkeypatch.setattr(sought, "_known", {})
    asked: list[str] = []
    look = GroundingDino.__call__

    def counted(self: GroundingDino, pictures: Sequence[np.ndarray], phrases: Sequence[str]) -> list[Detections]:
        asked.extend([", ".join(phrases)] * len(pictures))
        return look(self, pictures, phrases)

    monkeypatch.setattr(GroundingDino, "__call__", counted)
    return asked


def augment(out: Path, *overrides: str, source: Path = SAMPLES) -> int:
    words = [f"dataset.path={source}", f"output.path={out}", "segment=recorded", "executor=serial", "limit=1"]
    return main(["augment", "recipe=blended", *words, *EDIT, *overrides])


def frames(path: Path, demo: str, camera: str = TABLE) -> np.ndarray:
    with h5py.File(path) as file:
        return file[f"data/{demo}/obs/{camera}"][()]


def truth(role: Role, camera: str = TABLE) -> np.ndarray:
    """Where the first sample shows a role, `(t, h, w)`."""
    dataset = open_dataset(SAMPLES)
    episode = dataset.open(dataset.entries[0].id)
    length = len(episode.cameras[camera])
    return np.logical_or.reduce([track.read(0, length) for track in episode.masks[camera] if track.role == role])


def around(masks: np.ndarray, pixels: int) -> np.ndarray:
    return np.stack([grow(mask, pixels) for mask in masks])


def found(phrase: str, pictures: np.ndarray) -> list[np.ndarray]:
    """By the shipped networks, asked picture by picture."""
    generator = build_flow(load("augment", ["recipe=blended", "segment=recorded", *SHIPPED])).recipe.steps[0].generator
    assert isinstance(generator, Blended)
    assert generator.pack.detector
    assert generator.pack.segmenter
    find = open_finder(generator.pack.detector, generator.pack.segmenter, generator.runtime)
    return [find([picture], [phrase])[0] for picture in pictures]


def cameras(out: Path) -> dict:
    return json.loads((out.with_name(f"{out.name}.restage") / "summary.json").read_text())["cameras"]


def test_what_words_name_is_edited_and_nothing_else(tmp_path: Path, looked: list[str]) -> None:
    """By the default check, though it is a fiftieth of the picture. Looked for once, for two variants."""
    out = tmp_path / "out.hdf5"
    assert augment(out, *SHIPPED, "recipe.steps.edit.region=red coaster", "recipe.variants=2") == 0
    assert cameras(out)[TABLE] == {"restaged": 2}
    assert looked == ["red coaster"]
    before, coaster, kept = frames(out, "demo_0"), truth(Role.GOAL), truth(Role.ROBOT) | truth(Role.OBJECT)
    for variant in ("demo_6", "demo_7"):
        changed = (frames(out, variant) != before).any(axis=-1)
        assert not changed[~around(coaster, 4)].any()
        assert changed[coaster & ~around(kept, 2)].mean() > 0.9
        assert not changed[~around(~kept, 1)].any(), "what is preserved stays out of it"


def test_before_a_camera_that_moves_it_is_looked_for_in_every_frame(tmp_path: Path, looked: list[str]) -> None:
    """Once, though frames are asked for what stays and for what is painted, and by two variants."""
    out = tmp_path / "out.hdf5"
    words = ["recipe.steps.edit.region=red coaster", "recipe.variants=2", "recipe.moving=frame", "check=none"]
    assert augment(out, *SHIPPED, *words) == 0
    assert cameras(out)[WRIST] == {"restaged": 2}
    before = frames(out, "demo_0", WRIST)
    assert looked == ["red coaster"] * (1 + len(before))
    region = np.stack(found("red coaster", before))
    kept = truth(Role.ROBOT, WRIST) | truth(Role.OBJECT, WRIST)
    changed = (frames(out, "demo_6", WRIST) != before).any(axis=-1)
    assert not region.any(axis=(1, 2)).all(), "in some frames it is out of sight"
    assert not changed[~around(region, 1)].any()
    assert changed[region & ~around(kept, 2)].mean() > 0.9


def test_what_is_nowhere_leaves_the_camera_as_recorded(tmp_path: Path, looked: list[str]) -> None:
    out = tmp_path / "out.hdf5"
    words = ["recipe.steps.edit.region=yellow cube", "recipe.variants=2", "recipe.moving=frame"]
    assert augment(out, *SHIPPED, *words) == 3
    fates = cameras(out)
    (table,), (wrist,) = fates[TABLE], fates[WRIST]
    assert table.startswith("as recorded: region 'yellow cube' is found nowhere on the clean plate; say it otherwise")
    assert table.endswith(f"paint it as {TABLE}.other.png (segment.keep_always) and choose region=other")
    assert wrist.startswith("as recorded: region 'yellow cube' is found in no frame; say it otherwise")
    (first, _) = sorted(out.with_name("out.hdf5.restage").glob("outcomes/*/*"))
    assert json.loads(first.read_text())["outcome"]["attempts"] == 1, "no other draw would find it"
    assert looked.count("yellow cube") == 1 + len(truth(Role.GOAL, WRIST))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["recipe.steps.edit.region=suport"], "Did you mean support?"),
        (["recipe.steps.edit.region=Goal"], "Did you mean goal?"),
        (
            ["recipe.steps.edit.region=robot"],
            "unknown region=robot; known: surroundings, support, goal, other, or words",
        ),
        (["recipe.steps.edit.region=blue box"], "the network does not know all words of 'blue box'"),
        (["recipe.steps.edit.region=''"], "the phrase '' is empty"),
        (
            ["recipe.steps.edit.region=red cube", "models.segmenter=null"],
            "takes a detector and a segmenter, and models=tabletop has not both; put packs together, such as "
            "models=[grounded_tiny,sd15]",
        ),
    ],
)
def test_what_cannot_be_looked_for_is_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert augment(tmp_path / "out.hdf5", *SHIPPED, *words) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("form", ["latent", "pixel"])
def test_who_finds_the_region_decides_the_pixels(tmp_path: Path, form: str) -> None:
    """The weights of both networks are part of the step's identity, and so are the words."""
    words = ["recipe=blended", "segment=recorded", *SHIPPED, f"recipe.steps.edit.form={form}"]
    if form == "pixel":
        pixels, clip = tiny_pixels(tmp_path / "pixels"), tiny_clip(tmp_path / "clip")
        words += [f"models.pixels={{kind: guided_diffusion, source: {pixels}}}"]
        words += [f"models.clip={{kind: clip, source: {clip}}}"]
    known = []
    for region in ("red coaster", "red cube"):
        flow = build_flow(load("augment", [*words, f"recipe.steps.edit.region={region}"]))
        known.append(flow.recipe.steps[0].generator.identity())
        assert {"detector", "segmenter"} <= set(known[-1]["pack"])
    assert known[0] != known[1]


def test_masks_that_leak_to_another_thing_are_cut_off() -> None:
    """Of a purple cube beside a red one the shipped segmenter's mask holds both."""
    picture, cube = frames(SAMPLES, "demo_1")[0], truth(Role.OBJECT)[0]
    rows, columns = bounds(cube, 0)
    beside = (slice(98, 98 + rows.stop - rows.start), slice(95, 95 + columns.stop - columns.start))
    picture[beside][cube[rows, columns]] = frames(SAMPLES, "demo_0")[0][cube]
    (region,) = found("purple cube", picture[None])
    assert region[beside][cube[rows, columns]].mean() > 0.9
    assert not region[:, :85].any()


def test_what_a_person_painted_is_edited_where_asked_and_stays_otherwise(demos: Path, tmp_path: Path) -> None:
    table = np.zeros((48, 64), np.uint8)
    table[30:] = 255
    (tmp_path / "painted").mkdir()
    Image.fromarray(table).save(tmp_path / "painted" / "front.other.png")
    base = ["models=sd15", "models.controlnet=null", f"models.base.source={tiny_pipeline(tmp_path / 'base')}"]
    words = [*base, "models.device=cpu", "check=none", f"segment.keep_always={tmp_path / 'painted'}"]
    changed = {}
    for region in ("other", "surroundings"):
        out = tmp_path / f"{region}.hdf5"
        assert augment(out, *words, f"recipe.steps.edit.region={region}", source=demos) == 0
        changed[region] = (frames(out, "demo_0", "front") != frames(out, "demo_3", "front")).any(axis=-1)
    assert not changed["other"][:, :29].any()
    assert changed["other"][:, 31:].mean() > 0.9
    assert not changed["surroundings"][:, 31:].any()
    assert changed["surroundings"][:, :29].mean() > 0.5
