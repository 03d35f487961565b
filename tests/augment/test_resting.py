"""What looks like the things that move, and rests."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from augment.images import warp
from augment.scene import Survey
from augment.segment import Motion
from augment.segment.resting import find_resting
from augment.types import Background, Role
from robot_io.memory import ArrayFrames, ArrayMask
from tests.scenes import crossing_square, episode

LENGTH = 12
YELLOW, PURPLE = (250, 240, 20), (120, 20, 130)
ARM = (slice(34, 48), slice(0, 20))  # at the picture's edge


def scene(colour: tuple[int, int, int]) -> tuple[ArrayFrames, ArrayMask, Background]:
    """A yellow square crosses; something of `colour` rests."""
    frames, masks = crossing_square(length=LENGTH)
    frames[~masks] //= 2  # a wall that has no such colours by chance
    frames[:, *ARM] = colour
    source = ArrayFrames("front", frames)
    return source, ArrayMask(Role.ROBOT, "square", masks), Survey()(source)[0]


def test_a_second_arm_at_rest_is_found() -> None:
    source, track, background = scene(YELLOW)
    found = find_resting(source, background, [track])
    assert found is not None
    assert found.mask[ARM].mean() > 0.85
    elsewhere = found.mask.copy()
    elsewhere[ARM] = False
    assert elsewhere.mean() < 0.02


@pytest.mark.parametrize(("column", "belongs"), [(6, True), (0, False)])
def test_a_light_on_it_belongs_to_it_but_what_reaches_the_edge_does_not(column: int, belongs: bool) -> None:
    source, track, background = scene(YELLOW)
    lamp = (slice(39, 40), slice(column, column + 1))
    frames, plate = source.read(0, LENGTH).frames.copy(), background.plate.copy()
    frames[:, *lamp] = plate[lamp] = (10, 255, 10)
    found = find_resting(ArrayFrames("front", frames), replace(background, plate=plate), [track])
    assert found is not None
    assert found.mask[lamp].all() == belongs


@pytest.mark.parametrize("carried", [True, False])
def test_it_sways_with_the_scene_unless_the_camera_carries_it(carried: bool) -> None:
    source, track, background = scene(YELLOW)
    frames, warps = source.read(0, LENGTH).frames.copy(), background.warps.copy()
    warps[3, :2] = (0, 4)
    frames[3] = warp(frames[3], warps[3])
    if carried:
        frames[3][ARM] = YELLOW
        frames[3, ARM[0], 20:24] = frames[3, ARM[0], 24:25]
    found = find_resting(ArrayFrames("front", frames), replace(background, warps=warps), [track])
    assert found is not None
    there = found.read(0, LENGTH)
    by = 0 if carried else 4
    np.testing.assert_array_equal(there[3, :, by:], there[0, :, : 64 - by])


def test_what_has_other_colours_is_part_of_the_scene() -> None:
    source, track, background = scene(PURPLE)
    found = find_resting(source, background, [track])
    assert found is None or not found.mask[ARM].any()


def test_where_all_looks_alike_colours_tell_nothing() -> None:
    source, track, background = scene(YELLOW)
    plate = np.full_like(background.plate, YELLOW)
    assert find_resting(source, replace(background, plate=plate), [track]) is None


def test_nothing_moves_nothing_is_found() -> None:
    source, track, background = scene(YELLOW)
    still = ArrayMask(Role.ROBOT, "nothing", np.zeros_like(track.read(0, LENGTH)))
    assert find_resting(source, background, [still]) is None


@pytest.mark.parametrize(("resting", "painted", "tracks"), [(True, False, 1), (False, False, 0), (True, True, 0)])
def test_motion_keeps_it_unless_told_otherwise(resting: bool, painted: bool, tracks: int, tmp_path: Path) -> None:
    source, track, background = scene(YELLOW)
    if painted:
        Image.new("L", (64, 48)).save(tmp_path / "front.robot.png")
    recording = replace(episode(), cameras={"front": source}, length=LENGTH)
    motion = Motion(resting=resting, keep_always=str(tmp_path))
    assert len(motion.complete(recording, "front", background, [track])) == tracks
