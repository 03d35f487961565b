"""`restage evaluate of=composition`: surroundings painted around a robot, by where their composition comes from."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image

from augment.errors import RequestError
from augment.evaluation.composition import edge_error, extent, support_edge
from augment.evaluation.variety import variety
from augment.generate.ranking import seam
from augment.models.doors import open_detector, open_painter, open_segmenter
from augment.models.finding import Finder
from augment.models.packs import Pack
from augment.models.painting.base import Canvas, Painter, Sampling, Start, Wording
from augment.models.runtime import Runtime
from robot_io.tabletop.captions import describe_scene
from robot_io.tabletop.scene import sample_scene
from robot_io.tabletop.spec import TabletopSpec
from robot_io.types import Role
from workflows._figures import heading, row
from workflows._rendered import CAMERA

ROBOT = "robot arm"
NEAREST = 0.7  # share of the picture's side that a crop has at least
SIZE = 128  # pixels of the side of pictures
EVERY = 17  # steps between the pictures of an episode
DRAWS = 2000  # of the bootstrap

Picture = UInt8[np.ndarray, "h w 3"]
Mask = Bool[np.ndarray, "h w"]


@dataclass(frozen=True, eq=False)
class Stage:
    """A recorded picture, what of it is given, and other surroundings to be painted around that."""

    picture: Picture
    robot: Mask
    keep: Mask
    """Robot and object."""
    edge: Float32[np.ndarray, " w"]
    """Row of the table's far edge in each column, where it is seen."""
    caption: str


def open_finder(pack: Pack, runtime: Runtime) -> Finder:
    """What finds robots. Raises RequestError unless the pack has that, and what paints."""
    if pack.detector is None or pack.segmenter is None or pack.base is None:
        raise RequestError(
            f"of=composition paints, and finds robots in pictures: it needs a pack with detector, segmenter and base, "
            f"and models={pack.name} has not all; put packs together, such as models=[tabletop,sd21]"
        )
    pack.check()
    return Finder(open_detector(pack.detector, runtime), open_segmenter(pack.segmenter, runtime))


def table(pack: Pack, runtime: Runtime, ways: Mapping[str, Sampling], pictures: int, seed: int) -> Iterator[str]:
    """Lines: for each way to sample the means of the measures, with half of their 95 % intervals (bootstrap)."""
    find, painter, stages = open_finder(pack, runtime), open_painter(pack, runtime), list(_stages(pictures, seed))
    for name, sampling in ways.items():
        rows = [_measure(painter, find, stage, sampling, number) for number, stage in enumerate(stages)]
        cells = {column: _interval([each[column] for each in rows]) for column in rows[0]}
        if name == next(iter(ways)):
            yield f"{len(stages)} held-out pictures, other surroundings by caption; mean ± half of the 95 % interval"
            yield heading(cells)
        yield row(name, cells)


def sheet(pack: Pack, runtime: Runtime, ways: Mapping[str, Sampling], pictures: int, seed: int) -> Picture:
    """The recorded pictures, and below them each way."""
    painter, stages = open_painter(pack, runtime), list(_stages(pictures, seed))
    rows = [[stage.picture for stage in stages]]
    rows += [
        [_paint(painter, stage, sampling, number)[0] for number, stage in enumerate(stages)]
        for sampling in ways.values()
    ]
    return np.concatenate([np.concatenate(each, axis=1) for each in rows])


def ways_of(config: Any) -> dict[str, Sampling]:
    """What is compared: starts, and for those that take a composition up at a level every level."""
    base = Sampling(
        steps=int(config.painting.steps),
        guidance=float(config.painting.guidance),
        control=float(config.painting.control),
    )
    ways = {}
    for start in config.painting.starts:
        if start not in set(Start):
            raise RequestError(f"unknown start {start!r} in painting.starts; known: {', '.join(Start)}")
        for level in config.painting.levels if start != Start.NOISE else [1.0]:
            name = str(start) if start == Start.NOISE else f"{start}, from level {level:g}"
            ways[name] = replace(base, start=Start(start), level=float(level), blend=bool(config.painting.blend))
    return ways


def _stages(count: int, seed: int) -> Iterator[Stage]:
    """One picture an episode, a random part of it, and the caption of another scene."""
    from robot_io.tabletop.episodes import record_episode

    spec = TabletopSpec(count, 2 * SIZE, seed, every=EVERY)
    for index in range(count):
        episode, rng = record_episode(spec, index), np.random.default_rng([seed, index])
        frame = int(rng.integers(episode.length))
        masks = {track.role: track.read(frame, frame + 1)[0] for track in episode.masks[CAMERA]}
        side = 2 * SIZE * rng.uniform(NEAREST, 1)
        left, top = rng.uniform(0, 2 * SIZE - side, 2)
        box = (left, top, left + side, top + side)
        picture = np.asarray(
            Image.fromarray(episode.cameras[CAMERA].read(frame, frame + 1).frames[0]).resize(
                (SIZE, SIZE), Image.Resampling.BILINEAR, box=box
            )
        )
        part = {role: _cropped(mask, box) for role, mask in masks.items()}
        standing = np.logical_or.reduce([part[role] for role in part if role != Role.SUPPORT])
        other = sample_scene(replace(spec, seed=seed + 1).random(index))
        yield Stage(
            picture,
            part[Role.ROBOT],
            part[Role.ROBOT] | part[Role.OBJECT],
            support_edge(part[Role.SUPPORT], standing),
            describe_scene(other),
        )


def _cropped(mask: Mask, box: tuple[float, float, float, float]) -> Mask:
    made = Image.fromarray(mask.astype(np.uint8) * 255).resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=box)
    return np.asarray(made) > 127


def _paint(
    painter: Painter, stage: Stage, sampling: Sampling, number: int, seeds: Sequence[int] = (0,)
) -> list[Picture]:
    keep = stage.keep.astype(np.float32)
    canvases = [Canvas(stage.picture, keep, 1000 * number + each) for each in seeds]
    return painter(canvases, Wording(stage.caption), sampling, 0)


def _measure(painter: Painter, find: Finder, stage: Stage, sampling: Sampling, number: int) -> dict[str, float]:
    one, other = _paint(painter, stage, sampling, number, (0, 1))
    found = extent(find([one], [ROBOT])[0], stage.robot) if stage.robot.any() else None
    off = edge_error(one, stage.edge, stage.keep)
    differ = variety([one, other])
    return {
        "expansion": found.expansion if found else math.nan,
        "loss": found.loss if found else math.nan,
        "seam": seam(one, stage.keep),
        "edge off, %": 100 * off,
        "edge met": math.nan if math.isnan(off) else float(off <= 0.04),
        "diversity": differ["mean"] if differ else math.nan,
    }


def _interval(values: Sequence[float]) -> str:
    known = np.array([value for value in values if not math.isnan(value)])
    if not len(known):
        return "-"
    rng = np.random.default_rng(0)
    draws = known[rng.integers(len(known), size=(DRAWS, len(known)))].mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{known.mean():.2f} ± {(high - low) / 2:.2f}"
