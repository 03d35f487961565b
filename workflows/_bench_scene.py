"""`restage bench name=scene`: masks and plates beside background subtraction, composition and all beside encoding.

Everything runs in one thread: ours, OpenCV, and the H.264 codec (libx264 as it comes, preset medium).
"""

from collections.abc import Callable, Iterator, Sequence
from cProfile import Profile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from pstats import Stats
from time import perf_counter
from typing import Any

import av
import numpy as np
from jaxtyping import UInt8

from augment.errors import RunError
from augment.layers import Layers
from augment.pipeline import Flow
from augment.pipeline.episode import RESTAGED, Source, prepare, restage
from augment.pipeline.stopwatch import Stopwatch
from robot_io import open_dataset
from robot_io.atomic import remove
from robot_io.memory import ArrayFrames
from robot_io.types import Clip, Episode
from workflows import _config
from workflows._bench_data import CAMERAS, make_recording, paint
from workflows._bench_io import WINDOW, Comparison, least_seconds, side_by_side
from workflows._rivals import opencv

MASKS_TARGET, COMPOSE_TARGET, WHOLE_TARGET = 4.0, 1.0, 3.0
LENGTHS = (50, 100, 200, 400)
SLOWEST = 12  # functions of the profile
FPS = 20


@dataclass(frozen=True, eq=False)
class Film:
    """A Source of one episode in memory, and the FrameWriter that collects what is made of it."""

    frames: UInt8[np.ndarray, "t h w 3"]
    restaged: list[UInt8[np.ndarray, "h w 3"]] = field(default_factory=list)

    @classmethod
    def painted(cls, length: int, height: int, width: int) -> "Film":
        return cls(np.stack(list(paint(0, length, height, width))))

    def open(self, episode_id: str) -> Episode:
        return Episode(episode_id, "film", len(self.frames), {CAMERAS[0]: ArrayFrames(CAMERAS[0], self.frames)}, {})

    def frame_writer(self, episode_id: str, camera: str, path: Path) -> "Film":
        self.restaged.clear()
        path.touch()
        return self

    def __enter__(self) -> "Film":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def write(self, clip: Clip) -> Clip:
        self.restaged.extend(clip.frames)
        return clip


@dataclass(frozen=True)
class Work:
    """One episode, restaged once, from the start every time."""

    flow: Flow
    folder: Path
    now: Callable[[], float] = perf_counter
    """The clock, in seconds."""

    def perceive(self, source: Source, episode: str = "film") -> dict[str, Layers]:
        """Survey, masks of every frame and clean plates, stored."""
        remove(self.folder)
        self.folder.mkdir()
        return prepare(self.flow.perception, source, episode, self.folder / "layers", Stopwatch())

    def restage(self, source: Source, episode: str = "film") -> Stopwatch:
        """All of it; where the time of what follows the layers went. Raises RunError unless all cameras are new."""
        layers, clock = self.perceive(source, episode), Stopwatch(self.now)
        plan = self.flow.plan(source.open(episode), 0, 0)
        for camera, result in restage(self.flow, source, layers, plan, self.folder, clock).items():
            if result.fate != RESTAGED:
                raise RunError(f"the bench's recording cannot be restaged: {camera} is {result.fate}")
        return clock


def measure(
    folder: Path,
    length: int = 100,
    lengths: Sequence[int] = LENGTHS,
    height: int = 480,
    width: int = 640,
    repetitions: int = 3,
) -> Iterator[str]:
    """Lines to print: ratios, seconds against length, a profile. Raises RequestError where OpenCV is not installed."""
    opencv().setNumThreads(1)
    flow = _config.build_flow(_config.load("augment", ["segment=motion", "recipe=texture"]))
    work, film = Work(flow, folder / "work"), Film.painted(length, height, width)
    yield f"{length} frames {height}x{width}, one thread, least of {repetitions} repetitions in turn."
    yield f"{'':45}{'ours s':>9}{'plain s':>9}{'ratio':>8}{'target':>8}"
    for comparison in _comparisons(work, film, folder, repetitions):
        yield str(comparison)
    for number in lengths:
        yield str(_video(work, Film.painted(number, height, width), folder, repetitions))
    yield ""
    yield "From survey to check, one variant, nothing decoded or encoded:"
    yield f"{'frames':>8}{'seconds':>10}{'a frame':>10}"
    for number in lengths:
        seconds = least_seconds(partial(work.restage, Film.painted(number, height, width)), 2)
        yield f"{number:8}{seconds:10.2f}{seconds / number:10.4f}"
    yield ""
    yield f"The same of {length} frames under the profiler:"
    yield from _profile(work, film)


def _comparisons(work: Work, film: Film, folder: Path, repetitions: int) -> Iterator[Comparison]:
    compare = partial(side_by_side, repetitions=repetitions)
    perceive, subtract = partial(work.perceive, film), partial(mog2, film.frames)
    yield compare("survey and masks / OpenCV MOG2", perceive, subtract, MASKS_TARGET)
    yield _composition(work, film, folder / "new.mp4", repetitions)
    make_recording(folder / "old.hdf5", *film.frames.shape[:3])
    dataset = open_dataset(folder / "old.hdf5")
    episode = dataset.entries[0].id
    hdf5 = partial(work.restage, dataset, episode), partial(recode, dataset, episode, folder / "new.frames")
    yield compare("whole / decode and encode, HDF5 with gzip", *hdf5, WHOLE_TARGET)


def _video(work: Work, film: Film, folder: Path, repetitions: int) -> Comparison:
    old, new = folder / "old.mp4", folder / "new.mp4"
    encode(old, film.frames)
    ways = partial(restage_video, work, old, new), partial(recode_video, old, new)
    what = f"whole / decode and encode, H.264, {len(film.frames)} frames"
    return side_by_side(what, *ways, WHOLE_TARGET, repetitions=repetitions)


def _composition(work: Work, film: Film, path: Path, repetitions: int) -> Comparison:
    composing, encoding = [], []
    for _ in range(repetitions):
        composing.append(work.restage(film).seconds["compose"])
        encoding.append(least_seconds(partial(encode, path, film.restaged)))
    return Comparison("compose / encode, H.264", min(composing), min(encoding), COMPOSE_TARGET)


def mog2(frames: UInt8[np.ndarray, "t h w 3"]) -> None:
    """OpenCV's mixture of Gaussians with shadow detection, once over all frames."""
    subtractor = opencv().createBackgroundSubtractorMOG2(history=len(frames), detectShadows=True)
    for frame in frames:
        subtractor.apply(frame)


def encode(path: Path, frames: Sequence[UInt8[np.ndarray, "h w 3"]] | UInt8[np.ndarray, "t h w 3"]) -> None:
    """To H.264, in one thread."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())


def decode(path: Path) -> UInt8[np.ndarray, "t h w 3"]:
    """A whole video, in one thread."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)])


def recode_video(old: Path, new: Path) -> None:
    encode(new, decode(old))


def restage_video(work: Work, old: Path, new: Path) -> None:
    film = Film(decode(old))
    work.restage(film)
    encode(new, film.restaged)


def recode(source: Source, episode: str, path: Path) -> None:
    """Decode and encode every frame of a dataset's episode."""
    for camera, frames in source.open(episode).cameras.items():
        remove(path)
        with source.frame_writer(episode, camera, path) as writer:
            for start in range(0, len(frames), WINDOW):
                writer.write(frames.read(start, start + WINDOW))


def _profile(work: Work, film: Film) -> Iterator[str]:
    """The functions that take longest by themselves."""
    profile = Profile()
    profile.runcall(work.restage, film)
    stats: Any = Stats(profile)
    yield f"{'own time of':45}{'seconds':>9}{'share':>8}{'calls':>9}"
    for place, (_, calls, own, _, _) in sorted(stats.stats.items(), key=lambda item: -item[1][2])[:SLOWEST]:
        path, _, name = place
        where = f"{Path(path).stem}.{name}" if path != "~" else name
        yield f"{where[:44]:45}{own:9.2f}{own / stats.total_tt:8.0%}{calls:9}"
