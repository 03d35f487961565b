"""What the bench compares is the same work: the libraries called plainly answer as our doors do."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from augment.models.doors import open_detector, open_segmenter, open_tracker
from augment.models.gauge import Gauge
from augment.models.packs import Pack
from augment.models.rivals import PlainDetector, PlainSegmenter, PlainTracker
from augment.models.runtime import Runtime
from augment.models.untrained import write_untrained

CPU = Runtime(device="cpu", precision="float32", batch=2)
PHRASES = ("robot arm", "red cube")
BOXES = np.array([[10, 20, 90, 100], [60, 60, 150, 180], [0, 0, 192, 192]], np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("untrained")


@pytest.fixture(scope="module")
def pack(folder: Path) -> Pack:
    state = torch.random.get_rng_state()
    pack = write_untrained(folder, False, PHRASES)
    assert torch.equal(torch.random.get_rng_state(), state)
    return pack


def pictures(count: int, side: int) -> np.ndarray:
    """At the network's own size, where nobody has to resample."""
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def test_the_pack_is_whole_and_the_same_every_time(pack: Pack, tmp_path: Path) -> None:
    pack.check()
    again = write_untrained(tmp_path, False, PHRASES)
    assert {role: part.digest for role, part in again.components.items()} == {
        role: part.digest for role, part in pack.components.items()
    }


def test_boxes_are_ours(pack: Pack, folder: Path) -> None:
    some = pictures(2, 160)
    ours = open_detector(pack.components["detector"], CPU)(list(some), PHRASES)
    plain = PlainDetector(folder / "detector", CPU)
    for found, boxes in zip(ours, plain(some, PHRASES, 0.0), strict=True):
        np.testing.assert_allclose(found.boxes, np.clip(boxes, 0, 160), atol=0.05)
    assert [len(boxes) for boxes in plain(some, PHRASES, 1.0)] == [0, 0]


@pytest.mark.parametrize("again", [True, False])
def test_masks_are_ours(again: bool, pack: Pack, folder: Path) -> None:
    some = pictures(2, 192)
    segment = open_segmenter(pack.components["segmenter"], CPU)
    ours = np.stack([segment(embedded, BOXES).masks for embedded in segment.embed(list(some))])
    plain = PlainSegmenter(folder / "segmenter", CPU).cut_out(some, BOXES, again)
    assert 0.01 < ours.mean() < 0.99
    assert (ours != plain).mean() < 1e-3


def test_tracks_are_ours(pack: Pack, folder: Path) -> None:
    clip, mask = pictures(4, 192), np.zeros((192, 192), bool)
    mask[40:120, 60:130] = True
    tracker = open_tracker(pack.components["tracker"], CPU)
    ours = [each.masks[0] for each in tracker.propagate(lambda start, stop: clip[start:stop], 4, {0: {0: mask}})]
    plain = PlainTracker(folder / "tracker", CPU)(clip, mask[None])
    assert plain.shape == (4, 1, 192, 192)
    assert (np.stack(ours)[1:] != plain[1:, 0]).mean() < 1e-3
    assert 0.01 < plain[1:].mean() < 0.99


def test_the_gauge_counts_this_process_alone_in_one_thread() -> None:
    gauge, seen = Gauge(CPU), list[int]()
    threads = torch.get_num_threads()
    waiting = gauge.cost(lambda: time.sleep(0.2))
    working = gauge.cost(lambda: [seen.append(torch.get_num_threads()), sum(range(5_000_000))])
    assert waiting.seconds < 0.1
    assert working.seconds > waiting.seconds
    assert (seen, torch.get_num_threads(), working.megabytes) == ([1], threads, None)
    assert str(gauge) == "cpu, one thread, float32, processor time"
