"""`restage evaluate` on a tiny world: what is known about its figures in advance must hold."""

import pytest

pytest.importorskip("mujoco")
pytest.importorskip("cv2")

from robot_io.tabletop.episodes import render_episode
from robot_io.tabletop.spec import Conditions, TabletopSpec
from robot_io.types import Role
from workflows import cli
from workflows.evaluate import CAMERA, attempts, painting, table


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


def test_what_never_moves_is_painted_on_one_picture() -> None:
    """Whole, although the scene sways; nothing but the robot as that picture shows it."""
    area = []
    for sway in (0.0, 2.0):
        episode, truth = render_episode(TabletopSpec(1, 64, 3, Conditions(sway=sway)), 0)
        robot = truth[CAMERA].masks[Role.ROBOT]
        painted = painting(episode.cameras[CAMERA], robot)
        assert any((painted <= mask).all() for mask in robot)
        area.append((painted.sum(), robot.all(axis=0).sum()))
    (whole, same), (swaying, in_every_frame) = area
    assert whole == same
    assert 0.88 * whole < swaying < 1.1 * whole
    assert in_every_frame < 0.85 * whole


def test_values_are_taken_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", "per_case=1", "size=5"]) == cli.EXIT_BAD_REQUEST
    assert "size is 5; it must be even" in capsys.readouterr().err


def test_a_line_for_every_case_and_method() -> None:
    lines = list(table(render_episode, 1, 64, 3, {"steady": Conditions(), "late": Conditions(rest=3, arrival=2)}))
    assert len(lines) == 1 + 2 * 6
    assert lines[1].startswith("steady, motion ")
