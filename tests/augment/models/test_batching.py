"""Threads that ask one network at once."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import numpy as np
import pytest

from augment.models.base import Detections, Detector, PromptedSegmenter
from augment.models.batching import Batches, SharedDetector, SharedSegmenter
from augment.models.doors import open_detector, open_segmenter
from augment.models.packs import Component
from augment.models.runtime import Runtime
from augment.models.untrained import write_untrained

SIZE, PATIENCE = 4, 60.0  # pictures; seconds
PHRASES = ("red cube", "robot arm")


def picture(value: int, height: int = 8, width: int = 8) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


@dataclass
class Written:
    """A Detector that says a picture's first value, writes down what it is asked, and waits for a gate."""

    asked: list[tuple[tuple[str, ...], list[int]]] = field(default_factory=list)
    gate: Event = field(default_factory=Event)
    begun: Event = field(default_factory=Event)

    def __call__(self, pictures: Sequence[np.ndarray], phrases: Sequence[str]) -> list[Detections]:
        values = [int(each[0, 0, 0]) for each in pictures]
        self.asked.append((tuple(phrases), values))
        self.begun.set()
        assert self.gate.wait(PATIENCE)
        if 13 in values:
            raise FloatingPointError("thirteen")
        return [Detections(np.zeros((1, 4), np.float32), np.full((1, 1), value, np.float32)) for value in values]


@pytest.fixture
def network() -> Written:
    return Written()


@pytest.fixture
def shared(network: Written) -> SharedDetector:
    return SharedDetector(network, Batches(SIZE))


@pytest.fixture
def threads(network: Written) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads
        network.gate.set()


def values(found: Sequence[Detections]) -> list[float]:
    return [float(each.scores[0, 0]) for each in found]


def while_it_is_busy(
    threads: ThreadPoolExecutor, shared: SharedDetector, *requests: tuple[Sequence[np.ndarray], Sequence[str]]
) -> list["Future[list[Detections]]"]:
    """Ask for a picture of 0; while the network looks at it, ask for the others in this order; then let it go on."""
    network: Any = shared.network
    ends = [threads.submit(shared, [picture(0)], ["first"])]
    assert network.begun.wait(PATIENCE)
    count = 0
    for pictures, phrases in requests:
        ends.append(threads.submit(shared, pictures, phrases))
        count += len(pictures)
        deadline = time.monotonic() + PATIENCE
        while len(shared.batches._waiting) < count and time.monotonic() < deadline:
            time.sleep(0.001)
    network.gate.set()
    return ends


def test_one_thread_gets_its_answers_in_order_from_batches_of_one_size(
    network: Written, shared: SharedDetector
) -> None:
    assert isinstance(shared, Detector)
    network.gate.set()
    assert values(shared([picture(number) for number in range(6)], ["cube"])) == list(range(6))
    assert network.asked == [(("cube",), [0, 1, 2, 3]), (("cube",), [4, 5, 5, 5])]
    assert shared([], ["cube"]) == []


def test_requests_that_wait_share_a_batch(
    network: Written, shared: SharedDetector, threads: ThreadPoolExecutor
) -> None:
    first, one, other = while_it_is_busy(
        threads, shared, ([picture(1), picture(2)], ["cube"]), ([picture(3)], ["cube"])
    )
    assert values(first.result(PATIENCE)) == [0]
    assert values(one.result(PATIENCE)) == [1, 2]
    assert values(other.result(PATIENCE)) == [3]
    (_, together) = network.asked
    assert together in [(("cube",), [1, 2, 3, 3]), (("cube",), [3, 1, 2, 2])]  # whoever of the two came first


def test_other_phrases_and_other_sizes_do_not_share(
    network: Written, shared: SharedDetector, threads: ThreadPoolExecutor
) -> None:
    ends = while_it_is_busy(
        threads,
        shared,
        ([picture(1)], ["cube"]),
        ([picture(2)], ["arm"]),
        ([picture(3, height=9)], ["cube"]),
        ([picture(4), picture(5, width=9)], ["plate"]),
    )
    assert [values(end.result(PATIENCE)) for end in ends] == [[0], [1], [2], [3], [4, 5]]
    assert sorted(network.asked[1:]) == [
        (("arm",), [2] * 4), (("cube",), [1] * 4), (("cube",), [3] * 4), (("plate",), [4] * 4), (("plate",), [5] * 4),
    ]  # fmt: skip


def test_an_error_reaches_all_who_shared_the_batch_and_no_one_else(
    network: Written, shared: SharedDetector, threads: ThreadPoolExecutor
) -> None:
    first, *both, apart = while_it_is_busy(
        threads, shared, ([picture(13)], ["cube"]), ([picture(2)], ["cube"]), ([picture(3)], ["arm"])
    )
    for end in both:
        with pytest.raises(FloatingPointError, match="thirteen"):
            end.result(PATIENCE)
    assert values(first.result(PATIENCE)) == [0]
    assert values(apart.result(PATIENCE)) == [3]
    assert values(shared([picture(4)], ["cube"])) == [4]
    assert not shared.batches._waiting


def test_answers_that_are_too_few_are_an_error_for_all(threads: ThreadPoolExecutor) -> None:
    shared = SharedDetector(lambda pictures, phrases: [], Batches(SIZE))
    for end in [threads.submit(shared, [picture(1)], ["cube"]) for _ in range(3)]:
        with pytest.raises(ValueError, match="shorter"):
            end.result(PATIENCE)


def test_who_leaves_takes_along_what_he_asked(network: Written, shared: SharedDetector) -> None:
    network.gate.set()
    with pytest.raises(FloatingPointError):
        shared([picture(number) for number in (13, 1, 2, 3, 4, 5)], ["cube"])
    assert values(shared([picture(7)], ["cube"])) == [7]
    assert [asked for _, asked in network.asked] == [[13, 1, 2, 3], [7] * 4]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> tuple[Component, Component]:
    parts = write_untrained(tmp_path_factory.mktemp("pack"), full=False, phrases=PHRASES).components
    return parts["detector"], parts["segmenter"]


def test_real_networks_say_the_same_whoever_else_asks(pack: tuple[Component, Component]) -> None:
    runtime = Runtime("cpu", "float32", batch=3)
    detect, segment = open_detector(pack[0], runtime), open_segmenter(pack[1], runtime)
    assert isinstance(SharedSegmenter(segment, Batches(3)), PromptedSegmenter)
    rng = np.random.default_rng(0)
    clips = [rng.integers(0, level, (count, 48, 64, 3), dtype=np.uint8) for level, count in ((256, 2), (60, 4), (9, 1))]
    box = np.array([[8, 8, 40, 40]], np.float32)

    def ask(clip: np.ndarray, detector: SharedDetector, segmenter: SharedSegmenter) -> list[np.ndarray]:
        found = detector(list(clip), PHRASES)
        known = segmenter.embed(list(clip))
        masks = [segmenter(each, box) for each in known]
        return [
            *(each.boxes for each in found),
            *(each.scores for each in found),
            *(each.embeddings.numpy() for each in known),
            *(each.masks for each in masks),
            *(each.stability for each in masks),
        ]

    alone = [ask(clip, *(SharedDetector(detect, Batches(3)), SharedSegmenter(segment, Batches(3)))) for clip in clips]
    both = SharedDetector(detect, Batches(3)), SharedSegmenter(segment, Batches(3))
    with ThreadPoolExecutor(3) as threads:
        ends = [[threads.submit(ask, clip, *both) for clip in clips] for _ in range(3)]
        for again in ends:
            for expected, end in zip(alone, again, strict=True):
                for one, other in zip(expected, end.result(PATIENCE), strict=True):
                    np.testing.assert_array_equal(one, other)
