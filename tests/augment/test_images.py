import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.images import box_blur, grow, pixels, resize, translate
from tests.scenes import wall


@given(dy=st.integers(-5, 5), dx=st.integers(-5, 5))
def test_whole_shifts_move_pixels_unchanged(dy: int, dx: int) -> None:
    picture = wall(0)
    moved = translate(picture, np.array([dy, dx], np.float32))
    np.testing.assert_array_equal(moved[8:40, 8:56], picture[8 - dy : 40 - dy, 8 - dx : 56 - dx])


def test_half_a_pixel_is_the_mean_of_neighbours() -> None:
    picture = np.zeros((5, 6), np.float32)
    picture[2, 3] = 1
    moved = translate(picture, np.array([0, 0.5], np.float32))
    assert moved[2, 3] == moved[2, 4] == 0.5
    assert moved.sum() == 1


def test_no_shift_is_identity() -> None:
    np.testing.assert_array_equal(translate(wall(0), np.zeros(2, np.float32)), wall(0))


@pytest.mark.parametrize("radius", [0, 1, 3])
def test_grow_by_a_square(radius: int) -> None:
    mask = np.zeros((9, 11), bool)
    mask[4, 5] = True
    grown = grow(mask, radius)
    assert grown.sum() == (2 * radius + 1) ** 2
    assert grown[4 - radius : 5 + radius, 5 - radius : 6 + radius].all()


def test_grow_does_not_reach_across_frames() -> None:
    masks = np.zeros((3, 9, 9), bool)
    masks[1, 4, 4] = True
    assert not grow(masks, 2)[[0, 2]].any()


def test_box_blur_keeps_the_mean_inside() -> None:
    values = np.zeros((11, 11), np.float32)
    values[5, 5] = 9
    assert box_blur(values, 1)[4:7, 4:7] == pytest.approx(np.ones((3, 3)))


def test_lengths_follow_the_height() -> None:
    assert [pixels(0.01, height) for height in (48, 480, 960)] == [1, 5, 10]
    assert pixels(0.0, 480) == 0


def test_resize_to_the_same_size_is_identity() -> None:
    np.testing.assert_array_equal(resize(wall(0), 48, 64), wall(0))
    assert resize(wall(0), 20, 30).shape == (20, 30, 3)
