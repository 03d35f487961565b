"""What the figures for masks must be, where it can be said in advance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from augment.evaluation.masks import (
    boundary_iou,
    f2,
    f_measure,
    gripper_recall,
    iou,
    j_and_f,
    j_measure,
    recall,
    ring_precision,
)
from augment.evaluation.steadiness import area_jump_rate, flicker_rate, id_switches, moving, temporal_iou
from tests.scenes import crossing_square

SYMMETRIC = (iou, j_measure, f_measure, j_and_f, boundary_iou)
AGAINST_TRUTH = (*SYMMETRIC, recall, f2, ring_precision)
MASKS = arrays(np.bool_, (2, 24, 32))


def square(side: int, left: int, top: int = 40, height: int = 120, width: int = 160) -> np.ndarray:
    mask = np.zeros((1, height, width), dtype=bool)
    mask[0, top : top + side, left : left + side] = True
    return mask


@pytest.mark.parametrize("figure", AGAINST_TRUTH)
@given(masks=MASKS)
def test_identical_masks_are_perfect_and_so_is_nothing_for_nothing(figure, masks: np.ndarray) -> None:
    assert figure(masks, masks) == 1
    assert figure(np.zeros_like(masks), np.zeros_like(masks)) == 1


@pytest.mark.parametrize("figure", AGAINST_TRUTH)
@given(one=MASKS, other=MASKS)
def test_figures_lie_between_0_and_1_and_those_of_overlap_do_not_care_which_is_true(figure, one, other) -> None:
    assert 0 <= figure(one, other) <= 1
    if figure in SYMMETRIC:
        assert figure(one, other) == pytest.approx(figure(other, one))


@pytest.mark.parametrize("side", [10, 25, 40])
def test_a_square_one_pixel_off_in_closed_form(side: int) -> None:
    found, truth = square(side, 50), square(side, 51)
    both, all_together = side * (side - 1), side * (side + 1)
    assert iou(found, truth) == j_measure(found, truth) == both / all_together
    assert recall(found, truth) == (side - 1) / side
    assert f2(found, truth) == pytest.approx((side - 1) / side)  # precision and recall are the same
    band = 4  # 0.02 of the diagonal of 200 pixels
    inner = side - 2 * band
    shared = both - max(0, inner * (inner + 1))
    whole = side**2 - max(0, inner) ** 2
    assert boundary_iou(found, truth) == pytest.approx(shared / (2 * whole - shared))
    assert f_measure(found, truth) == 1  # within the tolerance of 2 pixels


def test_an_outline_beyond_the_tolerance_does_not_agree() -> None:
    side = 20
    for shift, agrees in ((2, True), (3, False)):
        assert (f_measure(square(side, 50), square(side, 50 + shift)) == 1) == agrees
    # 3 pixels off: of both outlines all but one upright side, and the part of it that is near the corners
    assert 0.5 < f_measure(square(side, 50), square(side, 53)) < 1
    assert f_measure(square(side, 20), square(side, 90)) == 0


def test_f_is_zero_where_only_one_is_empty() -> None:
    assert f_measure(square(9, 50), square(0, 50)) == f_measure(square(0, 50), square(9, 50)) == 0


def test_recall_and_precision_are_not_the_same() -> None:
    small, large = square(10, 50), square(20, 50)
    assert recall(large, small) == 1
    assert recall(small, large) == 0.25
    assert f2(large, small) == pytest.approx(5 * 0.25 / (4 * 0.25 + 1))
    assert f2(small, large) == pytest.approx(5 * 0.25 / (4 + 0.25))


def test_boundary_iou_sees_what_j_does_not() -> None:
    """A finger that is missing on a large thing."""
    truth = square(60, 30, top=30)
    found = truth.copy()
    truth[0, 40:44, 90:110] = True
    assert j_measure(found, truth) > 0.97
    assert boundary_iou(found, truth) < 0.93


def test_a_halo_lowers_ring_precision_and_what_is_far_away_does_not() -> None:
    truth = square(20, 50)
    halo = square(22, 49, top=39)
    assert ring_precision(halo, truth) == 400 / 484
    far = truth | square(20, 100, top=10)
    assert ring_precision(far, truth) == 1
    # 10 pixels of 480 rows are 2 of 120
    wide = square(30, 45, top=35)
    assert ring_precision(wide, truth) == 400 / 24**2


def test_recall_around_the_gripper() -> None:
    truth, found = square(20, 50), square(20, 50)
    found[0, 40:50, 50:60] = False
    box = np.array([[50, 40, 60, 60]], dtype=np.float32)
    assert gripper_recall(found, truth, box) == 0.5
    gripper = np.zeros_like(truth)
    gripper[0, 40, 50] = gripper[0, 59, 59] = True
    assert gripper_recall(found, truth, gripper) == 0.5
    assert recall(found, truth) == 0.75


@given(period=st.integers(3, 9), times=st.integers(1, 4))
def test_flicker_injected_every_k_frames_is_detected_at_rate_one_in_k(period: int, times: int) -> None:
    """Of every second frame nobody can tell which is damaged; first and last have no neighbour to come back to."""
    masks = np.repeat(square(20, 50), period * times + 2, axis=0)
    assert flicker_rate(masks) == area_jump_rate(masks) == 0
    masks[period::period][:times] = False
    assert flicker_rate(masks) == pytest.approx(1 / period)


def test_what_goes_for_good_jumps_once_and_does_not_flicker() -> None:
    masks = np.repeat(square(20, 50), 11, axis=0)
    masks[4:] = False
    assert flicker_rate(masks) == 0
    assert area_jump_rate(masks) == 0.1


def test_temporal_iou_of_a_thing_that_moves_in_closed_form() -> None:
    masks = np.concatenate([square(20, 40 + step) for step in range(6)])
    assert temporal_iou(masks) == pytest.approx(19 / 21)
    assert temporal_iou(masks[:1]) == 1


def test_what_moves_is_told_whatever_the_camera_and_its_exposure_do() -> None:
    frames, masks = crossing_square()
    plates = frames.copy()
    plates[masks] = 0
    static = moving(frames, np.zeros_like(frames))
    assert not static[[0, -1]].any()
    assert not (static & ~masks).any()
    brighter = (np.arange(len(frames)) * 9)[:, None, None, None].astype(np.uint8)
    empty = np.broadcast_to(np.median(frames, axis=0).astype(np.uint8) // 2, frames.shape)
    seen = np.where(masks[..., None], frames // 2, empty) + brighter
    assert not (moving(seen, empty + brighter) & ~masks).any()
    assert moving(seen, np.zeros_like(seen)).any()
    assert recall(masks, static) == 1
    assert recall(np.zeros_like(masks), static) == 0


def test_a_thing_that_is_handed_over_is_one_switch() -> None:
    frames = 10
    left, right = (np.repeat(square(20, at), frames, axis=0) for at in (20, 90))
    assert id_switches([left, right], [left, right]) == 0
    assert id_switches([right, left], [left, right]) == 0
    first, second = left.copy(), left.copy()
    first[5:], second[:5] = False, False
    assert id_switches([first, second, right], [left, right]) == 1
    swapped = np.concatenate([left[:5], right[5:]]), np.concatenate([right[:5], left[5:]])
    assert id_switches(swapped, [left, right]) == 2


def test_a_gap_is_no_switch_and_what_is_lost_stays_with_its_last_track() -> None:
    truth = np.repeat(square(20, 20), 9, axis=0)
    found = truth.copy()
    found[3:6] = False
    assert id_switches([found], [truth]) == 0
    assert id_switches([], [truth]) == 0
    other = np.where(np.arange(9)[:, None, None] == 4, truth, False)
    assert id_switches([found, other], [truth]) == 2  # to the other, and back


def test_a_track_keeps_its_thing_although_another_fits_better() -> None:
    truth = np.repeat(square(20, 20), 4, axis=0)
    near = np.repeat(square(20, 23), 4, axis=0)
    exact = truth.copy()
    exact[0] = False
    assert id_switches([near, exact], [truth]) == 0
