"""`restage train` on a few rendered frames: what it leaves is opened and asked as any other network."""

from pathlib import Path

import numpy as np
import pytest

from augment.models.grounding_dino.hub import open_hub as open_detector
from augment.models.hq_sam.hub import open_hub as open_segmenter
from augment.models.runtime import Runtime
from tests.augment.training.worlds import image_folder
from tests.workflows.test_cli import refused
from workflows._config import load
from workflows.cli import main

SMALL = ["dataset.episodes=1", "dataset.size=32", "method.steps=2", "method.batch=1", "threads=1", "device=cpu"]
PICTURE = np.full((40, 60, 3), 90, np.uint8)


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    return ["train", *SMALL, f"dataset.path={tmp_path / 'data.hdf5'}", f"output.path={tmp_path / 'network'}"]


def test_a_detector_answers_in_the_words_of_its_data(words: list[str], tmp_path: Path) -> None:
    assert main([*words, "method=detector"]) == 0
    found = open_detector(tmp_path / "network", Runtime("cpu"))([PICTURE], ["robot arm", "robot"])
    assert found[0].scores.shape == (32, 2)


def test_a_segmenter_cuts_out(words: list[str], tmp_path: Path) -> None:
    assert main([*words, "method=segmenter"]) == 0
    segment = open_segmenter(tmp_path / "network", Runtime("cpu"))
    assert segment(segment.embed([PICTURE])[0], np.array([[3, 4, 30, 20]], np.float32)).masks.shape == (1, 40, 60)


def test_an_autoencoder_learns_from_captioned_pictures(tmp_path: Path) -> None:
    folder, out = image_folder(tmp_path / "walls"), tmp_path / "network"
    words = ["dataset=images", f"dataset.path={folder}", f"output.path={out}", "held_out=0.25", "device=cpu"]
    assert main(["train", "method=autoencoder", *words, "method.steps=1", "method.batch=1", "method.size=16"]) == 0
    assert (out / "vae" / "config.json").exists()


def test_the_papers_own_settings() -> None:
    policy = load("train", ["experiment=paper_ipm", "method.base=/x,y", "method.reward_weight=0.1"]).method
    assert (policy.name, policy.size, policy.start, policy.reward_steps) == ("initialization_policy", 512, 800, 10)
    assert (policy.steps, policy.learning_rate, policy.reward_weight) == (400000, 1e-4, 0.1)
    assert policy.base == "/x,y"
    control = load("train", ["experiment=paper_fco_controlnet"]).method
    assert (control.name, control.size, control.ring) == ("controlnet", 512, 0)
    assert (control.steps, control.learning_rate) == (200000, 1e-5)


def test_generators_need_captions(words: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = [*words, "method=autoencoder", "dataset.episodes=2"]
    (tmp_path / "captions.json").write_text('{"demo_0": "a table"}')
    said = refused(capsys, *words, f"captions.path={tmp_path / 'captions.json'}")
    assert "1 of 2 episodes have no caption (demo_1)" in said
    (tmp_path / "captions.json").write_text("[]")
    assert "holds no captions" in refused(capsys, *words, f"captions.path={tmp_path / 'captions.json'}")
    assert "held_out=1.0" in refused(capsys, *words, "held_out=1.0")
    assert "method.base" in refused(capsys, *words, "method=controlnet")


def test_bad_requests(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "at least 1" in refused(capsys, *words, "method.batch=0")
    assert "known: detector, segmenter, autoencoder" in refused(capsys, *words, "method.name=poet")
    assert "set cameras=[...]" in refused(capsys, *words, "cameras=[front]")
