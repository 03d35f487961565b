"""What networks do for the steps, whichever implementation runs them.

Pictures come as uint8 RGB `(h, w, 3)`, boxes as left, top, right, bottom in pixels of the picture, and so they return;
tensors stay inside.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, UInt8


@dataclass(frozen=True, eq=False)
class Detections:
    """What a detector proposes for one picture: every box that it has, whatever its scores."""

    boxes: Float32[np.ndarray, "n 4"]
    """Left, top, right, bottom; pixels, within the picture."""
    scores: Float32[np.ndarray, "n phrases"]
    """How well each of the phrases fits, 0..1."""


@runtime_checkable
class Detector(Protocol):
    """Finds what phrases name."""

    def __call__(self, pictures: Sequence[UInt8[np.ndarray, "h w 3"]], phrases: Sequence[str]) -> list[Detections]:
        """Detections of each picture. Raises RequestError for phrases that the network cannot be asked."""
        ...


@dataclass(frozen=True, eq=False)
class BoxMasks:
    """One mask for each box that was asked for."""

    masks: Bool[np.ndarray, "n h w"]
    stability: Float32[np.ndarray, " n"]
    """IoU of the masks at logits above 1 and above -1, 0..1: how little a mask depends on where it is cut."""


@runtime_checkable
class PromptedSegmenter(Protocol):
    """Cuts out what a box or points show."""

    def embed(self, pictures: Sequence[UInt8[np.ndarray, "h w 3"]]) -> list[Any]:
        """What the network knows of each picture; the costly part, to be asked for once a picture."""
        ...

    def __call__(
        self,
        embedded: Any,
        boxes: Float32[np.ndarray, "n 4"],
        points: Float32[np.ndarray, "n p 2"] | None = None,
        positive: Bool[np.ndarray, "n p"] | None = None,
    ) -> BoxMasks:
        """Masks of one embedded picture, all boxes at once.

        `points`: x, y in pixels, for each box as many; `positive`: whether they are on the thing or beside it.
        """
        ...


@dataclass(frozen=True, eq=False)
class Tracked:
    """Where the tracks are in one frame."""

    frame: int
    """Its index, from 0."""
    masks: dict[int, Bool[np.ndarray, "h w"]]
    """By number of the track; nothing is set where the network believes that the thing is out of sight."""
    scores: dict[int, float]
    """0..1, of each mask: how sure the network is that the thing is in sight, times the mask's stability (as of
    BoxMasks); 1 for a mask that it was given."""


@runtime_checkable
class VideoTracker(Protocol):
    """Follows masks through a clip."""

    def propagate(
        self,
        read: Callable[[int, int], UInt8[np.ndarray, "t h w 3"]],
        length: int,
        prompts: Mapping[int, Mapping[int, Bool[np.ndarray, "h w"]]],
        reverse: bool = False,
    ) -> Iterator[Tracked]:
        """Every frame from the first prompt to the clip's end, in order; `reverse`: from the last prompt to frame 0.

        `read(start, stop)`: frames, asked for once and a few at a time; `length`: frames of the clip; `prompts`: masks
        to follow, by frame and number of the track. A track occurs from the first of its prompts that is met on the
        way; each further one corrects it from there. They are looked up as frames come: while it runs, the caller may
        add prompts of frames to come. A prompt's mask is returned as it was given. Tracks do not influence each other.

        Raises RequestError, at once, where there is no prompt or one of a frame that the clip does not have; while it
        runs, where masks and frames differ in size or a mask has no pixel.
        """
        ...


@runtime_checkable
class Matcher(Protocol):
    """Describes what pictures show such that what looks alike is described alike, from whatever side."""

    def describe(
        self,
        pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        masks: Sequence[Bool[np.ndarray, "_ _"]] | None = None,
    ) -> Float32[np.ndarray, "n c"]:
        """Unit vectors, one for each picture, whose products are cosines, -1..1: 1 for the same.

        `pictures`: crops, of any sizes; `masks`: of the same sizes, what of each crop counts; without them all of it.
        Raises RequestError for a mask without a pixel, or of another size.
        """
        ...

    def dense(self, picture: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "rows columns c"]:
        """Unit vectors of the patches of a grid over the picture, comparable to those of `describe`."""
        ...


@runtime_checkable
class Judge(Protocol):
    """Says how well pictures show what words say."""

    def distances(
        self,
        pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        words: str,
        masks: Sequence[Bool[np.ndarray, "_ _"]] | None = None,
    ) -> Float32[np.ndarray, " n"]:
        """How far each picture is from the words, 0 or more: less is better. A picture's does not depend on others.

        `masks`: of the same sizes, what of each picture counts; without them all of it.
        """
        ...
