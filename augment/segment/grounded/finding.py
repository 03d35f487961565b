"""What was found so far on one camera: candidates of the frames that were looked at, and the paths through them."""

from collections.abc import Mapping, Sequence

from augment.models.base import VideoTracker
from augment.models.doors import open_detector, open_segmenter, open_tracker
from augment.models.packs import Pack
from augment.models.runtime import Runtime
from augment.segment.grounded.cut import cut_out
from augment.segment.grounded.look import Seen, look, look_until_found
from augment.segment.grounded.manipulated import manipulated
from augment.segment.grounded.memory import Masks
from augment.segment.grounded.paths import Path, find_paths
from augment.segment.grounded.prompts import Prompt
from augment.types import Role
from robot_io.types import FrameSource

OBJECTS = 3  # things of one name, among which the manipulated one is chosen


class Finding:
    """Looks at frames with the networks of a pack, and remembers what it saw."""

    def __init__(
        self,
        frames: FrameSource,
        prompts: Sequence[Prompt],
        thresholds: Mapping[Role, float],
        robots: int,
        grasps: Sequence[int],
        pack: Pack,
        runtime: Runtime,
    ) -> None:
        self.frames = frames
        self._prompts, self._thresholds, self._robots, self._grasps = prompts, thresholds, robots, grasps
        self._pack, self._runtime = pack, runtime
        self._seen: Seen = {prompt: {} for prompt in prompts}
        self.paths: dict[Prompt, list[Path]] = {}
        """By phrase, the things that count."""

    def look(self, every: int) -> None:
        """At one frame in so many, and more for what they do not show."""
        detector = open_detector(self._pack.detector, self._runtime)
        self._seen = look_until_found(
            self.frames, every, self._grasps, detector, self._prompts, self._thresholds, self._runtime.batch
        )
        self._choose(every)

    def look_again(self, indices: Sequence[int], every: int) -> bool:
        """At more frames; whether there were any that had not been looked at."""
        known = set().union(*self._seen.values())
        more = [index for index in indices if index not in known]
        detector = open_detector(self._pack.detector, self._runtime)
        for prompt, found in look(
            self.frames, more, detector, self._prompts, self._thresholds, self._runtime.batch
        ).items():
            self._seen[prompt] = dict(sorted((self._seen[prompt] | found).items()))
        self._choose(every)
        return bool(more)

    def cut_out(self, only_seen: bool) -> list[Masks]:
        """Masks of each path, in the order of `named`; `only_seen`: in frames where it was detected."""
        paths = [path.detected if only_seen else path for _, path in self.named]
        return cut_out(self.frames, paths, open_segmenter(self._pack.segmenter, self._runtime), self._runtime.batch)

    @property
    def named(self) -> list[tuple[Prompt, Path]]:
        return [(prompt, path) for prompt, paths in self.paths.items() for path in paths]

    @property
    def tracker(self) -> VideoTracker:
        return open_tracker(self._pack.tracker, self._runtime)

    def _choose(self, every: int) -> None:
        length = len(self.frames)
        for prompt, candidates in self._seen.items():
            if prompt.role == Role.OBJECT:
                paths = find_paths(candidates, OBJECTS, length, every)
                self.paths[prompt] = [manipulated(paths, self._grasps)] if paths else []
            else:
                most = self._robots if prompt.role == Role.ROBOT else 1
                self.paths[prompt] = find_paths(candidates, most, length, every)
