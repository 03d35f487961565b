"""`restage evaluate of=scene`: masks, plates and restaged frames against the truth of a rendered world."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from augment.compose import Composite, Light
from augment.evaluation.judge import Attempt, judge
from augment.images import unwarp, warp
from augment.pipeline import Perception
from augment.segment import Recorded
from augment.types import Backdrop, Role
from robot_io.types import Episode, Truth
from workflows._figures import heading, means, row
from workflows._rendered import CAMERA, MOVABLE, World, layers_of, painting
from workflows._rivals import RIVALS


def table(world: World, name: str, perception: Perception) -> Iterator[str]:
    """Lines: a heading, then for every case and method the means over its episodes. Raises RequestError."""
    first = True
    for case in world.cases:
        figures: dict[str, list[Mapping[str, float]]] = {}
        for episode, truth in world.episodes(case):
            for method, made in attempts(episode, truth, name, perception):
                figures.setdefault(method, []).append(made)
        if first:
            yield heading(figures[name][0])
        first = False
        for method, rows in figures.items():
            yield row(f"{case}, {method}", means(rows))


def attempts(
    episode: Episode, truth: Truth, name: str, perception: Perception
) -> Iterator[tuple[str, Mapping[str, float]]]:
    """Method -> its figures: the way to segment called `name`, and what it is compared with.

    What never moves is painted for all of them, as a user would.
    """
    frames = episode.cameras[CAMERA].read(0, episode.length).frames
    still = painting(episode.cameras[CAMERA], truth.masks[Role.ROBOT])
    yield name, judge(frames, truth, _ours(episode, truth, perception, still))
    yield f"{name}, unpainted", judge(frames, truth, _ours(episode, truth, perception, None))
    yield "true masks", judge(frames, truth, _ours(episode, truth, replace(perception, segment=Recorded()), None))
    for rival, subtract in RIVALS.items():
        masks, plate = subtract(frames)
        length = len(frames)
        backdrop = Backdrop(
            np.ascontiguousarray(plate),
            np.zeros_like(still),
            truth.new_plate[0],
            np.zeros((length, 8), np.float32),
            np.ones((length, 3), np.float32),
        )
        yield rival, judge(frames, truth, _attempt(episode, masks | still, backdrop))


def _ours(episode: Episode, truth: Truth, perception: Perception, still: np.ndarray | None) -> Attempt:
    with layers_of(episode, perception, still) as layers:
        # the first frame of a rendered camera is at rest: what it shows, the plate shows moved by its shift
        new = np.clip(np.rint(warp(truth.new_plate[0], unwarp(layers.warps[0])) / layers.gains[0]), 0, 255)
        backdrop = layers.backdrop(new.astype(np.uint8), 0, episode.length)
        masks, alpha = layers.keep(MOVABLE, 0, episode.length), layers.alpha(MOVABLE, 0, episode.length)
        return _attempt(episode, masks, backdrop, alpha)


def _attempt(episode: Episode, masks: np.ndarray, backdrop: Backdrop, alpha: np.ndarray | None = None) -> Attempt:
    clip, composite = episode.cameras[CAMERA].read(0, episode.length), Composite(grain=0.0)
    restaged, exact = composite(clip, masks, backdrop, alpha)
    plates = [backdrop.behind(backdrop.clean, index) for index in range(len(clip))]
    unshaded, _ = replace(composite, light=Light(shadows=False))(clip, masks, backdrop, alpha)
    return Attempt(masks, exact, np.stack(plates), restaged.frames, unshaded.frames)
