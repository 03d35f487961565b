"""Measures of composition against scenes that are drawn by hand."""

import numpy as np
import pytest

from augment.evaluation.composition import edge_error, extent, support_edge

HEIGHT, WIDTH = 80, 100


def scene(edge: int, slope: float = 0.1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A wall over a table that begins in row `edge`, and a post; where the table is seen, and where the post is."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    table = rows >= edge + slope * columns
    picture = np.where(table[..., None], (150, 110, 70), (170, 180, 190)).astype(np.uint8)
    post = (columns >= 40) & (columns < 55) & (rows >= 10) & (rows < 70)
    picture[post] = (20, 20, 20)
    return picture, table & ~post, post


def test_extents_are_shares_of_what_was_given() -> None:
    given = np.zeros((10, 10), bool)
    given[:5, :4] = True
    found = np.zeros((10, 10), bool)
    found[1:5, :6] = True
    measured = extent(found, given)
    assert (measured.expansion, measured.loss) == (8 / 20, 4 / 20)
    assert measured.ratio == pytest.approx(24 / 20)
    assert extent(given, given).ratio == 1


def test_the_edge_of_the_support_is_known_where_nothing_hides_it() -> None:
    _, table, post = scene(30)
    edge = support_edge(table, post)
    assert np.isnan(edge[40:55]).all()
    assert np.array_equal(edge[:38], np.ceil(30 + 0.1 * np.arange(38)))


@pytest.mark.parametrize("shift", [-8, -1, 0, 3, 15])
def test_an_edge_elsewhere_is_as_far_off_as_it_is(shift: int) -> None:
    _, table, post = scene(30)
    picture, _, _ = scene(30 + shift)
    assert edge_error(picture, support_edge(table, post), post) == pytest.approx(abs(shift) / HEIGHT, abs=1 / HEIGHT)


def test_an_edge_that_is_hardly_seen_says_nothing() -> None:
    picture, table, post = scene(30)
    hidden = np.ones_like(post)
    hidden[:, :5] = False
    assert np.isnan(edge_error(picture, support_edge(table & ~hidden, hidden), hidden))
