"""Phrases as Grounding DINO is asked them, and how well each fits, from what it answers for every token."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from scipy.special import expit

from augment.errors import RequestError

TOKENS = 256  # that fit one caption, with those around it
PHRASES = 8  # in one caption; with more, the network mixes them up
ENDS = ".?"  # each ends a phrase, for the network's attention


@dataclass(frozen=True)
class Vocabulary:
    """What has to be known of a tokenizer."""

    tokens: Callable[[str], list[int]]
    """Of a text, with nothing around them."""
    first: int
    last: int
    dot: int
    unknown: int


@dataclass(frozen=True)
class Prompt:
    """What the network is asked in one call."""

    caption: str
    """Lower case, each phrase followed by " ."."""
    tokens: tuple[int, ...]
    """Of the caption, from the first to the last special one."""
    spans: tuple[tuple[int, int], ...]
    """Where each phrase starts and stops among the tokens, its dot not included."""


def prompts(phrases: Sequence[str], vocabulary: Vocabulary) -> list[Prompt]:
    """Ask for all phrases, in their order, in as few calls as they fit into.

    Case, spaces at the ends and a final dot do not matter. Raises RequestError where there is no phrase, one is empty,
    has a dot or a question mark inside, a word that the network has never seen, or is too long for a call of its own.
    """
    if not phrases:
        raise RequestError("no phrases to look for; name at least one thing")
    calls: list[list[tuple[str, list[int]]]] = []
    room = 0
    for phrase in phrases:
        text = _clean(phrase)
        tokens = _tokens(text, vocabulary)
        if len(tokens) >= room or len(calls[-1]) == PHRASES:
            calls.append([])
            room = TOKENS - 2
        calls[-1].append((text, tokens))
        room -= len(tokens) + 1
    return [_prompt(call, vocabulary) for call in calls]


def phrase_scores(
    logits: Float32[np.ndarray, "n q tokens"], spans: Sequence[tuple[int, int]]
) -> Float32[np.ndarray, "n q phrases"]:
    """How well each phrase fits each box, 0..1: the mean, over the phrase's tokens, of the sigmoid of their logits.

    This is what the authors threshold where phrases are given (their token spans, COCO evaluation), so that the usual
    0.25 to 0.35 mean what they mean there; a sum would favour long phrases. The maximum, which their demos take over a
    whole caption, is the same for a phrase of one token and more for a longer one: there a single word is enough, so
    that "red cube" and "blue cube" fit every cube alike.
    """
    return np.stack([expit(logits[..., start:stop]).mean(axis=-1) for start, stop in spans], axis=-1)


def _clean(phrase: str) -> str:
    text = " ".join(phrase.lower().split()).rstrip(" .")
    if not text:
        raise RequestError(f"the phrase {phrase!r} is empty; name the thing in words, as in 'red cube'")
    mark = next((mark for mark in ENDS if mark in text), None)
    if mark:
        raise RequestError(
            f"the phrase {phrase!r} has a {mark!r}, which would end it; leave it out, or give several phrases"
        )
    return text


def _tokens(text: str, vocabulary: Vocabulary) -> list[int]:
    tokens = vocabulary.tokens(text)
    if vocabulary.unknown in tokens:
        raise RequestError(f"the network does not know all words of {text!r}; describe the thing in other words")
    if len(tokens) > TOKENS - 3:
        raise RequestError(
            f"the phrase {text[:40]!r}... has {len(tokens)} tokens; at most {TOKENS - 3}; a few words do better"
        )
    return tokens


def _prompt(call: list[tuple[str, list[int]]], vocabulary: Vocabulary) -> Prompt:
    caption = " . ".join(text for text, _ in call) + " ."
    tokens, spans = [vocabulary.first], []
    for _, own in call:
        spans.append((len(tokens), len(tokens) + len(own)))
        tokens += [*own, vocabulary.dot]
    return Prompt(caption, (*tokens, vocabulary.last), tuple(spans))
