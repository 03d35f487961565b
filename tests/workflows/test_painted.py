"""`recipe=outpaint` and `recipe=blended` through the front door, with the real networks at a tiny size."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from robot_io import open_dataset
from tests.pipelines import tiny_controlnet, tiny_pipeline
from workflows.cli import main

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
    before, after = frames(out, "demo_0"), frames(out, "demo_1")
    (episode,) = [entry for entry in open_dataset(demos).entries if entry.name.endswith("demo_0")][:1]
    recorded = open_dataset(demos).open(episode.id)
    keep = np.logical_or.reduce([track.read(0, len(before)) for track in recorded.masks["front"]])
    inside = keep.copy()
    for axis in (1, 2):
        inside &= np.roll(keep, 1, axis) & np.roll(keep, -1, axis)
    assert np.array_equal(before[inside], after[inside])
    changes = np.abs(after[~keep].astype(int) - before[~keep])
    assert changes.mean() > 10
    steady = np.abs(np.diff(np.where(keep[..., None], 0, after).astype(int), axis=0)).mean()
    assert (steady > 3) == (granularity == "frame")
