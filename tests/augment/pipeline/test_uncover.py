"""What hides the background, left out of the clean plate."""

import numpy as np

from augment.pipeline.uncover import leave_out
from augment.scene.samples import lay_over, take_samples
from augment.types import Background, Role
from robot_io.memory import ArrayMask

LENGTH, HEIGHT, WIDTH = 4, 24, 32


def test_what_rests_is_a_hole_though_companions_show_it_without_a_mask() -> None:
    frames = np.full((LENGTH, HEIGHT, WIDTH, 3), 120, np.uint8)
    frames[:, 8:16, :10] = (250, 240, 20)  # an arm at rest, here and in companions
    samples = take_samples(dict(enumerate(frames)), np.zeros((LENGTH, 8), np.float32))
    together = samples + lay_over(list(frames), np.zeros((LENGTH, 8), np.float32))
    arm, object_ = np.zeros((2, LENGTH, HEIGHT, WIDTH), np.bool_)
    arm[:, 8:16, :10] = True
    object_[:, 4:8, 20:24] = True  # hides something in this recording, which companions show
    together = together.behind(np.concatenate([object_, np.zeros_like(object_)]))
    seen, hole = leave_out(Background.still(frames[0], LENGTH), together, [ArrayMask(Role.ROBOT, "rests", arm)])
    assert hole[arm[0]].all()
    assert not hole[object_[0]].any()
    assert (seen.plate[~hole] == 120).all()
    assert not (seen.plate == (250, 240, 20)).all(axis=-1).any()
