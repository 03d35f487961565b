"""Named in words, found by GroundingDINO, cut out by HQ-SAM, followed through time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from augment.errors import RequestError, UnseenError
from augment.grasps import find_grasps
from augment.models.base import PromptedSegmenter
from augment.models.doors import open_detector, open_segmenter
from augment.models.packs import Component, Pack
from augment.models.runtime import Runtime
from augment.segment.base import Segmenter
from augment.segment.grounded.cut import cut_out
from augment.segment.grounded.cutouts import Cutout, CutoutTrack
from augment.segment.grounded.look import Seen, look_until_found
from augment.segment.grounded.manipulated import manipulated
from augment.segment.grounded.paths import Path, find_paths
from augment.segment.grounded.prompts import Prompt, check_phrases, prompts_for
from augment.segment.grounded.witness import Unnamed
from augment.segment.motion import Motion
from augment.types import Background, MaskTrack, Role
from robot_io.types import Episode

OBJECTS = 3  # things of one name, among which the manipulated one is chosen
WITNESS_REACH = 0.02  # of the height


@dataclass(frozen=True)
class Grounded(Segmenter):
    """`segment=grounded`: a person names robot and object in words; nothing has to stand still."""

    robot: tuple[str, ...] = ("robot arm",)
    """Phrases for the robot; several where one is not enough ("robot arm", "gripper")."""
    robots: int = 1
    """Robots that each phrase names, at most; 2 for two arms."""
    things: tuple[str, ...] = ()
    """Phrases for what is manipulated; with `goals`, those of the instruction where both are empty."""
    goals: tuple[str, ...] = ()
    """Phrases for what the task is about but does not move."""
    robot_score: float = 0.25
    """Least score of a box, 0..1."""
    thing_score: float = 0.2
    goal_score: float = 0.25
    every: int = 1
    """One frame in so many is looked at, besides those at which a gripper closes or opens."""
    witness: bool = True
    """Whether what moves before the clean plate and was not named is kept too (a camera that stands still)."""
    pack: Pack = field(default_factory=lambda: Pack("none"))
    """The section `models`."""
    runtime: Runtime = field(default_factory=Runtime)

    def find(self, episode: Episode, camera: str, background: Background) -> Sequence[MaskTrack]:
        """Raises UnseenError where no frame shows the robot, or the thing that an instruction or a person named."""
        frames, grasps = episode.cameras[camera], find_grasps(episode.signals)
        prompts = self._prompts(episode)
        detector, segmenter = open_detector(_part(self.pack.detector), self.runtime), self._segmenter
        batch = self.runtime.batch
        seen = look_until_found(frames, self.every, grasps, detector, prompts, self._thresholds, batch)
        chosen = self._choose(seen, grasps, len(frames))
        _refuse_unseen(chosen, len(frames))
        named = [(prompt, path) for prompt, paths in chosen.items() for path in paths]
        cut = cut_out(frames, [path for _, path in named], segmenter, batch)
        shape = (len(frames), frames.height, frames.width)
        return [_track(prompt, path, masks, shape) for (prompt, path), masks in zip(named, cut, strict=True)]

    def complete(
        self, episode: Episode, camera: str, background: Background, tracks: Sequence[MaskTrack]
    ) -> Sequence[MaskTrack]:
        """What moves and nobody named."""
        if not self.witness:
            return []
        motion = Motion().find(episode, camera, background)[0]
        height = episode.cameras[camera].height
        return [Unnamed(motion, tracks, Motion().smallest, max(1, round(WITNESS_REACH * height)))]

    def provides(self, episode: Episode, camera: str) -> frozenset[Role]:
        return frozenset(prompt.role for prompt in self._prompts(episode))

    def check(self) -> None:
        """Raises RequestError where phrases are empty, numbers out of range, or weights not there."""
        super().check()
        check_phrases(robot=self.robot, things=self.things, goals=self.goals)
        if self.every < 1 or self.robots < 1:
            raise RequestError(f"segment.every={self.every}, segment.robots={self.robots}: at least 1 each")
        for component in (self.pack.detector, self.pack.segmenter):
            _part(component)
        self.pack.check()
        self.runtime.check()

    def _prompts(self, episode: Episode) -> tuple[Prompt, ...]:
        return prompts_for(episode.language, self.robot, self.things, self.goals)

    @property
    def _thresholds(self) -> Mapping[Role, float]:
        return {Role.ROBOT: self.robot_score, Role.OBJECT: self.thing_score, Role.GOAL: self.goal_score}

    @property
    def _segmenter(self) -> PromptedSegmenter:
        return open_segmenter(_part(self.pack.segmenter), self.runtime)

    def _choose(self, seen: Seen, grasps: Sequence[int], length: int) -> dict[Prompt, list[Path]]:
        """The paths that count, for each phrase."""
        chosen = {}
        for prompt, candidates in seen.items():
            if prompt.role == Role.OBJECT:
                paths = find_paths(candidates, OBJECTS, length)
                chosen[prompt] = [manipulated(paths, grasps)] if paths else []
            else:
                chosen[prompt] = find_paths(candidates, self.robots if prompt.role == Role.ROBOT else 1, length)
        return chosen


def _refuse_unseen(chosen: Mapping[Prompt, Sequence[Path]], length: int) -> None:
    """A robot without its mask would be painted over, and an object without one would be grasped out of thin air."""
    for role in (Role.ROBOT, Role.OBJECT):
        asked = [prompt for prompt in chosen if prompt.role == role]
        if asked and not any(chosen[prompt] for prompt in asked):
            phrases = ", ".join(repr(prompt.phrase) for prompt in asked)
            raise UnseenError(f"none of {length} frames shows the {role}, asked for as {phrases}; say it otherwise")


def _track(
    prompt: Prompt, path: Path, masks: Mapping[int, tuple[Cutout, float]], shape: tuple[int, int, int]
) -> CutoutTrack:
    cutouts = {index: [cutout] for index, (cutout, _) in masks.items()}
    stability = float(np.median([stability for _, stability in masks.values()]))
    seen = float(np.mean(list(path.scores.values())))
    return CutoutTrack(prompt.role, prompt.phrase, shape, cutouts, round(stability * min(1.0, seen), 3))


def _part(component: Component | None) -> Component:
    if component is None:
        raise RequestError("segment=grounded needs a detector and a segmenter; choose a pack with both: models=NAME")
    return component
