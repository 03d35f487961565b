"""`restage evaluate` on a tiny world: what is known about its figures in advance must hold."""

import pytest

pytest.importorskip("mujoco")
pytest.importorskip("cv2")

from robot_io.tabletop.episodes import render_episode
from robot_io.tabletop.spec import Conditions, TabletopSpec
from workflows import cli
from workflows.evaluate import CAMERA, attempts, table


def test_true_masks_are_perfect_and_nobody_changes_what_is_kept() -> None:
    episode, truth = render_episode(TabletopSpec(1, 64, 3, Conditions(noise=1.0)), 0)
    figures = dict(attempts(episode, truth[CAMERA]))
    assert set(figures) == {
        "motion", "motion, unpainted", "true masks", "median difference", "OpenCV MOG2", "OpenCV KNN"
    }  # fmt: skip
    assert figures["true masks"]["mask IoU"] == 1
    assert all(row["core changed"] == 0 for row in figures.values())
    assert figures["motion"]["robot recall"] >= figures["motion, unpainted"]["robot recall"]
    assert figures["true masks"]["shadow gain"] > 0
    assert figures["motion"]["elsewhere"] > figures["median difference"]["elsewhere"]


def test_values_are_taken_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", "per_case=1", "size=5"]) == cli.EXIT_BAD_REQUEST
    assert "size is 5; it must be even" in capsys.readouterr().err


def test_a_line_for_every_case_and_method() -> None:
    lines = list(table(render_episode, 1, 64, 3, {"steady": Conditions(), "late": Conditions(rest=3, arrival=2)}))
    assert len(lines) == 1 + 2 * 6
    assert lines[1].startswith("steady, motion ")
