"""Cameras of one episode, prepared by a thread each."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Barrier, current_thread
from typing import Any

import numpy as np
import pytest

from augment.models.packs import Component, Pack
from augment.models.runtime import Runtime
from augment.pipeline import Perception
from augment.pipeline.cameras import at_once
from augment.pipeline.episode import prepare
from augment.pipeline.stopwatch import Stopwatch
from augment.scene import Survey
from augment.segment import Grounded
from robot_io import interruption, open_dataset
from robot_io.errors import EpisodeError
from robot_io.memory import ArrayFrames
from robot_io.tabletop.samples import samples_path
from robot_io.types import Episode, FrameWriter

CAMERAS, PATIENCE = ("front", "left", "side"), 60.0  # seconds
LENGTH = 4


def opened(*cameras: str) -> Episode:
    frames = np.zeros((2, 8, 8, 3), np.uint8)
    return Episode("e", "demo_0", 2, {camera: ArrayFrames(camera, frames) for camera in cameras}, {})


def test_all_are_in_hand_at_once_each_with_an_episode_of_its_own() -> None:
    together, episodes, clock = Barrier(3, timeout=PATIENCE), [], Stopwatch()

    def open_episode() -> Episode:
        episodes.append(opened(*CAMERAS))
        return episodes[-1]

    def work(camera: str, episode: Episode, own: Stopwatch) -> None:
        with own("survey"):
            together.wait()
        assert len(episode.cameras[camera].read(0, 2)) == 2
        own.seconds["layers"] = 2.0

    clock.seconds["layers"] = 1.0
    at_once(work, CAMERAS, open_episode, clock)
    assert len(episodes) == 3
    assert set(clock.seconds) == {"open", "survey", "layers"}
    assert clock.seconds["layers"] == 7.0


def test_the_first_error_by_name_is_raised_and_the_others_are_finished() -> None:
    done: list[str] = []
    side_failed = Barrier(2, timeout=PATIENCE)

    def work(camera: str, episode: Episode, own: Stopwatch) -> None:
        if camera != "left":
            side_failed.wait()
            raise EpisodeError(f"{camera} is broken")
        done.append(camera)

    with pytest.raises(EpisodeError, match="front is broken"):
        at_once(work, CAMERAS, lambda: opened(*CAMERAS), Stopwatch())
    assert done == ["left"]


@pytest.fixture
def heard() -> Iterator[None]:
    """SIGINT, even where tests were started in the background."""
    before = signal.signal(signal.SIGINT, interruption.interrupt)
    yield
    signal.signal(signal.SIGINT, before)
    interruption.forget()


@pytest.mark.usefixtures("heard")
def test_an_interruption_ends_all_threads() -> None:
    together, ended, deadline = Barrier(3, timeout=PATIENCE), [], time.monotonic() + PATIENCE

    def work(camera: str, episode: Episode, own: Stopwatch) -> None:
        together.wait()
        if camera == "side":
            os.kill(os.getpid(), signal.SIGINT)
        try:
            while time.monotonic() < deadline:
                episode.cameras[camera].read(0, 1)
                time.sleep(0.001)
        finally:
            ended.append(camera)

    with pytest.raises(KeyboardInterrupt):
        at_once(work, CAMERAS, lambda: opened(*CAMERAS), Stopwatch())
    while len(ended) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sorted(ended) == sorted(CAMERAS)


class TwoViews:
    """A Source of one short episode: the first sample's, from its own camera and mirrored."""

    def open(self, episode_id: str) -> Episode:
        dataset = open_dataset(samples_path())
        sample = dataset.open(dataset.entries[0].id)
        frames = sample.cameras["agentview_image"].read(0, LENGTH).frames
        views = {"mirrored": np.ascontiguousarray(frames[:, :, ::-1]), "plain": frames}
        cameras = {camera: ArrayFrames(camera, view, 12.5) for camera, view in views.items()}
        signals = {name: values[:LENGTH] for name, values in sample.signals.items()}
        return replace(sample, length=LENGTH, cameras=cameras, signals=signals, masks={})

    def frame_writer(self, episode_id: str, camera: str, path: Path) -> FrameWriter:
        raise NotImplementedError("layers alone")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Threads that masks were looked for in."""
    threads: list[str] = []
    find: Callable[..., Any] = Grounded.find

    def finding(*arguments: Any) -> Any:
        threads.append(current_thread().name)
        return find(*arguments)

    monkeypatch.setattr(Grounded, "find", finding)
    return threads


def test_layers_are_the_same_as_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: list[str]
) -> None:
    parts = {role: f"package:tabletop/{role}" for role in ("detector", "segmenter")}
    pack = Pack(
        "tabletop", None, Component("grounding_dino", parts["detector"]), Component("hq_sam", parts["segmenter"])
    )
    segment = Grounded(pack=pack, runtime=Runtime("cpu", "float32", batch=2))
    assert segment.shares_batches
    assert not replace(segment, runtime=Runtime("cpu")).shares_batches
    perception, made = Perception(Survey(), segment), {}
    for name in ("threads", "alone"):
        layers = prepare(perception, TwoViews(), "", tmp_path / name, Stopwatch())
        assert all(known.tracks for known in layers.values())
        made[name] = {
            str(path.relative_to(tmp_path / name)): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        monkeypatch.setattr(Grounded, "shares_batches", False)
    assert made["threads"] == made["alone"]
    assert len(made["alone"]) > 6
    assert len(set(counted[:2])) == 2
    assert len(set(counted[2:])) == 1
