"""Average precision against cases worked out by hand, and boxes around masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.boxes import box_iou, boxes_around, inside
from augment.evaluation.average_precision import average_precision, mean_average_precision

NOTHING = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
HERE, THERE, NOWHERE = (0, 0, 10, 10), (20, 0, 30, 10), (50, 50, 60, 60)


def found(*boxes: tuple[tuple[float, ...], float]) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.array([box for box, _ in boxes], np.float32).reshape(-1, 4),
        np.array([score for _, score in boxes], np.float32),
    )


def truth(*boxes: tuple[float, ...]) -> np.ndarray:
    return np.array(boxes, np.float32).reshape(-1, 4)


def test_box_iou_in_closed_form() -> None:
    overlap = box_iou(truth(HERE, (5, 0, 15, 10)), truth(HERE, THERE, (0, 0, 10, 5), (3, 3, 3, 3)))
    np.testing.assert_allclose(overlap, [[1, 0, 0.5, 0], [1 / 3, 0, 25 / 125, 0]])


@given(left=st.integers(0, 9), top=st.integers(0, 6), width=st.integers(1, 7), height=st.integers(1, 6))
def test_the_box_around_what_is_inside_a_box_is_that_box(left: int, top: int, width: int, height: int) -> None:
    box = truth((left, top, left + width, top + height))
    masks = inside(box, 12, 16)
    assert masks.sum() == width * height
    np.testing.assert_array_equal(boxes_around(masks), box)


def test_around_nothing_is_nothing() -> None:
    around = boxes_around(np.zeros((1, 5, 6), bool))
    np.testing.assert_array_equal(around, 0)
    assert not inside(around, 5, 6).any()


def test_finding_everything_first_is_perfect() -> None:
    pictures = [found((HERE, 0.9), (NOWHERE, 0.1)), found((THERE, 0.8))]
    assert average_precision(pictures, [truth(HERE), truth(THERE)]) == 1
    assert mean_average_precision(pictures, [truth(HERE), truth(THERE)]) == 1


def test_nothing_for_nothing_is_perfect_and_anything_else_is_worthless() -> None:
    assert average_precision([NOTHING], [truth()]) == 1
    assert average_precision([found((HERE, 0.3))], [truth()]) == 0
    assert average_precision([NOTHING], [truth(HERE)]) == 0


def test_a_wrong_box_between_two_right_ones() -> None:
    """Precision 1 up to a recall of 0.5 (51 of 101 places), 2/3 beyond."""
    pictures = [found((HERE, 0.9), (NOWHERE, 0.8), (THERE, 0.7))]
    assert average_precision(pictures, [truth(HERE, THERE)]) == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_what_is_never_found_has_no_precision() -> None:
    """A recall of a third: 34 of 101 places."""
    assert average_precision([found((HERE, 0.9))], [truth(HERE, THERE, NOWHERE)]) == pytest.approx(34 / 101)


def test_scores_count_across_pictures() -> None:
    pictures = [found((NOWHERE, 0.95)), found((HERE, 0.5))]
    assert average_precision(pictures, [truth(), truth(HERE)]) == 0.5
    assert average_precision(pictures[::-1], [truth(HERE), truth()]) == 0.5


def test_a_second_box_on_the_same_thing_is_wrong() -> None:
    """Right, wrong, right."""
    pictures = [found((HERE, 0.9), ((1, 0, 11, 10), 0.8), (THERE, 0.7))]
    assert average_precision(pictures, [truth(HERE, THERE)]) == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_a_box_takes_what_it_overlaps_most() -> None:
    """The first lies on both, more on the second one; the other is then free for the box on it."""
    pictures = [found(((4, 0, 14, 10), 0.9), (HERE, 0.8))]
    assert average_precision(pictures, [truth(HERE, (5, 0, 15, 10))], threshold=0.4) == 1


def test_stricter_thresholds_ask_for_tighter_boxes() -> None:
    """An IoU of 9/11 passes 0.5 ... 0.8, seven thresholds of ten."""
    pictures = [found(((0, 0, 10, 9), 0.9)), found(((1, 0, 11, 10), 0.9))]
    assert mean_average_precision(pictures[1:], [truth(HERE)]) == pytest.approx(0.7)
    assert mean_average_precision(pictures[:1], [truth(HERE)]) == pytest.approx(0.9)  # 0.9 passes 0.9 as well
