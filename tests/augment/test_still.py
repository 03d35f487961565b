"""What never moves by itself, before a camera that sways."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from augment.images import warp
from augment.scene import Survey
from augment.segment import Recorded
from augment.segment.still import StillMask, goes_with_camera, keep_still
from augment.types import Background, Role, Stability
from robot_io.memory import ArrayFrames
from robot_io.types import Episode
from tests.scenes import wall
from tests.workbench import noisy, stamp

LENGTH, HEIGHT, WIDTH = 24, 96, 128
STAND = (56, 8, 40, 24)  # top, left, height, width, at the picture's lower edge
SWAY = 2.5


def swaying(
    carried: bool, exposure: float = 0.0, blank: int | None = None
) -> tuple[ArrayFrames, Background, np.ndarray]:
    """A scene that sways with a stand in it, or on the camera; something passes before it. And where the stand is."""
    scene = wall(3, HEIGHT, WIDTH)
    there = stamp(scene if not carried else scene.copy(), (150, 150, 160), *STAND)
    turns = np.linspace(0, 2 * np.pi, LENGTH)
    warps = np.zeros((LENGTH, 8), np.float32)
    warps[:, 0], warps[:, 1] = 0.5 * SWAY * np.sin(2 * turns), SWAY * np.sin(turns)
    gains = (1 + exposure * np.sin(3 * turns))[:, None].repeat(3, 1).astype(np.float32)
    frames = np.stack([warp(scene, by) for by in warps])
    for number, frame in enumerate(frames):
        if carried:
            stamp(frame, (150, 150, 160), *STAND)
        stamp(frame, (220, 60, 40), 40, 6 * number - 14, 30, 16)
    frames = np.clip(noisy(frames) * gains[:, None, None], 0, 255).astype(np.uint8)
    if blank is not None:
        frames[blank] = 0
    return ArrayFrames("front", frames), Background(Stability.NEAR_STATIC, warps, gains, scene, 0.001), there


@pytest.mark.parametrize("carried", [True, False])
@pytest.mark.parametrize("rough", [-4, 0, 4])
@pytest.mark.parametrize("exposure", [0.0, 0.2])
def test_frames_tell_what_the_camera_carries(carried: bool, rough: int, exposure: float) -> None:
    frames, background, there = swaying(carried, exposure)
    painted = np.zeros_like(there)
    top, left, height, width = STAND
    painted[top - rough : top + height, left - rough : left + width + rough] = True
    assert goes_with_camera(painted, frames, background) == carried


def test_blank_frames_tell_nothing() -> None:
    for carried in (True, False):
        frames, background, there = swaying(carried, blank=int(LENGTH / 4))
        assert goes_with_camera(there, frames, background) == carried
    black = ArrayFrames("front", np.zeros((LENGTH, HEIGHT, WIDTH, 3), np.uint8))
    assert not goes_with_camera(there, black, background)


def test_what_is_painted_on_nothing_goes_with_the_scene() -> None:
    frames, background, there = swaying(carried=True)
    assert not goes_with_camera(np.zeros_like(there), frames, background)


@pytest.mark.parametrize("role", [Role.GOAL, Role.SUPPORT])
def test_goal_and_support_belong_to_the_scene(role: Role) -> None:
    frames, background, there = swaying(carried=True)
    track = keep_still(there, frames, background, role, "painted")
    assert track.label == "painted, goes with the scene"
    np.testing.assert_array_equal(track.warps, background.warps)


@pytest.mark.parametrize("carried", [True, False])
def test_what_is_painted_stays_where_it_is_seen(carried: bool, tmp_path: Path) -> None:
    """From the recorded frames alone, by way of the survey."""
    frames, _, there = swaying(carried)
    Image.fromarray(there).save(tmp_path / "front.robot.png")
    background, _ = Survey()(frames)
    assert background.stability == Stability.NEAR_STATIC
    recording = Episode(id="0" * 16, name="sways", length=LENGTH, cameras={"front": frames}, signals={})
    (track,) = Recorded(keep_always=str(tmp_path))(recording, "front", background)
    expected = np.stack([there if carried else warp(there, by) for by in swaying(carried)[1].warps])
    found = track.read(0, LENGTH)
    assert track.label == f"painted, goes with the {'camera' if carried else 'scene'}"
    assert (found & expected).sum() / (found | expected).sum() > (0.999 if carried else 0.93)


def test_before_a_camera_that_stands_still_nothing_is_to_be_decided() -> None:
    frames, background, there = swaying(carried=True)
    still = Background(Stability.STATIC, np.zeros_like(background.warps), background.gains, background.plate, 0.0)
    track = keep_still(there, frames, still, Role.ROBOT, "painted")
    assert track.label == "painted"
    np.testing.assert_array_equal(track.read(3, 9), there[None].repeat(6, 0))


def test_a_mask_is_read_in_windows_and_sways_with_the_scene() -> None:
    warps = np.zeros((6, 8), np.float32)
    warps[3, :2] = (0, 4)
    mask = np.random.default_rng(0).random((20, 30)) > 0.5
    track = StillMask(mask, warps, Role.ROBOT, "painted")
    whole = track.read(0, 6)
    assert len(track) == len(whole) == 6
    np.testing.assert_array_equal(np.concatenate([track.read(0, 4), track.read(4, 9)]), whole)
    np.testing.assert_array_equal(whole[3, :, 4:], mask[:, :-4])
    assert track.read(6, 9).shape == (0, 20, 30)
