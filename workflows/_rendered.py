"""The rendered world that `restage evaluate` measures on: its cases, its episodes, and what a person would paint."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from jaxtyping import Bool
from PIL import Image

from augment.errors import RequestError
from augment.images import unwarp, warp
from augment.layers import Layers
from augment.pipeline import Perception
from augment.pipeline.episode import prepare
from augment.pipeline.stopwatch import Stopwatch
from augment.scene import Survey
from augment.types import MaskTrack, Role, Stability
from robot_io.tabletop.spec import Conditions, TabletopSpec
from robot_io.types import Episode, FrameSource, FrameWriter, Truth
from workflows._painting import frame_to_paint

CAMERA = "agentview_image"
NOISE = 2.0
MOVABLE = (Role.ROBOT, Role.OBJECT)
CASES: Mapping[str, Conditions] = {
    "steady": Conditions(noise=NOISE),
    "sway 0.5 px": Conditions(noise=NOISE, sway=0.5),
    "sway 2 px": Conditions(noise=NOISE, sway=2.0),
    "sway 6 px": Conditions(noise=NOISE, sway=6.0),
    "drift": Conditions(noise=NOISE, drift=0.15),
    "still arm": Conditions(noise=NOISE, rest=25),
    "late object": Conditions(noise=NOISE, rest=10, arrival=8),
    "all": Conditions(noise=NOISE, sway=2.0, drift=0.15, rest=10, arrival=8),
}

Render = Callable[[TabletopSpec, int], tuple[Episode, dict[str, Truth]]]


@dataclass(frozen=True)
class World:
    """What is rendered for each case."""

    render: Render
    per_case: int
    size: int
    """Height and width, pixels."""
    seed: int
    cases: Mapping[str, Conditions]

    def episodes(self, case: str) -> Iterator[tuple[Episode, Truth]]:
        """The static camera alone, with the masks of what moves and the truth. Raises RequestError."""
        try:
            spec = TabletopSpec(self.per_case, self.size, self.seed, self.cases[case])
        except ValueError as error:
            raise RequestError(f"evaluate: {error}") from error
        for index in range(self.per_case):
            episode, truth = self.render(spec, index)
            movable = tuple(track for track in episode.masks[CAMERA] if track.role in MOVABLE)
            cameras = {CAMERA: episode.cameras[CAMERA]}
            yield replace(episode, cameras=cameras, masks={CAMERA: movable}), truth[CAMERA]


def world(per_case: int, size: int, seed: int, cases: Mapping[str, Conditions] = CASES) -> World:
    """Raises RequestError where the extra `sim` is not installed."""
    try:
        from robot_io.tabletop.episodes import render_episode
    except ImportError as error:
        raise RequestError(f"restage evaluate renders its truth: {error}") from error
    return World(render_episode, per_case, size, seed, cases)


@dataclass(frozen=True)
class InMemory:
    """A Source of one episode."""

    episode: Episode

    def open(self, episode_id: str) -> Episode:
        return self.episode

    def frame_writer(self, episode_id: str, camera: str, path: Path) -> FrameWriter:
        raise RequestError("an episode that is evaluated is not written anywhere")


@contextmanager
def layers_of(episode: Episode, perception: Perception, still: Bool[np.ndarray, "h w"] | None) -> Iterator[Layers]:
    """Layers of an episode's one camera, with masks though it moves; gone when the context ends.

    `still`: painted as parts of the robot.
    """
    perception = replace(perception, moving=True)
    with TemporaryDirectory(prefix="restage-evaluate-") as folder:
        if still is not None and still.any():
            painted = Path(folder) / "painted"
            painted.mkdir()
            Image.fromarray(still).save(painted / f"{CAMERA}.robot.png")
            perception = replace(perception, segment=replace(perception.segment, keep_always=str(painted)))
        (layers,) = prepare(perception, InMemory(episode), episode.id, Path(folder) / "layers", Stopwatch()).values()
        yield layers


def tracks_of(layers: Layers, perception: Perception) -> Sequence[MaskTrack] | None:
    """What there is to judge: the stored tracks, or None where these come from motion and the camera moves."""
    return None if layers.stability == Stability.MOVING and perception.segment.rounds else layers.tracks


def painting(frames: FrameSource, robot: Bool[np.ndarray, "t h w"]) -> Bool[np.ndarray, "h w"]:
    """What a person paints on the picture that `restage preview` gives to paint on: of the robot, what never moves.

    `robot`: where it is. Returns what it covers in that frame and, with the sway taken out, in every other one.
    """
    warps = Survey()(frames)[0].warps
    index = frame_to_paint(frames, warps)
    always = np.logical_and.reduce([warp(mask, unwarp(by)) for mask, by in zip(robot, warps, strict=True)])
    return np.asarray(robot[index] & warp(always, warps[index]))
