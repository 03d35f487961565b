from collections.abc import Sequence

import numpy as np
import pytest

from augment.images import displacements, resize, translate, warp
from augment.scene import Survey, fill_smoothly, measure_grain
from augment.scene.bumps import find_bumps
from augment.scene.exposure import exposure
from augment.scene.lens import agreed, pull
from augment.scene.level import Level
from augment.scene.moves import find_stands, moves_between
from augment.scene.plate import clean_plate, median_plate
from augment.scene.register import Registration
from augment.scene.samples import Samples, take_samples
from augment.scene.thumbnails import glance
from augment.scene.track import track_camera
from augment.types import Stability
from robot_io.memory import ArrayFrames, ArrayMask
from robot_io.types import Role
from tests.scenes import HEIGHT, WIDTH, crossing_square, panning, wall


def still(length: int) -> np.ndarray:
    return np.zeros((length, 8), np.float32)


def test_a_static_camera_is_not_warped() -> None:
    frames, _ = crossing_square()
    background, _ = Survey()(ArrayFrames("front", frames))
    assert background.stability == Stability.STATIC
    assert not background.warps.any()


def test_a_moving_camera_is_found() -> None:
    assert Survey()(ArrayFrames("wrist", panning()))[0].stability == Stability.MOVING


@pytest.mark.parametrize("amplitude", [0.8, 1.8])
def test_sway_is_measured_to_a_fraction_of_a_pixel(amplitude: float) -> None:
    large = wall(3, 140, 180)
    truth = amplitude * np.sin(np.arange(12))[:, None] * np.array([[1.0, 0.6]])
    truth -= np.median(truth, axis=0)
    frames = np.stack([translate(large, shift.astype(np.float32))[10:130, 10:170] for shift in truth])
    background, _ = Survey()(ArrayFrames("head", frames))
    assert background.stability == Stability.NEAR_STATIC
    assert np.abs(background.warps[:, :2] - truth).max() < 0.35


def test_a_camera_that_rolls_is_followed_to_its_corners() -> None:
    large = wall(3, 140, 180)
    truth = np.zeros((12, 8), np.float32)
    turn = 0.012 * np.sin(np.arange(12))
    truth[:, 0] = 1.2 * np.sin(np.arange(12))
    truth[:, 3], truth[:, 4] = turn, -turn
    frames = np.stack([warp(large, by)[10:130, 10:170] for by in truth])
    background, _ = Survey()(ArrayFrames("head", frames))
    assert background.stability == Stability.NEAR_STATIC
    off = displacements(background.warps, 120, 160) - displacements(truth, 120, 160)
    assert np.abs(off - np.median(off, axis=0)).max() < 0.4


def turned(shift: float, focal: float) -> np.ndarray:
    """How the picture of a camera moves that is turned down and, half as far, to the left."""
    return np.array([shift, shift / 2, 0, 0, 0, 0, -shift / focal**2, -shift / 2 / focal**2], np.float32)


def framed(large: np.ndarray, by: np.ndarray) -> np.ndarray:
    """The middle of a picture that has moved."""
    return warp(large, by)[10:-10, 10:-10]


def test_a_homography_is_found_behind_an_occluder_in_other_light() -> None:
    large = resize(wall(3, 65, 85), 260, 340)
    truth = turned(2.5, 250.0)
    truth[3:5] = 0.006, -0.006
    frame = np.rint(framed(large, truth) * 0.85).astype(np.uint8)
    frame[100:200, 60:140] = (250, 240, 20)
    found = Registration.of(framed(large, 0 * truth), bend=(120 / 250) ** 2).warp(frame, 0 * truth)
    off = displacements(found, 240, 320) - displacements(truth, 240, 320)
    assert np.abs(off).max() < 0.05


@pytest.mark.parametrize(("focal", "enough"), [(180.0, 0.4), (400.0, 0.12)])
def test_a_camera_that_turns_is_followed_to_its_corners(focal: float, enough: float) -> None:
    """Whatever its lens, though a single frame of noise and little detail does not tell it."""
    rng = np.random.default_rng(0)
    large = resize(wall(3, 33, 43), 260, 340)
    truth = np.stack([turned(3 * np.sin(index), focal) for index in range(12)])
    frames = np.stack([framed(large, by) + rng.normal(0, 2, (240, 320, 3)) for by in truth])
    for index in range(12):
        frames[index, 80:160, 20 * index : 20 * index + 60] = (250, 240, 20)
    background, _ = Survey()(ArrayFrames("head", np.rint(frames.clip(0, 255)).astype(np.uint8)))
    assert background.stability == Stability.NEAR_STATIC
    off = displacements(background.warps, 240, 320) - displacements(truth, 240, 320)
    assert np.abs(off - np.median(off, axis=0)).max() < enough


def test_a_camera_that_turns_is_not_pulled() -> None:
    level = Level.of(np.zeros((200, 300), np.float32))
    by = turned(4.0, 250.0) * level.unit
    assert np.einsum("ab,b->a", pull((100 / 250) ** 2), by) == pytest.approx(np.zeros(8), abs=1e-6)
    assert np.abs(np.einsum("ab,b->a", pull(0.0), by)).max() > 0.1


def test_frames_agree_on_a_lens() -> None:
    """Maps that were each found with the wrong lens, and little evidence for the right one."""
    rng = np.random.default_rng(0)
    truth = np.zeros((40, 8))
    truth[:, :2] = rng.normal(0, 4, (40, 2))
    truth[:, 6:] = -0.4 * truth[:, :2]
    curvatures = np.repeat(np.diag([9, 9, 2, 2, 2, 2, 0.5, 0.5]).astype(np.float32)[None], 40, axis=0)
    right_sides = np.einsum("tab,tb->ta", curvatures, truth)
    found = np.linalg.solve(curvatures + pull(0.2), right_sides[..., None])[..., 0]
    maps, bend = agreed(found, curvatures, 0.2)
    assert bend == pytest.approx(0.4)
    assert np.abs(found - truth).max() > 0.5
    assert np.abs(maps - truth).max() < 1e-3


@pytest.mark.parametrize(("down", "right"), [(2.0, -1.0), (-5.0, 3.0)])
def test_a_bump_is_a_sway_that_stays(down: float, right: float) -> None:
    large = wall(3, 180, 220)
    large[::16] = 90  # boards
    truth = np.zeros((20, 2), np.float32)
    truth[11:] = (down, right)
    frames = np.stack([translate(large, shift)[10:170, 10:210] for shift in truth])
    for index in range(20):
        frames[index, 60:90, 4 * index : 4 * index + 40] = (250, 240, 20)
    background, _ = Survey()(ArrayFrames("front", frames))
    assert background.stability == Stability.NEAR_STATIC
    jump = background.warps[11:, :2].mean(axis=0) - background.warps[:11, :2].mean(axis=0)
    np.testing.assert_allclose(jump, (down, right), atol=0.2)
    assert np.ptp(background.warps[11:, :2], axis=0).max() < 0.4


def test_a_flash_is_no_bump() -> None:
    frames, _ = crossing_square(length=12)
    frames[5] = 255
    frames[8] = 0
    assert not find_bumps(glance(ArrayFrames("front", frames), ())[0]).any()


def test_a_jump_that_is_taken_back_is_no_bump() -> None:
    frames = np.repeat(wall(3)[None], 12, axis=0)
    frames[5] = np.roll(frames[5], (5, -4), axis=(0, 1))
    assert not find_bumps(glance(ArrayFrames("front", frames), ())[0]).any()
    frames[6:] = frames[5]
    assert find_bumps(glance(ArrayFrames("front", frames), ())[0])[5:].any(axis=1).all()


def test_a_camera_is_tracked_beyond_what_it_first_saw() -> None:
    frames = np.stack([wall(4, 60, 400)[:, 3 * index : 3 * index + 80] for index in range(40)])
    frames[20] = 255 - frames[20]
    places = track_camera(frames, find_bumps(frames))
    expected = np.stack([np.zeros(40), -3 * np.arange(40)], axis=1)
    off = np.delete(places - expected, 20, axis=0)
    assert np.abs(off - off[0]).max() < 2.5


def test_a_camera_stands_before_and_after_it_moves() -> None:
    places = np.repeat([0.0, 0.1], (40, 60))[:, None] * np.array([[1, 0.5]])
    places[40:60] *= np.linspace(0, 1, 20)[:, None]
    sway = 0.002 * np.sin(np.arange(100))[:, None]
    (_, first), (second, _) = stands = find_stands((places + sway).astype(np.float32))
    assert stands[0][0] == 0
    assert stands[1][1] == 100
    assert abs(first - 42) <= 2
    assert abs(second - 58) <= 2
    assert moves_between(stands, 100) == ((first, second),)


def test_of_a_jump_the_frames_on_both_sides_are_named() -> None:
    places = np.repeat(np.array([[0.0, 0.0], [0.1, 0.0]], np.float32), (40, 60), axis=0)
    assert moves_between(find_stands(places), 100) == ((39, 41),)
    assert moves_between([], 100) == ((0, 100),)
    assert moves_between([(10, 40), (60, 90)], 100) == ((0, 10), (40, 60), (90, 100))


@pytest.mark.parametrize("frames", [np.zeros((5, 48, 64, 3), np.uint8), wall(1)[None]])
def test_black_and_single_frames_are_static(frames: np.ndarray) -> None:
    assert Survey()(ArrayFrames("dark", frames))[0].stability == Stability.STATIC


def samples(frames: np.ndarray, tracks: Sequence[ArrayMask] = ()) -> Samples:
    return take_samples(dict(enumerate(frames)), still(len(frames))).without(tracks)


@pytest.mark.parametrize("number", [1, 6, 7])
def test_median_plate_is_the_upper_median(number: int) -> None:
    frames = np.random.default_rng(number).integers(0, 256, (number, 6, 8, 3), np.uint8)
    np.testing.assert_array_equal(median_plate(frames), np.sort(frames, axis=0)[number // 2])


def test_plate_is_the_wall_where_it_was_seen() -> None:
    frames, masks = crossing_square(length=20)
    plate, hole = clean_plate(samples(frames, [ArrayMask(Role.ROBOT, "square", masks)]), shadows_known=True)
    assert not hole.any()
    np.testing.assert_array_equal(plate, wall(0))


def test_what_rests_for_a_third_of_the_time_leaves_no_ghost() -> None:
    frames = np.repeat(wall(0)[None], 20, axis=0)
    frames[:7, 10:30, 10:30] = (200, 30, 30)
    frames[13:, 10:30, 20:50] = (30, 200, 30)
    plate, _ = clean_plate(samples(frames), shadows_known=False)
    np.testing.assert_array_equal(plate[:, :20], wall(0)[:, :20])
    np.testing.assert_array_equal(plate[:, 30:], wall(0)[:, 30:])


def smooth_wall() -> np.ndarray:
    down, right = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([120 + down, 100 + right, 150 + 0 * down], axis=-1).astype(np.uint8)


def test_what_rests_for_most_of_the_time_is_no_background() -> None:
    frames = np.repeat(smooth_wall()[None], 20, axis=0)
    frames[:13, 10:30, 10:30] = (200, 30, 30)
    plate, _ = clean_plate(samples(frames), shadows_known=False)
    np.testing.assert_array_equal(plate, smooth_wall())


def test_what_hides_the_background_elsewhere_is_no_background() -> None:
    """A thing so much like the wall that its outline does not tell which of the two was there first."""
    frames = np.repeat(smooth_wall()[None], 20, axis=0)
    frames[:, 18:42, 8:32] = (118, 118, 112)  # a board, which
    frames[:, 20:40, 10:30] = smooth_wall()[20:40, 10:30]  # has a hole, in which
    frames[:13, 20:40, 10:30] = (136, 124, 130)  # the thing rests for most of the time
    elsewhere = np.zeros(frames.shape[:3], np.bool_)
    elsewhere[:, :10, 40:] = True
    frames[elsewhere] = (136, 124, 130)
    plates = [
        clean_plate(found, shadows_known=False)[0] for found in (samples(frames), samples(frames).behind(elsewhere))
    ]
    rests = [(np.abs(plate.astype(int) - smooth_wall()).max(axis=-1) > 8)[22:38, 12:28].mean() for plate in plates]
    assert rests[0] > 0.5
    assert rests[1] < 0.05


@pytest.mark.parametrize("known", [False, True])
def test_a_shadow_that_mostly_stays_leaves_the_plate_once_shadows_are_known(known: bool) -> None:
    frames = np.repeat(smooth_wall()[None], 20, axis=0)
    frames[:14] = frames[:14] // 2
    plate, _ = clean_plate(samples(frames), shadows_known=known)
    np.testing.assert_array_equal(plate, smooth_wall() if known else smooth_wall() // 2)


def test_companions_show_what_is_hidden_here() -> None:
    frames, _ = crossing_square()
    frames[:] = wall(0)
    frames[:, 12:36, 20:44] = (250, 240, 20)  # it never moves in this episode
    other = np.repeat(wall(0)[None], 12, axis=0)
    elsewhere = np.repeat(wall(5)[None], 12, axis=0)
    survey = Survey(companion_samples=12)
    plain = np.full_like(elsewhere, 90)  # nothing in it contradicts any registration
    companions = [
        ArrayFrames("front", plain),
        ArrayFrames("front", elsewhere),
        ArrayFrames("front", other),
        ArrayFrames("front", other[:, :20]),
    ]
    assert (survey(ArrayFrames("front", frames))[0].plate[20, 30] == (250, 240, 20)).all()
    _, found = survey(ArrayFrames("front", frames), companions)
    np.testing.assert_array_equal(clean_plate(found, shadows_known=False)[0], wall(0))


def test_exposure_is_measured_per_channel_behind_a_large_object() -> None:
    gain = np.array([1.05, 0.97, 1.1], np.float32)
    frame = np.clip(wall(0) * gain, 0, 255).astype(np.uint8)
    frame[:, :28] = 0
    np.testing.assert_allclose(exposure(frame, wall(0)), gain, atol=0.02)
    assert (exposure(np.zeros_like(frame), np.zeros_like(frame)) == 1).all()


def test_gains_follow_the_exposure() -> None:
    gains = 1 + 0.1 * np.sin(np.arange(10))
    frames = np.stack([np.clip(wall(0) * gain, 0, 255) for gain in gains]).astype(np.uint8)
    measured = Survey()(ArrayFrames("front", frames))[0].gains
    np.testing.assert_allclose(measured / measured.mean(), (gains / gains.mean())[:, None].repeat(3, 1), atol=0.02)


@pytest.mark.parametrize("sigma", [0.0, 1.0, 3.0])
def test_grain_is_measured_beside_what_moves(sigma: float) -> None:
    frames, masks = crossing_square(length=20)
    noisy = np.clip(np.rint(frames + np.random.default_rng(0).normal(0, sigma, frames.shape)), 0, 255).astype(np.uint8)
    seen = samples(noisy, [ArrayMask(Role.ROBOT, "square", masks)])
    measured = measure_grain(seen, wall(0), np.zeros((HEIGHT, WIDTH), bool))
    np.testing.assert_allclose(measured, sigma, atol=0.15 * sigma + 0.01)
    unmasked = measure_grain(samples(noisy), wall(0), np.zeros((HEIGHT, WIDTH), bool))
    np.testing.assert_allclose(unmasked, sigma, atol=0.2 * sigma + 0.01)


def test_hole_is_what_was_never_seen() -> None:
    frames, masks = crossing_square()
    masks[:] = masks[:1]
    plate, hole = clean_plate(samples(frames, [ArrayMask(Role.ROBOT, "r", masks)]), shadows_known=True)
    margin_of_one_pixel = np.zeros((HEIGHT, WIDTH), bool)
    margin_of_one_pixel[17:31, 1:15] = True
    np.testing.assert_array_equal(hole, margin_of_one_pixel)
    assert not plate[hole].any()


def test_what_a_shift_moves_in_from_outside_is_not_believed() -> None:
    frames = np.repeat(wall(0)[None], 2, axis=0)
    warps = np.array([[2] + 7 * [0], [0, -3] + 6 * [0]], np.float32)
    covered = take_samples(dict(enumerate(frames)), warps).covered
    assert covered[0].sum() == 2 * WIDTH
    assert covered[0, -2:].all()
    assert covered[1].sum() == 3 * HEIGHT
    assert covered[1, :, :3].all()


def test_filling_changes_the_hole_alone() -> None:
    hole = np.zeros((HEIGHT, WIDTH), bool)
    hole[10:20, 10:30] = True
    picture = np.where(hole[..., None], 0, wall(0)).astype(np.uint8)
    filled = fill_smoothly(picture, hole)
    np.testing.assert_array_equal(filled[~hole], picture[~hole])
    assert filled[hole].min() > 40
    assert (fill_smoothly(picture, np.ones_like(hole)) == 128).all()
