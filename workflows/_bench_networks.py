"""`restage bench name=networks`: detector, segmenter and video memory beside their libraries called the obvious way.

Networks of the real classes with weights at random: they cost what trained ones do.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from augment.errors import RequestError
from augment.models.base import Detector, PromptedSegmenter, Tracked, VideoTracker
from augment.models.batching import Batches, SharedDetector
from augment.models.doors import open_detector, open_segmenter, open_tracker
from augment.models.runtime import Runtime
from workflows._bench_data import paint

SIZES = ("auto", "small", "full")
PHRASES = ("robot arm", "red cube")
NONE_PASSES = 1.0  # threshold: at random, hundreds of boxes would, each of which the library would name
WINDOW = 4  # frames embedded at once where boxes are counted

Pictures = UInt8[np.ndarray, "t h w 3"]


@dataclass(frozen=True)
class Amount:
    """How much is measured."""

    height: int = 480
    width: int = 640
    batches: Sequence[int] = (1, 4, 16)
    boxes: Sequence[int] = (1, 3, 8)
    tracks: Sequence[int] = (1, 3)
    cameras: int = 4
    """Threads that share batches, each with its part of the largest."""
    length: int = 24
    """Frames of the clip that is followed."""
    rounds: int = 3

    @property
    def pictures(self) -> Pictures:
        """As many as are needed at once."""
        return np.stack(list(paint(0, max(*self.batches, WINDOW, self.length), self.height, self.width)))

    def boxes_of(self, number: int) -> Float32[np.ndarray, "number 4"]:
        """Places in a picture, of a third of its sides."""
        size = np.array([self.width, self.height], np.float32)
        corners = np.random.default_rng(number).random((number, 2), np.float32) * size * 2 / 3
        return np.concatenate([corners, corners + size / 3], axis=1)

    def masks_of(self, number: int) -> Bool[np.ndarray, "number h w"]:
        """The same places as masks."""
        masks: Bool[np.ndarray, "number h w"] = np.zeros((number, self.height, self.width), dtype=np.bool_)
        for mask, (left, top, right, bottom) in zip(masks, self.boxes_of(number).astype(int), strict=True):
            mask[top:bottom, left:right] = True
        return masks


@dataclass(frozen=True)
class Pair:
    """The same work done by Restage and by the library alone."""

    what: str
    batch: int | None
    """Frames that we give to the network at once; None where they go one by one."""
    frames: int
    ours: Callable[[], object]
    plain: Callable[[], object]

    def line(self, gauge: Any, rounds: int) -> str:
        """Measure both, `rounds` times in turn, after a call of each to warm up."""
        costs = [(gauge.cost(self.ours), gauge.cost(self.plain)) for _ in range(rounds + 1)][1:]
        ours, plain = (median(cost.seconds for cost in side) / self.frames for side in zip(*costs, strict=True))
        memory = [max(cost.megabytes for cost in side) for side in zip(*costs, strict=True)] if gauge.on_gpu else []
        return (
            f"{self.what:50}{self.batch or '':>6}{1 / ours:10.1f}{1e3 * ours:10.1f}{1e3 * plain:10.1f}"
            f"{ours / plain:8.2f}" + "".join(f"{megabytes:10.0f}" for megabytes in memory)
        )


def measure(folder: Path, size: str, runtime: Runtime, amount: Amount = Amount()) -> Iterator[str]:
    """Lines to print. `size`: one of SIZES; `auto` is full on a GPU. The runtime's batch does not count.

    Raises RequestError for another size, and where packages or the device are missing.
    """
    if size not in SIZES:
        raise RequestError(f"unknown size={size}; known: {', '.join(SIZES)}")
    runtime = replace(runtime, batch=max(*amount.batches, WINDOW))
    runtime.check()
    try:
        from augment.models.gauge import Gauge
        from augment.models.rivals import PlainDetector, PlainSegmenter, PlainTracker
        from augment.models.untrained import write_untrained
    except ImportError as error:
        raise RequestError(f"networks need more packages ({error}); pip install 'restage[models]'") from error
    gauge = Gauge(runtime)
    full = size == "full" or (size == "auto" and gauge.on_gpu)
    pack = write_untrained(folder, full, PHRASES)
    yield f"size={'full' if full else 'small'}, {gauge}; frames of {amount.height}x{amount.width}"
    yield f"Median of {amount.rounds} rounds in turn; ms a frame{', peak MB beyond the weights' * gauge.on_gpu}."
    yield "Plain is the library as its documentation calls it: detector and segmenter in float32, a frame at a time."
    heads = ("frames/s", "ours ms", "plain ms"), ("ours MB", "plain MB") if gauge.on_gpu else ()
    yield f"{'':50}{'batch':>6}{''.join(f'{head:>10}' for head in heads[0])}{'ratio':>8}" + "".join(
        f"{head:>10}" for head in heads[1]
    )
    pictures, parts = amount.pictures, pack.components
    places = [folder / name for name in ("detector", "segmenter", "tracker")]
    for pair in chain(
        _detecting(open_detector(parts["detector"], runtime), PlainDetector(places[0], runtime), pictures, amount),
        _sharing(open_detector(parts["detector"], runtime), pictures, amount),
        _cutting(open_segmenter(parts["segmenter"], runtime), PlainSegmenter(places[1], runtime), pictures, amount),
        _following(open_tracker(parts["tracker"], runtime), PlainTracker(places[2], runtime), pictures, amount),
    ):
        yield pair.line(gauge, amount.rounds)


def cut_out(segment: PromptedSegmenter, pictures: Pictures, boxes: Float32[np.ndarray, "n 4"]) -> None:
    """Masks of the same boxes in all pictures, as `segment=grounded` makes them."""
    for embedded in segment.embed(list(pictures)):
        segment(embedded, boxes)


def follow(tracker: VideoTracker, clip: Pictures, masks: Bool[np.ndarray, "n h w"]) -> list[Tracked]:
    """Through a clip, from masks in its first frame."""
    return list(tracker.propagate(lambda start, stop: clip[start:stop], len(clip), {0: dict(enumerate(masks))}))


def _detecting(detect: Detector, plain: Any, pictures: Pictures, amount: Amount) -> Iterator[Pair]:
    for batch in amount.batches:
        some = pictures[:batch]
        ours, theirs = partial(detect, list(some), PHRASES), partial(plain, some, PHRASES, NONE_PASSES)
        yield Pair("detect / processor and model", batch, batch, ours, theirs)


def _sharing(detect: Detector, pictures: Pictures, amount: Amount) -> Iterator[Pair]:
    """A few frames of each of some cameras, as when key frames alone are looked at."""
    batch = max(amount.batches)
    few = [list(pictures[:: amount.cameras][: max(1, batch // amount.cameras)])] * amount.cameras
    shared = SharedDetector(detect, Batches(batch))
    frames = sum(map(len, few))
    what = f"detect for {amount.cameras} cameras / one after another"
    yield Pair(what, batch, frames, partial(_in_threads, shared, few), partial(_one_by_one, shared, few))


def _in_threads(detect: Detector, cameras: Sequence[Sequence[Any]]) -> None:
    with ThreadPoolExecutor(len(cameras)) as threads:
        for end in [threads.submit(detect, camera, PHRASES) for camera in cameras]:
            end.result()


def _one_by_one(detect: Detector, cameras: Sequence[Sequence[Any]]) -> None:
    for camera in cameras:
        detect(camera, PHRASES)


def _cutting(segment: PromptedSegmenter, plain: Any, pictures: Pictures, amount: Amount) -> Iterator[Pair]:
    for batch in amount.batches:
        some = pictures[:batch]
        yield Pair("embed / set_image", batch, batch, partial(segment.embed, list(some)), partial(plain.embed, some))
    embedded = segment.embed([pictures[0]])[0]
    plain.embed(pictures[:1])
    for number in amount.boxes:
        boxes = amount.boxes_of(number)
        what = f"cut out {number} of an embedded frame / predict for each"
        yield Pair(what, None, 1, partial(segment, embedded, boxes), partial(plain.predict, boxes))
    some = pictures[:WINDOW]
    for number in amount.boxes:
        boxes = amount.boxes_of(number)
        for when, again in (("once", False), ("for each", True)):
            theirs = partial(plain.cut_out, some, boxes, again)
            what = f"embed and cut out {number} / set_image {when}"
            yield Pair(what, WINDOW, WINDOW, partial(cut_out, segment, some, boxes), theirs)


def _following(tracker: VideoTracker, plain: Any, pictures: Pictures, amount: Amount) -> Iterator[Pair]:
    clip = pictures[: amount.length]
    for number in amount.tracks:
        masks = amount.masks_of(number)
        ours, theirs = partial(follow, tracker, clip, masks), partial(plain, clip, masks)
        yield Pair(f"follow {number} / a session of the whole clip", None, len(clip), ours, theirs)
