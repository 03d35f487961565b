import numpy as np
import pytest

from augment.images import translate
from augment.scene import Survey, clean_plate, fill_smoothly
from augment.types import Stability
from robot_io.memory import ArrayFrames, ArrayMask
from robot_io.types import Role
from tests.scenes import HEIGHT, LENGTH, WIDTH, crossing_square, panning, wall


def still(length: int) -> np.ndarray:
    return np.zeros((length, 2), np.float32)


def test_a_static_camera_is_not_warped() -> None:
    frames, _ = crossing_square()
    background = Survey()(ArrayFrames("front", frames))
    assert background.stability == Stability.STATIC
    assert not background.shifts.any()


def test_a_moving_camera_is_found() -> None:
    assert Survey()(ArrayFrames("wrist", panning())).stability == Stability.MOVING


@pytest.mark.parametrize("amplitude", [0.8, 1.8])
def test_sway_is_measured_to_a_fraction_of_a_pixel(amplitude: float) -> None:
    large = wall(3, 140, 180)
    truth = amplitude * np.sin(np.arange(12))[:, None] * np.array([[1.0, 0.6]])
    truth -= np.median(truth, axis=0)
    frames = np.stack([translate(large, shift.astype(np.float32))[10:130, 10:170] for shift in truth])
    background = Survey()(ArrayFrames("head", frames))
    assert background.stability == Stability.NEAR_STATIC
    assert np.abs(background.shifts - truth).max() < 0.35


@pytest.mark.parametrize("frames", [np.zeros((5, 48, 64, 3), np.uint8), wall(1)[None]])
def test_black_and_single_frames_are_static(frames: np.ndarray) -> None:
    assert Survey()(ArrayFrames("dark", frames)).stability == Stability.STATIC


def test_plate_is_the_wall_where_it_was_seen() -> None:
    frames, masks = crossing_square(length=20)
    tracks = [ArrayMask(Role.ROBOT, "square", masks)]
    plate, hole = clean_plate(ArrayFrames("front", frames), still(20), tracks, samples=20)
    assert not hole.any()
    np.testing.assert_array_equal(plate, wall(0))


def test_hole_is_what_was_never_seen() -> None:
    frames, masks = crossing_square()
    masks[:] = masks[:1]
    plate, hole = clean_plate(
        ArrayFrames("front", frames), still(LENGTH), [ArrayMask(Role.ROBOT, "r", masks)], samples=LENGTH
    )
    margin_of_one_pixel = np.zeros((HEIGHT, WIDTH), bool)
    margin_of_one_pixel[17:31, 1:15] = True
    np.testing.assert_array_equal(hole, margin_of_one_pixel)
    assert not plate[hole].any()


def test_filling_changes_the_hole_alone() -> None:
    hole = np.zeros((HEIGHT, WIDTH), bool)
    hole[10:20, 10:30] = True
    picture = np.where(hole[..., None], 0, wall(0)).astype(np.uint8)
    filled = fill_smoothly(picture, hole)
    np.testing.assert_array_equal(filled[~hole], picture[~hole])
    assert filled[hole].min() > 40
    assert (fill_smoothly(picture, np.ones_like(hole)) == 128).all()
