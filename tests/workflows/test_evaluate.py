"""`restage evaluate` on a tiny world: what is known about its figures in advance must hold."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("mujoco")
pytest.importorskip("cv2")

from augment.errors import RequestError
from augment.pipeline import Perception
from augment.scene import Survey
from augment.segment import Motion, Recorded
from robot_io.errors import DatasetError, EpisodeError
from robot_io.memory import ArrayFrames
from robot_io.tabletop.cameras import agentview, gripper_boxes
from robot_io.tabletop.spec import Conditions
from robot_io.types import Episode, Role, Truth
from robot_io.video import write_video
from tests.pipelines import tiny_pipeline
from tests.scenes import crossing_square, panning
from workflows import _evaluate_masks, _evaluate_scene, cli
from workflows._evaluate_video import judge_episode, reference_masks
from workflows._rendered import CAMERA, painting, world
from workflows.cli import main

MOTION = Perception(Survey(), Motion())
RECORDED = Perception(Survey(), Recorded())
TWO_CASES = {"steady": Conditions(), "late": Conditions(rest=3, arrival=2)}


@cache
def tiny(conditions: Conditions) -> tuple[Episode, Truth]:
    return next(world(1, 64, 3, {"case": conditions}).episodes("case"))


def numbers(line: str) -> list[float]:
    """The figures of a line, without its name."""
    return [float("nan") if cell == "-" else float(cell) for cell in line[32:].split()]


def test_true_masks_are_perfect_and_nobody_changes_what_is_kept() -> None:
    figures = dict(_evaluate_scene.attempts(*tiny(Conditions(noise=1.0)), "motion", MOTION))
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
        episode, truth = tiny(Conditions(sway=sway))
        robot = truth.masks[Role.ROBOT]
        painted = painting(episode.cameras[CAMERA], robot)
        assert any((painted <= mask).all() for mask in robot)
        area.append((painted.sum(), robot.all(axis=0).sum()))
    (whole, same), (swaying, in_every_frame) = area
    assert whole == same
    assert 0.88 * whole < swaying < 1.1 * whole
    assert in_every_frame < 0.85 * whole


def test_the_box_around_the_gripper_holds_it() -> None:
    """The fingers are the darkest part of the robot, and the lowest that moves."""
    episode, truth = tiny(Conditions())
    boxes = gripper_boxes(agentview(64), episode.signals["obs/robot0_eef_pos"])
    held = truth.masks[Role.OBJECT] & (episode.signals["obs/object"][:, 2] > 0.1)[:, None, None]
    carried = np.flatnonzero(held.any(axis=(1, 2)))
    assert len(carried) > 2
    for frame in carried:
        rows, columns = np.nonzero(held[frame])
        left, top, right, bottom = boxes[frame]
        assert left < columns.mean() < right
        assert top < rows.min() < bottom
    assert (boxes[:, 2:] - boxes[:, :2] > 10).all()


@pytest.mark.parametrize("of", ["scene", "masks"])
def test_values_are_taken_from_the_command_line(of: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", f"of={of}", "per_case=1", "size=5"]) == cli.EXIT_BAD_REQUEST
    assert "size is 5; it must be even" in capsys.readouterr().err
    assert cli.main(["evaluate", f"of={of}", "per_case=0"]) == cli.EXIT_BAD_REQUEST
    assert "episodes is 0; a dataset has at least 1" in capsys.readouterr().err


def test_what_does_not_exist_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", "of=mask"]) == cli.EXIT_BAD_REQUEST
    assert "unknown of=mask; known: scene, masks, boxes, video" in capsys.readouterr().err


def test_a_line_for_every_case_and_method() -> None:
    lines = list(_evaluate_scene.table(world(1, 64, 3, TWO_CASES), "motion", MOTION))
    assert len(lines) == 1 + 2 * 6
    assert lines[1].startswith("steady, motion ")


def test_the_configured_way_to_segment_stands_beside_motion_and_subtraction() -> None:
    """The recorded masks of a rendered world are the true ones."""
    lines = list(_evaluate_masks.table(world(1, 64, 3, {"late": TWO_CASES["late"]}), "recorded", RECORDED))
    names = ["recorded", "motion", "motion, unpainted", "median difference", "OpenCV MOG2", "OpenCV KNN"]
    assert [line[:32].strip() for line in lines[1:7]] == [f"late, {name}" for name in names]
    assert lines[7] == ""
    recorded, motion = numbers(lines[1]), numbers(lines[2])
    assert recorded[:12] == [1] * 12
    assert np.isnan(motion[8:10]).all()
    assert 0.3 < motion[0] < 1
    perfect, imperfect = lines[9].split()[-2:], lines[10].split()[-2:]
    assert perfect == ["1.000", "0%"]
    assert imperfect[1] == "100%"


def test_a_camera_that_moves_too_far_is_left_and_only_motion_knows_nothing() -> None:
    lines = list(_evaluate_masks.table(world(1, 32, 3, {"sway": Conditions(sway=10.0)}), "recorded", RECORDED))
    assert numbers(lines[1])[0] == 1
    assert np.isnan(numbers(lines[2])[:-1]).all()
    assert [numbers(line)[-1] for line in lines[1:4]] == [0, 1, 1]


def video(frames: np.ndarray) -> Episode:
    return Episode("0" * 16, "clip", len(frames), {"video": ArrayFrames("video", frames, 10.0)}, {}, fps=10.0)


def test_an_episode_is_held_against_reference_masks(tmp_path: Path) -> None:
    """Whatever way to segment, here masks in a folder, on a camera that moves."""
    frames = panning()
    _, masks = crossing_square()
    folder = tmp_path / "clip" / "video" / "robot"
    folder.mkdir(parents=True)
    found = masks.copy()
    found[::2] = False
    for index, mask in enumerate(found):
        Image.fromarray(mask).save(folder / f"{index:04d}.png")
    perception = Perception(Survey(), Recorded(masks=str(tmp_path)))
    figures, missed = judge_episode(video(frames), "video", {Role.ROBOT: masks}, perception)
    assert figures["J"] == figures["recall"] == missed["all"].recall == 0.5
    assert np.isnan([figures["residual motion"], figures["gripper recall"]]).all()
    assert "low contrast" not in missed
    with pytest.raises(RequestError, match="the camera of clip moves"):
        judge_episode(video(frames), "video", {Role.ROBOT: masks}, MOTION)


def test_motion_is_held_against_reference_masks_where_the_camera_stands() -> None:
    frames, masks = crossing_square(length=16)
    figures, _ = judge_episode(video(frames), "video", {Role.ROBOT: masks}, MOTION)
    assert figures["recall"] > 0.95
    assert figures["J"] > 0.5


def test_videos_are_evaluated_from_the_front_door(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name with a comma, masks of the object in a folder, and a first frame whose mask is wrong."""
    frames, masks = crossing_square(length=16)
    wrong = masks.copy()
    wrong[0] = True
    write_video(tmp_path / "a,b.mp4", [frames], 10.0)
    write_video(tmp_path / "robot=1.mp4", [np.where(wrong[..., None], np.uint8([255] * 3), np.uint8(0))], 10.0)
    words = [
        "evaluate",
        "of=video",
        f"video.path={tmp_path / 'a,b.mp4'}",
        f"video.robot_masks={tmp_path / 'robot=1.mp4'}",
    ]
    recalled = []
    for start in (0, 1):
        assert cli.main([*words, f"video.start={start}"]) == 0
        first = capsys.readouterr().out.splitlines()[1]
        assert first.startswith("motion ")
        recalled.append(numbers(first)[4])
    assert recalled[0] < 0.5
    assert recalled[1] > 0.9
    assert cli.main([*words, "video.start=16"]) == cli.EXIT_BAD_REQUEST
    assert "has frames 0 to 15" in capsys.readouterr().err
    assert cli.main(words[:3]) == cli.EXIT_BAD_REQUEST
    assert "add video.robot_masks or video.object_masks" in capsys.readouterr().err


def test_reference_masks_are_one_for_every_frame(tmp_path: Path) -> None:
    frames, masks = crossing_square()
    source = ArrayFrames("video", frames)
    folder = tmp_path / "masks"
    folder.mkdir()
    for index, mask in enumerate(masks):
        Image.fromarray(mask).save(folder / f"{index:04d}.png")
    np.testing.assert_array_equal(reference_masks(folder, Role.ROBOT, source), masks)
    (folder / "0003.png").unlink()
    with pytest.raises(EpisodeError, match="has 7 masks; its camera has 8 frames"):
        reference_masks(folder, Role.ROBOT, source)
    white = np.where(masks[..., None], np.uint8([255] * 3), np.uint8(0))
    write_video(tmp_path / "masks.mp4", [white], 10.0)
    found = reference_masks(tmp_path / "masks.mp4", Role.ROBOT, source)
    assert (found != masks).mean() < 0.01
    write_video(tmp_path / "short.mp4", [white[:5]], 10.0)
    with pytest.raises(DatasetError, match="5 frames of 48x64 pixels, the video 8 frames of 48x64 pixels"):
        reference_masks(tmp_path / "short.mp4", Role.ROBOT, source)
    (tmp_path / "no.mp4").write_bytes(b"no video")
    with pytest.raises(DatasetError, match=r"no.mp4 cannot be read as a video"):
        reference_masks(tmp_path / "no.mp4", Role.ROBOT, source)


def test_boxes_of_the_pack_that_ships(capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "evaluate",
        "of=boxes",
        "segment=grounded",
        "models=tabletop",
        "cases=[steady]",
        "per_case=1",
        "size=96",
        "seed=7",
    ]
    assert cli.main(words) == 0
    head, robot, thing = capsys.readouterr().out.splitlines()
    assert head.split()[:2] == ["AP50", "AP"]
    assert robot.startswith("steady, robot")
    assert thing.startswith("steady, object")
    assert numbers(robot)[0] > 0.9
    assert numbers(thing)[0] > 0.8
    assert numbers(robot)[3] > 0.85


def test_boxes_need_networks(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", "of=boxes"]) == cli.EXIT_BAD_REQUEST
    assert "segment=grounded models=NAME" in capsys.readouterr().err
    assert cli.main(["evaluate", "cases=[luck]"]) == cli.EXIT_BAD_REQUEST
    assert "unknown case 'luck' in cases; known: steady, sway 0.5 px" in capsys.readouterr().err


def test_compositions_are_compared_by_where_they_come_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = tiny_pipeline(tmp_path / "base")
    words = ["models=[tabletop,sd21]", f"models.base.source={base}", "models.device=cpu", "seed=3"]
    small = ["painting.pictures=2", "painting.steps=2", "painting.starts=[noise,picture]", "painting.levels=[0.6,0.8]"]
    sheet = tmp_path / "sheet.png"
    assert main(["evaluate", "of=composition", *words, *small, f"painting.sheet={sheet}"]) == 0
    said = capsys.readouterr().out
    for way in ("noise ", "picture, from level 0.6", "picture, from level 0.8"):
        (line,) = [line for line in said.splitlines() if line.startswith(way)]
        assert line.count("±") == 6
    with Image.open(sheet) as picture:
        assert picture.size == (2 * 128, 4 * 128)
    assert main(["evaluate", "of=composition", *words, "painting.starts=[nowhere]"]) == 2
    assert "unknown start 'nowhere' in painting.starts; known: noise, picture, policy" in capsys.readouterr().err
    assert main(["evaluate", "of=composition", "models=sd21", f"models.base.source={base}"]) == 2
    assert "it needs a pack with detector, segmenter and base" in capsys.readouterr().err
