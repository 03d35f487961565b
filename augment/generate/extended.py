"""Pictures continued beyond their frame, from words: text-guided extrapolation (Blended Diffusion, section 4)."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from jaxtyping import UInt8

from augment.errors import RequestError
from augment.generate.ranking import best_of
from augment.models.painting.base import Canvas, Painter, Sampling, Wording

REACH = 0.5  # of the shorter side: how far is painted at once, so that most of what networks see is known

Picture = UInt8[np.ndarray, "_ _ 3"]


@dataclass(frozen=True)
class Margins:
    """How much is added on each side, as a fraction of the picture's height or width, 0 or more."""

    left: float = 0.0
    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0

    def check(self) -> None:
        """Raises RequestError where a value is out of range."""
        if min(astuple(self)) < 0 or not any(astuple(self)):
            raise RequestError(
                f"left={self.left}, top={self.top}, right={self.right}, bottom={self.bottom}: fractions of the "
                "picture's sides, at least 0, and one above 0"
            )

    def pixels(self, height: int, width: int) -> np.ndarray:
        """Int64: left, top, right, bottom."""
        return np.asarray(np.rint(np.array(astuple(self)) * [width, height, width, height]).astype(int))


def extended(
    painter: Painter, picture: Picture, margins: Margins, wording: Wording, sampling: Sampling, keys: Sequence[int]
) -> Picture:
    """The picture with margins painted around it, itself exactly as it is.

    `keys`: one for each candidate; the best of each pass is gone on from. Noise differs from pass to pass.
    """
    wanted = margins.pixels(*picture.shape[:2])
    number = 0
    while wanted.any():
        added = np.minimum(wanted, max(1, round(REACH * min(picture.shape[:2]))))
        canvas = _canvas(picture, added, number)
        made = [painter([canvas], wording, sampling, key)[0] for key in keys]
        picture, wanted, number = best_of(made, canvas.keep > 0), wanted - added, number + 1
    return picture


def _canvas(picture: Picture, added: np.ndarray, number: int) -> Canvas:
    """What is added shows at first what lies on the other side of the border."""
    before_x, before_y, after_x, after_y = added.tolist()
    around = [(before_y, after_y), (before_x, after_x)]
    keep = np.pad(np.ones(picture.shape[:2], dtype=np.float32), around)
    return Canvas(np.pad(picture, [*around, (0, 0)], mode="symmetric"), keep, number)
