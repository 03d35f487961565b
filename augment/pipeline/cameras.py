"""The cameras of one episode at once, a thread each."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from threading import Event

from augment.pipeline.stopwatch import Stopwatch
from robot_io.interruption import heed
from robot_io.types import Clip, Episode, FrameSource

POLL_SECONDS = 1.0


def at_once(
    work: Callable[[str, Episode, Stopwatch], None],
    cameras: Sequence[str],
    open_episode: Callable[[], Episode],
    clock: Stopwatch,
) -> None:
    """Carry out `work` for each camera. Raises what it raises for the first camera that fails, once all have ended.

    Each thread opens the episode for itself, since cameras may share a file. Seconds of all threads are added up. An
    interruption ends the threads at the next frames that they read.
    """
    interrupted = Event()

    def prepare(camera: str, own: Stopwatch) -> None:
        with own("open"):
            episode = open_episode()
        frames = {name: _Interruptible(source, interrupted) for name, source in episode.cameras.items()}
        work(camera, replace(episode, cameras=frames), own)

    clocks = [Stopwatch() for _ in cameras]
    with ThreadPoolExecutor(len(cameras)) as threads:
        try:
            ends = [threads.submit(prepare, *each) for each in zip(cameras, clocks, strict=True)]
            while wait(ends, timeout=POLL_SECONDS).not_done:
                heed()
        except BaseException:
            interrupted.set()
            raise
    for own in clocks:
        clock.add(own)
    for end in ends:
        end.result()


@dataclass(frozen=True, eq=False)
class _Interruptible:
    """A FrameSource that gives no more frames after an interruption: signals reach the main thread alone."""

    source: FrameSource
    interrupted: Event

    @property
    def camera(self) -> str:
        return self.source.camera

    @property
    def height(self) -> int:
        return self.source.height

    @property
    def width(self) -> int:
        return self.source.width

    def __len__(self) -> int:
        return len(self.source)

    def read(self, start: int, stop: int) -> Clip:
        if self.interrupted.is_set():
            raise KeyboardInterrupt
        return self.source.read(start, stop)
