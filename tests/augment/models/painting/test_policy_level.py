"""What a policy composes is taken up at the level that it was trained for, unless another is said."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from augment.errors import RequestError
from augment.generate import Outpaint
from augment.models.painting.base import Canvas, Sampling, Start, Wording
from augment.models.painting.hub import open_hub
from augment.models.painting.painter import LatentPainter
from augment.models.runtime import Runtime
from tests.pipelines import tiny_pipeline, tiny_policy

POLICY, PICTURE = Sampling(steps=2, start=Start.POLICY), Sampling(steps=2, start=Start.PICTURE)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pack")
    base = tiny_pipeline(root / "base")
    return {"base": base, "policy": tiny_policy(root / "policy", base, start=600)}


@pytest.fixture(scope="module")
def painter(folders: dict[str, Path]) -> LatentPainter:
    return open_hub(folders, Runtime("cpu"))


def painted(painter: LatentPainter, sampling: Sampling) -> np.ndarray:
    keep = np.zeros((64, 64), np.float32)
    keep[:20] = 1
    picture = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return painter([Canvas(picture, keep)], Wording("a blue wooden table"), sampling, 7)[0]


def test_a_policy_has_its_own_level_and_a_picture_0_8(painter: LatentPainter) -> None:
    for sampling, own, other in ((POLICY, 0.6, 0.8), (PICTURE, 0.8, 0.6)):
        made = painted(painter, sampling)
        assert np.array_equal(made, painted(painter, replace(sampling, level=own)))
        assert not np.array_equal(made, painted(painter, replace(sampling, level=other)))


def test_the_level_of_a_policy_is_exact_at_any_number_of_levels() -> None:
    for count in (50, 1000):
        assert [POLICY.first(count, start) for start in range(count)] == [*range(count)]
        assert POLICY.first(count) == PICTURE.first(count, 3) == round(0.8 * count)
        assert replace(POLICY, level=0.5).first(count, 3) == count // 2
        assert replace(POLICY, start=Start.NOISE).first(count, 3) == count - 1


def test_another_level_is_remarked_where_the_policy_is_asked(painter: LatentPainter) -> None:
    (said,) = painter.remarks(replace(POLICY, level=0.8))
    assert said == (
        "level=0.8 takes the policy's composition up at noise level 800 of 1000; it was trained for 600, which "
        "level=null takes"
    )
    for sampling in (POLICY, replace(POLICY, level=0.6), PICTURE, replace(PICTURE, level=0.7)):
        assert painter.remarks(sampling) == []


def test_a_recipe_that_says_nothing_is_the_one_that_said_0_8() -> None:
    """Of pictures: runs made before go on. A policy's own level is of its weights."""

    def identity(start: Start, level: float | None) -> object:
        return Outpaint(start=start, level=level).identity()["level"]

    for start in (Start.PICTURE, Start.NOISE):
        assert identity(start, None) == identity(start, 0.8) == 0.8
    assert (identity(Start.POLICY, None), identity(Start.POLICY, 0.8)) == (None, 0.8)


@pytest.mark.parametrize("start", [1000, -1, None, 0.6])
def test_a_level_that_the_base_has_not_is_refused(folders: dict[str, Path], tmp_path: Path, start: object) -> None:
    policy = tiny_policy(tmp_path, folders["base"])
    config = policy / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "start": start}))
    with pytest.raises(RequestError, match=r"has start=.*its base has levels 0 to 999"):
        open_hub({**folders, "policy": policy}, Runtime("cpu"))
