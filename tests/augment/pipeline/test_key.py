"""What networks that paint are shown of an episode."""

from pathlib import Path

import numpy as np

from augment.layers import Layers, write_layers
from augment.pipeline.key import find_key
from augment.types import Background, Role
from robot_io.memory import ArrayFrames, ArrayMask

LENGTH, SIDE = 30, 48
START, END, ARM = (slice(34, 40), slice(4, 10)), (slice(34, 40), slice(36, 42)), (slice(0, 30), slice(18, 26))


def carried() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Frames, robot, object, and an outline of the robot that passes for an object: a thing is carried across."""
    frames = np.full((LENGTH, SIDE, SIDE, 3), 90, np.uint8)
    robot, thing, outline = np.zeros((3, LENGTH, SIDE, SIDE), np.bool_)
    for index in range(LENGTH):
        place = START if index < 10 else END if index >= 20 else (slice(30, 40), slice(18, 28))
        robot[index][ARM], thing[index][place] = True, True
        outline[index, 0:30, 26] = True
        frames[index][robot[index]], frames[index][thing[index]] = 255 - index, (200, index, 0)
    return frames, robot, thing, outline


def layers(folder: Path, frames: np.ndarray, tracks: list[ArrayMask]) -> Layers:
    background = Background.still(np.full(frames.shape[1:], 90, np.uint8), len(frames))
    return write_layers(
        folder / "layers", {}, "front", background, background.plate, np.zeros((SIDE, SIDE), bool), tracks
    )


def test_an_object_is_shown_where_it_stands_at_first_and_in_the_end(tmp_path: Path) -> None:
    frames, robot, thing, outline = carried()
    tracks = [ArrayMask(Role.ROBOT, "arm", robot), ArrayMask(Role.OBJECT, "cube", thing)]
    tracks.append(ArrayMask(Role.OBJECT, "moves, in no other mask", outline))
    key = find_key(layers(tmp_path, frames, tracks), ArrayFrames("front", frames))
    held = key.picture[30:40, 18:28]
    assert (key.picture[START] == (200, 0, 0)).all()  # of the first frame
    assert (key.picture[END] == (200, LENGTH - 1, 0)).all()  # of the last
    assert (held == held[0, 0]).all()  # of the key frame, in which it covers most
    assert 10 <= held[0, 0, 1] < 20
    assert (key.picture[ARM][..., 0] == 255 - held[0, 0, 1]).all()
    expected = np.zeros((SIDE, SIDE), np.bool_)
    for place in (START, END, ARM, (slice(30, 40), slice(18, 28))):
        expected[place] = True
    expected[0:30, 26] = True  # the outline in the key frame is kept there as any mask is
    np.testing.assert_array_equal(key.foreground, expected)


def test_an_object_that_stays_is_shown_once(tmp_path: Path) -> None:
    frames, robot, thing, _ = carried()
    thing[:] = False
    thing[:, 34:40, 4:10] = True
    thing[0, 34:40, 5:11] = True  # a mask that is off by a pixel
    tracks = [ArrayMask(Role.ROBOT, "arm", robot), ArrayMask(Role.OBJECT, "cube", thing)]
    key = find_key(layers(tmp_path, frames, tracks), ArrayFrames("front", frames))
    np.testing.assert_array_equal(key.foreground, robot[0] | thing[0])
