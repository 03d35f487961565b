"""Pictures continued beyond their frame."""

from collections.abc import Sequence

import numpy as np
import pytest

from augment.errors import RequestError
from augment.generate.extended import Margins, extended
from augment.models.painting.base import Canvas, Painter, Sampling, Wording
from augment.models.painting.hub import open_hub
from augment.models.runtime import Runtime
from tests.pipelines import tiny_pipeline

WORDS, BRIEF = Wording("a wooden table"), Sampling(steps=2)


@pytest.fixture(scope="module")
def painter(tmp_path_factory: pytest.TempPathFactory) -> Painter:
    return open_hub({"base": tiny_pipeline(tmp_path_factory.mktemp("base"))}, Runtime("cpu"))


def picture(height: int = 32, width: int = 24) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("margins", [Margins(left=0.25), Margins(0.5, 0.25, 1.5, 0.125), Margins(bottom=1.0)])
def test_the_picture_stays_exactly_and_what_is_around_it_is_painted(painter: Painter, margins: Margins) -> None:
    given = picture()
    left, top, right, bottom = margins.pixels(32, 24).tolist()
    made = extended(painter, given, margins, WORDS, BRIEF, [7, 8])
    assert made.shape == (32 + top + bottom, 24 + left + right, 3)
    assert np.array_equal(made[top : top + 32, left : left + 24], given)
    mirrored = np.pad(given, [(top, bottom), (left, right), (0, 0)], mode="symmetric")
    assert (made != mirrored).mean() > 0.9 * (1 - given.size / made.size)
    assert np.array_equal(made, extended(painter, given, margins, WORDS, BRIEF, [7, 8]))


def test_no_pass_paints_more_than_half_of_the_shorter_side(painter: Painter) -> None:
    asked: list[Canvas] = []

    class Watched:
        def cut(self, prompt: str) -> str:
            return painter.cut(prompt)

        def remarks(self, sampling: Sampling) -> list[str]:
            return painter.remarks(sampling)

        def __call__(
            self, canvases: Sequence[Canvas], wording: Wording, sampling: Sampling, key: int
        ) -> list[np.ndarray]:
            asked.extend(canvases)
            return painter(canvases, wording, sampling, key)

    extended(Watched(), picture(), Margins(right=2.0), WORDS, BRIEF, [7])
    widths = [canvas.keep.shape[1] for canvas in asked]
    assert widths == [24 + 12, 24 + 28, 24 + 44, 24 + 48], "half of 24, then of 32, which is shorter by then"
    assert len({canvas.number for canvas in asked}) == len(asked)


def test_margins_of_nothing() -> None:
    for margins in (Margins(), Margins(left=-0.1, right=1.0)):
        with pytest.raises(RequestError, match="at least 0, and one above 0"):
            margins.check()
