"""Phrases to captions and back."""

import numpy as np
import pytest

from augment.errors import RequestError
from augment.models.grounding_dino.phrases import PHRASES, TOKENS, Vocabulary, phrase_scores, prompts

UNKNOWN = 100


def letters(text: str) -> list[int]:
    """Each letter is a token; é is none that is known."""
    return [UNKNOWN if letter == "é" else ord(letter) + 1000 for letter in text.replace(" ", "")]


VOCABULARY = Vocabulary(letters, first=101, last=102, dot=1012, unknown=UNKNOWN)


def test_phrases_are_lower_case_and_end_in_dots() -> None:
    (prompt,) = prompts(["Robot  Arm", " red cube. "], VOCABULARY)
    assert prompt.caption == "robot arm . red cube ."
    assert prompt.tokens == (101, *letters("robotarm"), 1012, *letters("redcube"), 1012, 102)


def test_spans_hold_each_phrase_without_its_dot() -> None:
    phrases = ["gripper", "a", "blue table"]
    (prompt,) = prompts(phrases, VOCABULARY)
    assert [list(prompt.tokens[slice(*span)]) for span in prompt.spans] == [letters(phrase) for phrase in phrases]


def test_many_phrases_are_asked_in_several_calls_in_order() -> None:
    phrases = [letter * 3 for letter in "abcdefghijklmnopqrst"]
    asked = prompts(phrases, VOCABULARY)
    assert [len(prompt.spans) for prompt in asked] == [PHRASES, PHRASES, len(phrases) - 2 * PHRASES]
    assert " ".join(prompt.caption for prompt in asked) == " . ".join(phrases) + " ."


@pytest.mark.parametrize(("longer", "calls"), [(0, 1), (1, 2)])
def test_a_call_is_filled_up_to_its_last_token(longer: int, calls: int) -> None:
    asked = prompts(["a" * 100, "b" * (TOKENS - 4 - 100 + longer)], VOCABULARY)
    assert len(asked) == calls
    assert max(len(prompt.tokens) for prompt in asked) <= TOKENS
    assert longer or len(asked[0].tokens) == TOKENS


def test_the_longest_phrase_fits_and_one_more_token_does_not() -> None:
    (prompt,) = prompts(["a" * (TOKENS - 3)], VOCABULARY)
    assert len(prompt.tokens) == TOKENS
    with pytest.raises(RequestError, match=f"has {TOKENS - 2} tokens; at most {TOKENS - 3}"):
        prompts(["a" * (TOKENS - 2)], VOCABULARY)


@pytest.mark.parametrize(
    ("phrases", "message"),
    [
        ([], "name at least one thing"),
        (["cube", "  "], "is empty"),
        (["."], "is empty"),
        (["robot . cube"], "'robot . cube' has a '.'"),
        (["which cube?"], r"has a '\?'"),
        (["café"], "does not know all words of 'café'"),
    ],
)
def test_what_cannot_be_asked_is_refused(phrases: list[str], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        prompts(phrases, VOCABULARY)


def test_a_score_is_the_mean_over_the_phrase_alone() -> None:
    logits = np.full((1, 2, 8), -np.inf, dtype=np.float32)
    logits[0, 0, 1:4] = [0, np.log(3), 50]  # shares 0.5, 0.75, 1
    scores = phrase_scores(logits, [(1, 3), (3, 4), (4, 6)])
    np.testing.assert_allclose(scores[0], [[0.625, 1, 0], [0, 0, 0]], atol=1e-6)


def test_a_phrase_twice_as_long_scores_the_same() -> None:
    logits = np.full((1, 1, 8), -1.0, dtype=np.float32)
    short, long = phrase_scores(logits, [(1, 2), (2, 8)])[0, 0]
    np.testing.assert_allclose(short, long, rtol=1e-6)
