"""The base that ships with the package: it has learnt what words look like."""

import numpy as np
import pytest

from augment.models.doors import open_painter
from augment.models.packs import Component, Pack
from augment.models.painting.base import Canvas, Painter, Sampling, Start, Wording
from augment.models.runtime import Runtime

BLUE_OVER_BROWN = "a brown wooden table before a blue tiled wall"
BROWN_OVER_BLUE = "a blue striped tablecloth before a brown panelled wall"


@pytest.fixture(scope="module")
def painter() -> Painter:
    pack = Pack("tabletop", base=Component("stable_diffusion", "package:tabletop/base"))
    pack.check()
    return open_painter(pack, Runtime("cpu"))


def warmth(painter: Painter, prompt: str) -> tuple[float, float]:
    """Red less blue, grey levels, in the upper and the lower third of some pictures."""
    nothing = np.zeros((64, 64), np.float32)
    canvases = [Canvas(np.zeros((64, 64, 3), np.uint8), nothing, number) for number in range(4)]
    sampling = Sampling(steps=10, guidance=3.0, start=Start.NOISE, blend=False)
    made = np.stack(painter(canvases, Wording(prompt, "a robot arm"), sampling, 5)).astype(int)
    difference = made[..., 0] - made[..., 2]
    return float(difference[:, :20].mean()), float(difference[:, 44:].mean())


def test_colours_go_where_the_words_put_them(painter: Painter) -> None:
    wall, table = warmth(painter, BLUE_OVER_BROWN)
    assert wall < 20 < 40 < table
    wall, table = warmth(painter, BROWN_OVER_BLUE)
    assert table < 20 < 40 < wall
