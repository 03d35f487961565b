"""Finding what a reference shows: on features that are made up, and on those of a network."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.errors import RequestError
from augment.models import dinov2
from augment.models.base import Matcher
from augment.models.dinov2 import Dinov2Matcher
from augment.models.matching import best_boxes, similarity
from augment.models.runtime import Runtime
from tests.augment.models import tiny


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def scenery(rows: int, columns: int, seed: int) -> np.ndarray:
    """Patches at right angles to the last axis, which the reference lies on."""
    features = np.random.default_rng(seed).normal(size=(rows, columns, 16))
    features[..., -1] = 0
    return unit(features)


REFERENCE = np.eye(16, dtype=np.float32)[-1]


@given(st.data())
def test_a_planted_rectangle_is_the_best_box(data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(4, 12)), data.draw(st.integers(4, 12))
    height, width = data.draw(st.integers(1, rows // 2)), data.draw(st.integers(1, columns // 2))
    top, left = data.draw(st.integers(0, rows - height)), data.draw(st.integers(0, columns - width))
    features = scenery(rows, columns, data.draw(st.integers(0, 99)))
    features[top : top + height, left : left + width] = REFERENCE
    found = best_boxes(features, REFERENCE, height=rows * 10, width=columns * 20)
    assert found.boxes.tolist() == [[left * 20, top * 10, (left + width) * 20, (top + height) * 10]]
    assert found.scores.tolist() == [[1.0]]


def test_the_box_is_that_of_the_greatest_surplus() -> None:
    """Against every rectangle there is, on similarities of all kinds."""
    for seed in range(20):
        features = unit(np.random.default_rng(seed).normal(size=(5, 6, 3)))
        reference = unit(np.ones(3))
        alike = similarity(features, reference)
        surplus = alike - (alike.max() + np.median(alike)) / 2
        sums = {
            (left, top, right, bottom): surplus[top:bottom, left:right].sum()
            for top in range(5)
            for bottom in range(top + 1, 6)
            for left in range(6)
            for right in range(left + 1, 7)
        }
        found = best_boxes(features, reference, 5, 6, count=1)
        assert tuple(int(side) for side in found.boxes[0]) == max(sums, key=lambda box: sums[box])


def test_each_copy_is_found_the_likelier_first_and_none_twice() -> None:
    features = scenery(12, 16, 0)
    features[1:4, 2:5] = REFERENCE
    features[7:9, 9:14] = unit(REFERENCE + np.eye(16)[0])
    found = best_boxes(features, REFERENCE, 12, 16)
    assert found.boxes.tolist() == [[2, 1, 5, 4], [9, 7, 14, 9]]
    assert found.scores[:, 0] == pytest.approx([1, 2**-0.5], abs=1e-6)
    assert len(best_boxes(features, REFERENCE, 12, 16, count=1).boxes) == 1


def test_nothing_stands_out_of_what_is_the_same_everywhere() -> None:
    features = np.broadcast_to(REFERENCE, (4, 5, 16)).copy()
    found = best_boxes(features, REFERENCE, 40, 50)
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == (0, 1)


@pytest.fixture(scope="module")
def matcher(tmp_path_factory: pytest.TempPathFactory) -> Dinov2Matcher:
    return dinov2.open_hub(tiny.dinov2(tmp_path_factory.mktemp("dinov2")), Runtime(device="cpu"))


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_descriptions_are_unit_vectors_that_do_not_depend_on_each_other(matcher: Dinov2Matcher) -> None:
    assert isinstance(matcher, Matcher)
    crops = [noise(30, 40), noise(90, 20, 1), noise(1, 1, 2), noise(300, 500, 3)]
    found = matcher.describe(crops)
    assert found.shape == (4, 32)
    assert found.dtype == np.float32
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(4), abs=1e-6)
    assert np.array_equal(found, np.concatenate([matcher.describe([crop]) for crop in crops]))
    assert matcher.describe([]).shape == (0, 32)


def test_what_is_like_itself_is_most_alike(matcher: Dinov2Matcher) -> None:
    crops = [noise(30, 40, seed) for seed in range(3)]
    found = matcher.describe([*crops, crops[0]])
    cosines = (found * found[3]).sum(axis=1)
    assert cosines[0] == pytest.approx(1, abs=1e-6)
    assert cosines[1:3].max() < 1 - 1e-4


def test_only_what_is_masked_counts(matcher: Dinov2Matcher) -> None:
    crop, left = noise(32, 32), np.zeros((32, 32), dtype=np.bool_)
    left[:, :16] = True
    whole, one, other = matcher.describe([crop] * 3, [np.ones((32, 32), dtype=np.bool_), left, ~left])
    assert np.array_equal(whole, matcher.describe([crop])[0])
    assert (one * other).sum() < 1 - 1e-4
    assert min((whole * one).sum(), (whole * other).sum()) > (one * other).sum()  # the whole's mean lies between


@pytest.mark.parametrize("mask", [np.zeros((30, 40), dtype=np.bool_), np.ones((30, 41), dtype=np.bool_)])
def test_masks_that_fit_no_crop_are_refused(matcher: Dinov2Matcher, mask: np.ndarray) -> None:
    with pytest.raises(RequestError, match="give masks of the crops' sizes"):
        matcher.describe([noise(30, 40)], [mask])


def test_a_crop_is_found_where_it_was_taken(matcher: Dinov2Matcher) -> None:
    """Colours pass through random weights; that is enough to tell rows from columns and patches from pixels."""
    picture = noise(150, 296) // 4
    picture[20:80, 200:260] = (250, 40, 10)
    features = matcher.dense(picture)
    assert features.shape == (38, 74, 32)
    (reference,) = matcher.describe([picture[20:80, 200:260]])
    left, top, right, bottom = best_boxes(features, reference, 150, 296, count=1).boxes[0]
    assert np.abs(np.array([left, top, right, bottom]) - [200, 20, 260, 80]).max() <= 4  # a patch
