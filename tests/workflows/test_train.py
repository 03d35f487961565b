"""`restage train` on a few rendered frames: what it leaves is opened and asked as any other network."""

from pathlib import Path

import numpy as np
import pytest

from augment.models.grounding_dino.hub import open_hub as open_detector
from augment.models.hq_sam.hub import open_hub as open_segmenter
from augment.models.runtime import Runtime
from tests.workflows.test_cli import refused
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


def test_bad_requests(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "at least 1" in refused(capsys, *words, "method.batch=0")
    assert "known: detector, segmenter" in refused(capsys, *words, "method.name=poet")
    assert "set cameras=[...]" in refused(capsys, *words, "cameras=[front]")
