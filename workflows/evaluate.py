"""`restage evaluate`: masks, plates and restaged frames against the truth of a rendered world, beside other methods."""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from augment.compose import Composite, Light
from augment.errors import RequestError
from augment.evaluation.judge import Attempt, judge
from augment.images import unwarp, warp
from augment.pipeline import Perception
from augment.pipeline.episode import prepare
from augment.pipeline.stopwatch import Stopwatch
from augment.scene import Survey
from augment.segment import Motion, Recorded, Segmenter
from augment.types import Backdrop, Role
from robot_io.tabletop.spec import Conditions, TabletopSpec
from robot_io.types import Episode, FrameSource, FrameWriter, Truth
from workflows import _config
from workflows._painting import frame_to_paint
from workflows._rivals import RIVALS

CAMERA = "agentview_image"
NOISE = 2.0
KEEP = (Role.ROBOT, Role.OBJECT)
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
WIDTH = 14


@dataclass(frozen=True)
class Rendered:
    """A Source of one episode with the static camera alone."""

    episode: Episode

    def open(self, episode_id: str) -> Episode:
        return self.episode

    def frame_writer(self, episode_id: str, camera: str, path: Path) -> FrameWriter:
        raise RequestError("a rendered episode that is evaluated is not written anywhere")


def main(config: Any) -> int:
    """Returns 0. Raises RequestError where a value is out of range or an extra is not installed."""
    try:
        from robot_io.tabletop.episodes import render_episode
    except ImportError as error:
        raise RequestError(f"restage evaluate renders its truth: {error}") from error
    episodes, size, seed = (_config.whole_number(config, name) for name in ("per_case", "size", "seed"))
    for line in table(render_episode, episodes, size, seed):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    return 0


def table(
    render: Callable[[TabletopSpec, int], tuple[Episode, dict[str, Truth]]],
    episodes: int,
    size: int,
    seed: int,
    cases: Mapping[str, Conditions] = CASES,
) -> Iterator[str]:
    """Lines: a heading, then for every case and method the means over `episodes`. Raises RequestError."""
    heading: list[str] = []
    for name, conditions in cases.items():
        figures: dict[str, list[Mapping[str, float]]] = {}
        for index in range(episodes):
            try:
                spec = TabletopSpec(episodes, size, seed, conditions)
            except ValueError as error:
                raise RequestError(f"evaluate: {error}") from error
            episode, truth = render(spec, index)
            for method, made in attempts(episode, truth[CAMERA]):
                figures.setdefault(method, []).append(made)
        if not heading:
            heading = list(next(iter(figures.values()))[0])
            yield f"{'':32}" + "".join(f"{column.replace('recall', 'rec.'):>{WIDTH}}" for column in heading)
        for method, rows in figures.items():
            means = [float(np.mean([row[column] for row in rows])) for column in heading]
            yield f"{name + ', ' + method:32}" + "".join(f"{mean:>{WIDTH}.3g}" for mean in means)


def attempts(episode: Episode, truth: Truth) -> Iterator[tuple[str, Mapping[str, float]]]:
    """Name of a method -> its figures. What never moves is painted for all of them, as a user would."""
    frames = episode.cameras[CAMERA].read(0, episode.length).frames
    still = painting(episode.cameras[CAMERA], truth.masks[Role.ROBOT])
    alone = replace(episode, cameras={CAMERA: episode.cameras[CAMERA]}, masks={CAMERA: _movable(episode)})
    unpainted = np.zeros_like(still)
    yield "motion", judge(frames, truth, _ours(alone, truth, Motion, still))
    yield "motion, unpainted", judge(frames, truth, _ours(alone, truth, Motion, unpainted))
    yield "true masks", judge(frames, truth, _ours(alone, truth, Recorded, unpainted))
    for name, subtract in RIVALS.items():
        masks, plate = subtract(frames)
        length = len(frames)
        backdrop = Backdrop(
            np.ascontiguousarray(plate),
            np.zeros_like(still),
            truth.new_plate[0],
            np.zeros((length, 8), np.float32),
            np.ones((length, 3), np.float32),
        )
        yield name, judge(frames, truth, _attempt(episode, masks | still, backdrop))


def painting(frames: FrameSource, robot: np.ndarray) -> np.ndarray:
    """What a person paints on the picture that `restage preview` gives to paint on: of the robot, what never moves.

    `robot`: bool `(t, h, w)`, where it is. Returns bool `(h, w)`: what it covers in that frame and, with the sway taken
    out, in every other one.
    """
    warps = Survey()(frames)[0].warps
    index = frame_to_paint(frames, warps)
    always = np.logical_and.reduce([warp(mask, unwarp(by)) for mask, by in zip(robot, warps, strict=True)])
    return np.asarray(robot[index] & warp(always, warps[index]))


def _ours(episode: Episode, truth: Truth, segment: type[Segmenter], still: np.ndarray) -> Attempt:
    with TemporaryDirectory(prefix="restage-evaluate-") as folder:
        painted = Path(folder) / "painted"
        painted.mkdir()
        if still.any():
            Image.fromarray(still).save(painted / f"{CAMERA}.robot.png")
        perception = Perception(Survey(), segment(keep_always=str(painted)))
        layers = prepare(perception, Rendered(episode), episode.id, Path(folder) / "layers", Stopwatch())[CAMERA]
        # the first frame of a rendered camera is at rest: what it shows, the plate shows moved by its shift
        new = np.clip(np.rint(warp(truth.new_plate[0], unwarp(layers.warps[0])) / layers.gains[0]), 0, 255)
        backdrop = layers.backdrop(new.astype(np.uint8), 0, episode.length)
        return _attempt(episode, layers.keep(KEEP, 0, episode.length), backdrop)


def _attempt(episode: Episode, masks: np.ndarray, backdrop: Backdrop) -> Attempt:
    clip, composite = episode.cameras[CAMERA].read(0, episode.length), Composite(grain=0.0)
    restaged, exact = composite(clip, masks, backdrop)
    plates = [backdrop.behind(backdrop.clean, index) for index in range(len(clip))]
    unshaded, _ = replace(composite, light=Light(shadows=False))(clip, masks, backdrop)
    return Attempt(masks, exact, np.stack(plates), restaged.frames, unshaded.frames)


def _movable(episode: Episode) -> tuple[Any, ...]:
    return tuple(track for track in episode.masks[CAMERA] if track.role in KEEP)
