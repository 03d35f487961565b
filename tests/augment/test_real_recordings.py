"""What the survey and the masks make of real robots, where these recordings are present."""

from pathlib import Path

import av
import numpy as np
import pytest

from augment.pipeline import Perception
from augment.pipeline.episode import prepare
from augment.pipeline.stopwatch import Stopwatch
from augment.scene import Survey
from augment.segment import Motion
from augment.types import Stability
from robot_io import open_dataset
from robot_io.memory import ArrayFrames

DATA = Path(__file__).parents[3] / "shared/data"
OUTDOORS = DATA / "robot_video_masks/video_original.mp4"
HUMANOID = DATA / "g1_hdf5/g1_pick.hdf5"


@pytest.mark.skipif(not OUTDOORS.exists(), reason="a real recording that is not part of the project")
def test_a_camera_that_is_carried_about_moves() -> None:
    with av.open(str(OUTDOORS)) as container:
        frames = [frame.to_ndarray(format="rgb24")[::4, ::4] for frame in container.decode(video=0)][::4]
    background, _ = Survey()(ArrayFrames("carried", np.stack(frames)))
    assert background.stability == Stability.MOVING


@pytest.mark.skipif(not HUMANOID.exists(), reason="a real recording that is not part of the project")
def test_a_humanoid_sways_and_keeps_both_of_its_arms(tmp_path: Path) -> None:
    dataset = open_dataset(HUMANOID)
    layers = prepare(Perception(Survey(), Motion()), dataset, dataset.entries[0].id, tmp_path, Stopwatch())
    camera = layers["cam_high_image"]
    assert camera.stability == Stability.NEAR_STATIC
    labels = [track.label for track in camera.tracks]
    assert labels[0] == "robot and what it moves"
    assert labels[1].startswith("looks like what moves, never moves")
    assert len(labels) == 2
    resting = camera.tracks[1].read(80, 81)[0]
    assert resting[125:150, 50:65].mean() > 0.8  # the left forearm, which never moves
    assert resting[120:, 160:].mean() < 0.02  # the table before the robot
