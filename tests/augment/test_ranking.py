"""Which of several painted pictures is best."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from augment.generate.ranking import GROWN, Opinions, best_of, growth, ranked

KEEP = np.zeros((24, 32), np.bool_)
KEEP[:8] = True
PICTURES = [np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8) for seed in range(6)]
FLAT = np.full((24, 32, 3), 90, np.uint8)
distances = st.lists(st.floats(0, 5, width=32), min_size=6, max_size=6)


@given(distances)
def test_ranking_is_a_permutation_by_distance(far: list[float]) -> None:
    order = ranked(PICTURES, KEEP, Opinions(far))
    assert sorted(order) == list(range(6))
    assert [far[number] for number in order] == sorted(far)
    assert best_of(PICTURES, KEEP, Opinions(far)) is PICTURES[order[0]]


@given(distances, st.integers(0, 5), st.floats(0, 5, width=32))
def test_whoever_comes_nearer_is_ranked_no_lower(far: list[float], which: int, less: float) -> None:
    nearer = [max(0.0, value - less) if number == which else value for number, value in enumerate(far)]
    assert ranked(PICTURES, KEEP, Opinions(nearer)).index(which) <= ranked(PICTURES, KEEP, Opinions(far)).index(which)


@given(distances, st.integers(1, 6))
def test_the_best_of_some_keep_their_order_among_all(far: list[float], count: int) -> None:
    among_all = [number for number in ranked(PICTURES, KEEP, Opinions(far)) if number < count]
    assert among_all == ranked(PICTURES[:count], KEEP, Opinions(far[:count]))


def test_equals_stay_in_their_order() -> None:
    assert ranked([PICTURES[0]] * 4, KEEP, Opinions([1.0] * 4)) == [0, 1, 2, 3]
    assert ranked([PICTURES[0]] * 4, KEEP) == [0, 1, 2, 3]


def test_vetoes_come_before_distances_and_seams_after() -> None:
    assert ranked([FLAT, PICTURES[0]], KEEP, Opinions([0.0, 5.0])) == [1, 0]
    torn = PICTURES[0].copy()
    torn[:8] = 0
    torn[8:] //= 16
    torn[8:10] = 255
    assert ranked([torn, PICTURES[0]], KEEP) == ranked([torn, PICTURES[0]], KEEP, Opinions([1.0, 1.0])) == [1, 0]
    assert ranked([torn, PICTURES[0]], KEEP, Opinions([0.5, 1.0])) == [0, 1]


@given(distances, st.lists(st.floats(0, 0.5, width=32), min_size=6, max_size=6))
def test_what_grew_is_ruled_out_whatever_the_words_say(far: list[float], grown: list[float]) -> None:
    order = ranked(PICTURES, KEEP, Opinions(far, grown))
    fine = [number for number in order if grown[number] <= GROWN]
    assert order[: len(fine)] == fine
    assert [far[number] for number in fine] == sorted(far[number] for number in fine)
    assert [grown[number] for number in order[len(fine) :]] == sorted(value for value in grown if value > GROWN)


def test_growth_is_the_share_of_what_was_painted() -> None:
    found = np.zeros((200, 40), np.bool_)
    keep = found.copy()
    keep[:100] = True
    found[:103] = True
    assert growth(found, keep) == 0, "masks may be off by a little"
    found[147:] = True
    assert np.isclose(growth(found, keep), 53 / 97)
    assert growth(found, np.ones_like(keep)) == 0
