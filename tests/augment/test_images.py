import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from augment.images import (
    box_blur,
    box_sum,
    colours,
    destinations,
    displacements,
    exposed,
    grow,
    interpolated,
    is_blank,
    pixels,
    planes,
    reduced,
    rescaled,
    resize,
    shares,
    translate,
    unwarp,
    warp,
)
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


TURN = np.array([1.3, -0.7, 0.01, 0.02, -0.02, 0.015, -8e-4, 5e-4], np.float32)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_warps_without_a_turn_keep_values(dtype: type) -> None:
    picture = wall(0).astype(dtype)
    shift = np.array([2, -3] + 6 * [0], np.float32)
    np.testing.assert_array_equal(warp(picture, 0 * shift), picture)
    np.testing.assert_array_equal(warp(picture, shift), translate(picture, shift[:2]))
    np.testing.assert_array_equal(unwarp(shift), -shift)
    np.testing.assert_array_equal(warp(warp(picture, shift), unwarp(shift))[3:-3, 3:-3], picture[3:-3, 3:-3])


def test_a_homography_moves_what_lies_off_the_middle_further() -> None:
    picture = np.zeros((41, 61), np.float32)
    picture[10, 50] = 1  # 10 above and 20 right of the middle
    moved = warp(picture, TURN)
    rows, columns = np.mgrid[:41, :61]
    depth = 1 - 10 * -8e-4 + 20 * 5e-4
    down = 20 + (-10 + 1.3 - 10 * 0.01 + 20 * 0.02) / depth
    right = 30 + (20 - 0.7 + 10 * 0.02 + 20 * 0.015) / depth
    assert (rows * moved).sum() / moved.sum() == pytest.approx(down, abs=0.1)
    assert (columns * moved).sum() / moved.sum() == pytest.approx(right, abs=0.1)


def test_a_homography_is_taken_back() -> None:
    np.testing.assert_allclose(unwarp(unwarp(TURN)), TURN, rtol=1e-3, atol=1e-6)
    y, x = np.random.default_rng(0).uniform(-30, 30, (2, 50)).astype(np.float32)
    there_and_back = destinations(unwarp(TURN), *destinations(TURN, y, x))
    np.testing.assert_allclose(there_and_back, (y, x), atol=1e-4)
    shift = np.array([0.3, -2, 0, 0, 0, 0, 0, 0], np.float32)
    np.testing.assert_array_equal(unwarp(shift), -shift)
    many = np.stack([TURN, 2 * TURN])
    np.testing.assert_array_equal(unwarp(many), np.stack([unwarp(TURN), unwarp(2 * TURN)]))
    there_and_back = warp(warp(wall(0, 40, 60), TURN), unwarp(TURN)).astype(int)
    assert np.abs(there_and_back - wall(0, 40, 60))[6:-6, 6:-6].mean() < 12  # its noise is blurred twice


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.bool_])
def test_beyond_the_edge_its_pixels_are_repeated(dtype: type) -> None:
    moved = warp(np.ones((20, 30), dtype), TURN * 3)
    assert moved.dtype == dtype
    assert moved.all()


def test_corners_and_middle_are_displaced() -> None:
    displaced = displacements(np.array([0, 0, 0.1, 0, 0, 0, 0, 0], np.float32), 40, 60)
    np.testing.assert_allclose(displaced, [[-2, 0], [-2, 0], [2, 0], [2, 0], [0, 0]], atol=1e-6)
    displaced = displacements(np.array([0.5, 0, 0, 0, 0, 0, 0.001, 0], np.float32), 40, 60)
    np.testing.assert_allclose(displaced[[0, 2, 4], 0], [-19.5 / 0.98 + 20, 20.5 / 1.02 - 20, 0.5], atol=1e-5)


def test_a_picture_of_another_size_moves_alike() -> None:
    large, small = displacements(TURN, 120, 180), displacements(rescaled(TURN, 1 / 3), 40, 60)
    np.testing.assert_allclose(large, 3 * small, atol=1e-4)


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


@pytest.mark.parametrize("shape", [(1, 1), (7, 10), (3, 6, 9)])
@pytest.mark.parametrize("radius", [0, 1, 2, 5])
def test_sums_and_greatest_values_are_those_of_the_square_around(shape: tuple[int, ...], radius: int) -> None:
    values = np.random.default_rng(0).integers(0, 256, shape)
    window, axes = 2 * (2 * radius + 1,), (-2, -1)
    margin = [(0, 0)] * (len(shape) - 2) + [(radius, radius)] * 2
    squares = np.lib.stride_tricks.sliding_window_view(np.pad(values, margin, mode="edge"), window, axes)
    np.testing.assert_array_equal(box_sum(values, radius), squares.sum(axis=axes))
    np.testing.assert_array_equal(grow(values, radius), squares.max(axis=axes))
    masks = squares > 200
    np.testing.assert_array_equal(grow(values > 200, radius), masks.any(axis=axes))


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 5])
def test_a_reduced_pixel_is_the_rounded_mean_of_those_it_stands_for(factor: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (13, 18, 3), dtype=np.uint8)
    whole = np.pad(picture, [(0, -13 % factor), (0, -18 % factor), (0, 0)], mode="edge")
    blocks = whole.reshape(len(whole) // factor, factor, -1, factor, 3).mean(axis=(1, 3))
    expected = np.floor(blocks + 0.5 + 1e-9)
    np.testing.assert_array_equal(reduced(picture, factor), expected)
    np.testing.assert_array_equal(reduced(picture[..., 1], factor), expected[..., 1])
    np.testing.assert_array_equal(planes(picture, factor), np.moveaxis(expected, -1, 0))


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 6])
def test_pictures_are_interpolated_as_by_pillow(factor: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (9, 12), dtype=np.uint8)
    theirs = Image.fromarray(picture).resize((12 * factor, 9 * factor), Image.Resampling.BILINEAR)
    # by thirds and sixths, Pillow rounds some halves down
    np.testing.assert_allclose(interpolated(picture, factor).astype(int), theirs, atol=factor % 3 == 0)


def test_lengths_follow_the_height() -> None:
    assert [pixels(0.01, height) for height in (48, 480, 960)] == [1, 5, 10]
    assert pixels(0.0, 480) == 0


def test_resize_to_the_same_size_is_identity() -> None:
    np.testing.assert_array_equal(resize(wall(0), 48, 64), wall(0))
    assert resize(wall(0), 20, 30).shape == (20, 30, 3)


@pytest.mark.parametrize("level", [0, 11, 244, 255])
def test_a_frame_is_blank_if_hardly_anything_is_left_to_see(level: int) -> None:
    frame = np.full((96, 128, 3), level, np.uint8)
    assert is_blank(frame)
    frame[:10, :30] = 128
    assert not is_blank(frame)


def test_a_grey_wall_is_not_blank() -> None:
    assert not is_blank(np.full((96, 128, 3), 128, np.uint8))


def test_colours_of_a_warped_picture_are_those_that_warping_gives() -> None:
    picture, where = wall(0, 40, 60), np.random.default_rng(0).integers(0, 40 * 60, 500)
    for by in (np.zeros(8, np.float32), TURN, TURN * 3):
        expected = warp(picture, by).reshape(-1, 3)[where].T
        assert np.abs(colours(picture, where, by) - expected).max() <= 1


def test_exposure_is_a_factor_for_each_channel() -> None:
    gain = np.array([0.5, 1.0, 1.5], np.float32)
    expected = np.floor(np.minimum(wall(0) * gain + np.float32(0.5), 255))
    np.testing.assert_array_equal(exposed(wall(0), gain), expected)


def test_any_of_a_mask_counts_when_it_is_reduced() -> None:
    mask = np.zeros((8, 12), bool)
    mask[3, 5], mask[4:, 8:] = True, True
    np.testing.assert_array_equal(np.argwhere(shares(mask, 4)), [[0, 1], [1, 2]])
    assert shares(mask, 4)[1, 2] == 255
