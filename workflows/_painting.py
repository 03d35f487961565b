"""Which picture a person paints on."""

import numpy as np

from augment.images import greatest_displacement, is_blank
from robot_io.types import FrameSource


def frame_to_paint(frames: FrameSource, warps: np.ndarray) -> int:
    """Index of the frame that lies closest to the plate; frames that show nothing do not count.

    `warps`: float32 `(t, n)`, as in `Background`. What is painted on that frame is painted on the plate, to a fraction
    of a pixel in most recordings.
    """
    for index in np.argsort(greatest_displacement(warps, frames.height, frames.width), kind="stable").tolist():
        if not is_blank(frames.read(index, index + 1).frames[0]):
            return int(index)
    return 0
