"""Misses are counted where they are, and figures of a camera come from its tracks."""

import numpy as np
import pytest

from augment.evaluation.judge_masks import Reference, judge_masks, judge_misses
from augment.evaluation.misses import Misses, categories, misses
from augment.types import Role
from robot_io.memory import ArrayMask

LENGTH, HEIGHT, WIDTH = 12, 96, 120
NEAR = 2  # 10 pixels of 480 rows


def reference() -> Reference:
    """A bar that comes down from the upper edge after three frames at rest, takes a block and lifts it half away."""
    robot, thing = np.zeros((2, LENGTH, HEIGHT, WIDTH), dtype=bool)
    lowest = [30, 30, 30, 38, 46, 54, 60, 60, 54, 48, 42, 36]
    for frame, low in enumerate(lowest):
        robot[frame, :low, 50:62] = True
        top = 60 if frame < 8 else low
        thing[frame, top : top + 20, 46:66] = True
    thing[9:, :, 56:] = False
    plates = np.full((LENGTH, HEIGHT, WIDTH, 3), 120, np.uint8)
    frames = plates.copy()
    frames[robot], frames[thing] = 220, 40
    frames[:, 70:75][thing[:, 70:75]] = 115
    return Reference(frames, robot, thing, plates)


def test_categories_are_what_they_are_called() -> None:
    given = reference()
    found = categories(given.robot, given.thing, given.frames, given.plates)
    assert found["at rest"].any(axis=(1, 2)).tolist() == [True] * 3 + [False] * 9
    assert found["occluded"].any(axis=(1, 2)).tolist() == [False] * 9 + [True] * 3
    assert not found["contact"][:5].any()
    assert found["contact"][6:9].any(axis=(1, 2)).all()
    np.testing.assert_array_equal(np.flatnonzero(found["border"].any(axis=(0, 2))), np.arange(NEAR))
    np.testing.assert_array_equal(np.flatnonzero(found["low contrast"].any(axis=(0, 2))), np.arange(70, 75))
    for name in ("at rest", "contact", "border", "low contrast"):
        assert not (found[name] & ~given.keep).any()


def test_thin_is_where_no_large_square_fits() -> None:
    mask = np.zeros((1, HEIGHT, WIDTH), dtype=bool)
    mask[0, 20:60, 20:60] = True
    mask[0, 30 : 30 + 2 * NEAR, 60:100] = True
    thin = categories(mask, np.zeros_like(mask), np.zeros((*mask.shape, 3), np.uint8), None)["thin"]
    assert thin[0, 30 : 30 + 2 * NEAR, 65:100].all()
    assert not thin[0, 20:60, 20:60].any()


def test_fast_is_what_no_neighbouring_frame_covers() -> None:
    given = reference()
    slow = np.repeat(given.robot[:1], LENGTH, axis=0)
    quick = np.zeros_like(slow)
    quick[5, 80:90, 10:20] = True
    fast = categories(slow | quick, np.zeros_like(slow), given.frames, None)["fast"]
    np.testing.assert_array_equal(fast, quick & ~slow)


def test_misses_are_counted_where_they_are() -> None:
    given = reference()
    found = given.keep.copy()
    found[:3] = False
    counted = judge_misses([ArrayMask(Role.ROBOT, "", found)], given)
    assert counted["at rest"].recall == 0
    assert counted["at rest"].missed == counted["all"].missed == given.keep[:3].sum()
    assert counted["occluded"].recall == 1
    assert counted["all"].wanted == given.keep.sum()


def test_every_pixel_is_in_a_category_or_elsewhere() -> None:
    given = reference()
    regions = categories(given.robot, given.thing, given.frames, None)
    counted = misses(np.zeros_like(given.keep), given.keep, regions)
    assert counted["elsewhere"].wanted == (given.keep & ~np.logical_or.reduce(list(regions.values()))).sum()
    assert counted["elsewhere"].wanted + sum(counted[name].wanted for name in regions) >= counted["all"].wanted
    assert np.isnan(Misses(0, 0).recall)
    assert (Misses(8, 2) + Misses(2, 1)).recall == 0.7


def test_true_tracks_are_perfect() -> None:
    given = reference()
    tracks = [ArrayMask(Role.ROBOT, "", given.robot), ArrayMask(Role.OBJECT, "", given.thing)]
    figures = judge_masks(tracks, given)
    for name in ("J", "F", "J&F", "boundary IoU", "recall", "F2", "robot J", "object J", "ring precision"):
        assert figures[name] == 1
    assert figures["temporal IoU"] == figures["of truth"] < 1
    assert figures["residual motion"] == figures["by truth"] == 1
    assert figures["id switches"] == 0
    assert np.isnan(figures["gripper recall"])


def test_roles_count_by_themselves_only_if_they_are_told_apart() -> None:
    given = reference()
    both = judge_masks([ArrayMask(Role.ROBOT, "robot and what it moves", given.keep)], given)
    assert both["J"] == both["robot recall"] == both["object recall"] == 1
    assert np.isnan([both["robot J"], both["object J"]]).all()
    swapped = [ArrayMask(Role.OBJECT, "", given.robot), ArrayMask(Role.ROBOT, "", given.thing)]
    assert judge_masks(swapped, given)["robot J"] < 0.5


def test_what_belongs_to_the_scene_is_not_counted() -> None:
    given = reference()
    table = ArrayMask(Role.SUPPORT, "", np.ones_like(given.keep))
    alone = judge_masks([ArrayMask(Role.ROBOT, "", given.keep)], given)
    assert judge_masks([ArrayMask(Role.ROBOT, "", given.keep), table], given) == pytest.approx(alone, nan_ok=True)
