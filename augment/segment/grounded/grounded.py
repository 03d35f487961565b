"""`segment=grounded`: what is asked, and how it becomes tracks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from augment.errors import RequestError, UnseenError
from augment.grasps import find_grasps
from augment.models.packs import Pack
from augment.models.runtime import Runtime
from augment.segment.base import Segmenter
from augment.segment.grounded.cutouts import hold
from augment.segment.grounded.finding import Finding
from augment.segment.grounded.networks import Networks
from augment.segment.grounded.prompts import Prompt, check_phrases, prompts_for
from augment.segment.grounded.reference import reference_files
from augment.segment.grounded.tracks import FOLLOW
from augment.segment.grounded.trails import Trail
from augment.segment.grounded.witness import Missed
from augment.segment.motion import Motion
from augment.types import Background, MaskTrack, Role
from robot_io.types import Episode

OUTLINE = 0.008  # of the height, that masks by words may miss of an outline
KEY_FRAMES = 15  # frames between two that are looked at, where the others are followed
ASKED = ("detector", "segmenter", "tracker", "matcher")  # of a pack's networks
AUTO, EVERY_FRAME, MEMORY, DIFFERENCE = "auto", *FOLLOW


@dataclass(frozen=True)
class Grounded(Segmenter):
    """A person names robot and object in words; nothing is known of a background."""

    robot: tuple[str, ...] = ("robot arm",)
    """Phrases for the robot; several where one is not enough ("robot arm", "gripper")."""
    robots: int = 1
    """Robots that each phrase names, at most; 2 for two arms."""
    things: tuple[str, ...] = ()
    """Phrases for what is manipulated. Where `goals` is empty too, the instruction tells both."""
    goals: tuple[str, ...] = ()
    """Phrases for what the task is about but does not move."""
    references: str | None = None
    """Folder of crops that show a thing once, where words fail: `<role>.png`, `<role>.<phrase>.png`."""
    likeness: float = 0.6
    """Least cosine to its features of a thing that is shown by a crop."""
    robot_score: float = 0.25
    """Least score of a box, 0..1."""
    thing_score: float = 0.2
    goal_score: float = 0.25
    follow: str = AUTO
    """`every frame` (each is looked at by itself), `memory` (key frames, and SAM 2 in between), `difference` (key
    frames, and what differs from the clean plate: no weights, a camera that stands still); `auto`: memory if the pack
    has a tracker, else every frame."""
    every: int = 0
    """One frame in so many is looked at, and those at which a gripper closes or opens; 0 for what suits `follow`."""
    witness: bool = True
    """Whether what moves before the clean plate mends outlines, and is kept where no object is named (a camera that
    stands still)."""
    pack: Pack = field(default_factory=lambda: Pack("none"))
    """The section `models`."""
    runtime: Runtime = field(default_factory=Runtime)

    @property
    def rounds(self) -> int:
        return Motion().rounds if self._follow == DIFFERENCE else 0

    @property
    def shares_batches(self) -> bool:
        return self.runtime.batch_size > 1

    def guess(self, episode: Episode, camera: str, background: Background) -> Sequence[MaskTrack]:
        return Motion().find(episode, camera, background)

    def find(self, episode: Episode, camera: str, background: Background) -> Sequence[MaskTrack]:
        """Raises UnseenError where no frame shows the robot, or the thing that an instruction or a person named."""
        frames, grasps = episode.cameras[camera], find_grasps(episode.signals)
        every = self.every or (1 if self._follow == EVERY_FRAME else KEY_FRAMES)
        finding = Finding(frames, self.prompts(episode), self._thresholds, self.robots, grasps, self.networks)
        finding.look(every)
        _refuse_unseen(finding.trails, len(frames))
        motion = Motion().find(episode, camera, background)[0]
        return FOLLOW[self._follow](finding, motion)

    def complete(
        self, episode: Episode, camera: str, background: Background, tracks: Sequence[MaskTrack]
    ) -> Sequence[MaskTrack]:
        """What moves along their outlines; where nobody named what is manipulated, all that moves."""
        if not self.witness:
            return []
        frames = episode.cameras[camera]
        motion = hold(Motion().find(episode, camera, background)[0], frames)
        tracks = [track for track in tracks if track.role != Role.GOAL]  # a drawer that moves is moved
        reach = max(1, round(OUTLINE * frames.height))
        if all(track.role != Role.OBJECT for track in tracks):
            return [Missed(motion, tracks, Role.OBJECT)]
        return [Missed(motion, tracks, role, reach) for role in (Role.ROBOT, Role.OBJECT)]

    def provides(self, episode: Episode, camera: str) -> frozenset[Role]:
        witnessed = {Role.OBJECT} if self.witness else set()
        return frozenset({prompt.role for prompt in self.prompts(episode)} | witnessed)

    def files(self, episode: Episode, camera: str) -> list[Path]:
        return [*super().files(episode, camera), *reference_files(self.references).values()]

    def identity(self) -> dict[str, Any]:
        """With the weights themselves instead of where they lie, and without what only decides how fast they run."""
        precision = str(self.runtime.place()[1])
        options = super().identity() | {"precision": precision, "threads": self.runtime.threads}
        options |= self.runtime.attending
        options["batch"] = self.runtime.batch_size  # by which networks round
        components = self.pack.components
        options["pack"] = {role: components[role].digest for role in ASKED if role in components}
        del options["runtime"]
        return options

    def check(self) -> None:
        """Raises RequestError where phrases are empty, values out of range, or weights not there."""
        super().check()
        check_phrases(robot=self.robot, things=self.things, goals=self.goals)
        if self.every < 0 or self.robots < 1:
            raise RequestError(f"segment.every={self.every}, segment.robots={self.robots}: at least 0 and 1")
        if not all(0 <= score <= 1 for score in (*self._thresholds.values(), self.likeness)):
            raise RequestError("segment.robot_score, thing_score, goal_score and likeness are between 0 and 1")
        if self.follow not in (AUTO, *FOLLOW):
            raise RequestError(f"unknown segment.follow={self.follow}; known: {', '.join((AUTO, *FOLLOW))}")
        if self.references is not None and not reference_files(self.references):
            raise RequestError(f"segment.references={self.references} has no <role>.png; crop a thing, save it there")
        self.networks.check(follows=self._follow == MEMORY)

    @property
    def _follow(self) -> str:
        return self.follow if self.follow != AUTO else MEMORY if self.pack.tracker else EVERY_FRAME

    @property
    def networks(self) -> Networks:
        return Networks(self.pack, self.runtime, reference_files(self.references), self.likeness)

    @property
    def _thresholds(self) -> Mapping[Role, float]:
        return {Role.ROBOT: self.robot_score, Role.OBJECT: self.thing_score, Role.GOAL: self.goal_score}

    def prompts(self, episode: Episode) -> tuple[Prompt, ...]:
        named = prompts_for(episode.language, self.robot, self.things, self.goals)
        return tuple(dict.fromkeys((*named, *reference_files(self.references))))


def _refuse_unseen(trails: Mapping[Prompt, Sequence[Trail]], length: int) -> None:
    """A robot without its mask would be painted over, and an object without one would be grasped out of thin air."""
    for role in (Role.ROBOT, Role.OBJECT):
        asked = [prompt for prompt in trails if prompt.role == role]
        if asked and not any(trails[prompt] for prompt in asked):
            phrases = ", ".join(repr(prompt.phrase) for prompt in asked)
            raise UnseenError(f"none of {length} frames shows the {role}, asked for as {phrases}; say it otherwise")
