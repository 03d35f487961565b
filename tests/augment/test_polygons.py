"""LabelMe's polygons as masks, and files that are none."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from augment.errors import RequestError
from augment.scene import Survey
from augment.segment import Motion, Recorded
from augment.segment.polygons import Polygons
from augment.types import MaskTrack, Role
from robot_io.errors import EpisodeError
from tests.scenes import HEIGHT, WIDTH, episode

SQUARE = [[10.0, 6.0], [20.0, 6.0], [20.0, 16.0], [10.0, 16.0]]


def shape(label: str = "robot", points: Any = SQUARE, **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "group_id": None, "flags": {}, **more}


def drawn(folder: Path, *shapes: Any, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Path:
    """What LabelMe saves for a picture of the camera `front`."""
    about = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": "front.jpg", "imageData": None}
    path = folder / "front.json"
    path.write_text(json.dumps({**about, "imageHeight": size[0], "imageWidth": size[1]}))
    return path


def painted(folder: Path) -> tuple[MaskTrack, ...]:
    """The tracks that somebody painted for the camera `front`."""
    recording = episode()
    background, _ = Survey()(recording.cameras["front"])
    return Recorded(keep_always=str(folder))(recording, "front", background)[1:]


def test_a_pixel_belongs_to_a_polygon_if_its_middle_lies_inside(tmp_path: Path) -> None:
    triangle = [[0, 0], [WIDTH, 0], [0, HEIGHT]]
    mask = Polygons.read(drawn(tmp_path, shape(points=triangle))).masks()[Role.ROBOT]
    down, right = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    np.testing.assert_array_equal(mask, down / HEIGHT + right / WIDTH < 1)


def test_whichever_way_round_and_also_beyond_the_picture(tmp_path: Path) -> None:
    notched = [[-5, -5], [30.2, -5], [30.2, 20.7], [18, 8], [-5, 20.7]]
    there, back = (
        Polygons.read(drawn(tmp_path, shape(points=points))).masks()[Role.ROBOT] for points in (notched, notched[::-1])
    )
    np.testing.assert_array_equal(there, back)
    assert there[:8, :30].all()
    assert not there[:, 31:].any()
    assert not there[15, 18], "in the notch"


@pytest.mark.parametrize("points", [[SQUARE[0], SQUARE[2]], [SQUARE[3], SQUARE[1]], SQUARE])
def test_a_rectangle_by_two_opposite_corners_or_by_four(points: Any, tmp_path: Path) -> None:
    mask = Polygons.read(drawn(tmp_path, shape(points=points, shape_type="rectangle"))).masks()[Role.ROBOT]
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[6:16, 10:20] = True
    np.testing.assert_array_equal(mask, expected)


def test_a_track_for_every_role_with_all_its_shapes(tmp_path: Path) -> None:
    one, another = (shape(label, [[40, 30], [50, 40]], shape_type="rectangle") for label in ("robot", "support"))
    drawn(tmp_path, shape(), one, another)
    robot, support = painted(tmp_path)
    assert (robot.role, support.role) == (Role.ROBOT, Role.SUPPORT)
    assert robot.read(0, 1).sum() == support.read(0, 1).sum() + 100 == 200
    segmenter = Recorded(keep_always=str(tmp_path))
    assert segmenter.roles(episode(), "front") == {Role.ROBOT, Role.SUPPORT}
    assert [path.name for path in segmenter.files(episode(), "front")] == ["front.json"]


def test_a_picture_and_polygons_of_one_role_both_count(tmp_path: Path) -> None:
    drawn(tmp_path, shape())
    picture = np.zeros((HEIGHT, WIDTH), np.uint8)
    picture[40:] = 255
    Image.fromarray(picture).save(tmp_path / "front.robot.png")
    tracks = painted(tmp_path)
    assert {track.role for track in tracks} == {Role.ROBOT}
    union = np.logical_or.reduce([track.read(0, 1)[0] for track in tracks])
    assert union[40:].all()
    assert union.sum() == 8 * WIDTH + 100


def test_a_robot_that_is_drawn_is_not_looked_for(tmp_path: Path) -> None:
    recording = episode()
    background, _ = Survey()(recording.cameras["front"])
    drawn(tmp_path, shape())
    motion = Motion(keep_always=str(tmp_path))
    assert motion.complete(recording, "front", background, motion(recording, "front", background)) == []


def test_drawn_on_another_size(tmp_path: Path) -> None:
    path = drawn(tmp_path, shape(), size=(10, 20))
    with pytest.raises(EpisodeError) as caught:
        painted(tmp_path)
    assert str(caught.value) == f"{path} is 10x20 pixels; its camera is 48x64. Paint it on a frame of that size"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (shape("arm"), "is labelled 'arm'; a label is a role: robot, object, goal, support, other"),
        (shape(label=["robot"]), r"is labelled \['robot'\]; a label is a role"),
        (shape(shape_type="circle"), "is a circle; understood are polygon and rectangle. Draw it as one"),
        (shape(points=SQUARE[:2]), r"is a polygon; its points are at least 3 pairs \[x, y\] of finite numbers"),
        (shape(points=[[1, 2], [3]]), "is a polygon; its points are at least 3 pairs"),
        (shape(points=[[1, 2], [3, 4], [float("nan"), 5]]), "is a polygon; its points are at least 3 pairs"),
        (shape(points=SQUARE[:1], shape_type="rectangle"), "is a rectangle; its points are at least 2 pairs"),
        ("polygon", "is labelled None"),
    ],
)
def test_shapes_that_are_not_understood(wrong: Any, reason: str, tmp_path: Path) -> None:
    path = drawn(tmp_path, shape(), wrong)
    with pytest.raises(RequestError, match=rf"front\.json: shapes\[1\] {reason}"):
        Polygons.read(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "is no LabelMe file: it needs a list of shapes, imageHeight and imageWidth"),
        ('{"shapes": [], "imageHeight": null, "imageWidth": 4}', "is no LabelMe file"),
    ],
)
def test_files_that_are_not_of_labelme(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "front.json").write_text(text)
    with pytest.raises(RequestError, match=rf"front\.json {reason}"):
        Recorded(keep_always=str(tmp_path)).roles(episode(), "front")
