"""What was found so far on one camera: candidates of the frames that were looked at, and the trails through them."""

from collections.abc import Mapping, Sequence

from augment.segment.grounded.cut import cut_out
from augment.segment.grounded.look import Seen, look, look_until_found
from augment.segment.grounded.manipulated import manipulated
from augment.segment.grounded.memory import Masks
from augment.segment.grounded.networks import Networks
from augment.segment.grounded.prompts import Prompt
from augment.segment.grounded.trails import Trail, find_trails
from augment.types import Role
from robot_io.types import FrameSource

OBJECTS = 3  # things of one name, among which the manipulated one is chosen


class Finding:
    """Looks at frames, and remembers what it saw."""

    def __init__(
        self,
        frames: FrameSource,
        prompts: Sequence[Prompt],
        thresholds: Mapping[Role, float],
        robots: int,
        grasps: Sequence[int],
        networks: Networks,
    ) -> None:
        self.frames = frames
        self._prompts, self._thresholds, self._robots, self._grasps = prompts, thresholds, robots, grasps
        self.networks = networks
        self._seen: Seen = {prompt: {} for prompt in prompts}
        self.trails: dict[Prompt, list[Trail]] = {}
        """By phrase, the things that count."""

    def look(self, every: int) -> None:
        """At one frame in so many, and more for what they do not show."""
        detector, batch = self.networks.detector, self.networks.batch
        self._seen = look_until_found(
            self.frames, every, self._grasps, detector, self._prompts, self._thresholds, batch
        )
        self._choose(every)

    def look_again(self, indices: Sequence[int], every: int) -> bool:
        """At more frames; whether any of them shows something and had not been looked at."""
        more = [index for index in indices if any(index not in seen for seen in self._seen.values())]
        detector, batch = self.networks.detector, self.networks.batch
        seen = look(self.frames, more, detector, self._prompts, self._thresholds, batch)
        for prompt, found in seen.items():
            self._seen[prompt] = dict(sorted((self._seen[prompt] | found).items()))
        self._choose(every)
        return any(seen.values())

    def cut_out(self, only_seen: bool) -> list[Masks]:
        """Masks of each trail, in the order of `named`; `only_seen`: in frames where it was detected."""
        trails = [trail.detected if only_seen else trail for _, trail in self.named]
        return cut_out(self.frames, trails, self.networks.segmenter, self.networks.batch)

    @property
    def named(self) -> list[tuple[Prompt, Trail]]:
        return [(prompt, trail) for prompt, trails in self.trails.items() for trail in trails]

    def _choose(self, every: int) -> None:
        length = len(self.frames)
        for prompt, candidates in self._seen.items():
            if prompt.role == Role.OBJECT:
                trails = find_trails(candidates, OBJECTS, length, every)
                self.trails[prompt] = [manipulated(trails, self._grasps)] if trails else []
            else:
                most = self._robots if prompt.role == Role.ROBOT else 1
                self.trails[prompt] = find_trails(candidates, most, length, every)
