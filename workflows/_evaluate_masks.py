"""`restage evaluate of=masks`: ways to segment against the truth of a rendered world, and what they miss."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from augment.evaluation.judge_masks import Reference, judge_masks, judge_misses
from augment.evaluation.misses import ALL, Misses
from augment.pipeline import Perception
from augment.segment import Motion
from augment.types import MaskTrack, Role
from robot_io.memory import ArrayMask
from robot_io.types import Episode, Truth
from workflows._figures import heading, means, row
from workflows._rendered import CAMERA, World, layers_of, painting, tracks_of
from workflows._rivals import RIVALS


def table(world: World, name: str, perception: Perception) -> Iterator[str]:
    """Lines: means over each case's episodes by way to segment, then recall by category. Raises RequestError."""
    missed: dict[str, dict[str, Misses]] = {}
    for case in world.cases:
        figures: dict[str, list[Mapping[str, float]]] = {}
        for episode, truth in world.episodes(case):
            reference = _reference(episode, truth, world.size)
            for way, tracks in ways(episode, truth, name, perception):
                figures.setdefault(way, []).append(_judged(tracks, reference))
                if tracks is not None:
                    _add(missed.setdefault(f"{case}, {way}", {}), judge_misses(tracks, reference))
        if case == next(iter(world.cases)):
            yield heading(figures[name][0])
        for way, rows in figures.items():
            yield row(f"{case}, {way}", means(rows))
    yield from misses_table(missed)


def misses_table(missed: Mapping[str, Mapping[str, Misses]]) -> Iterator[str]:
    """Lines: an empty one, a heading, and for each way to segment recall by category and its share of all misses."""
    yield ""
    yield heading([*next(iter(missed.values()))])
    for way, found in missed.items():
        yield row(way, {category: _cell(misses, found[ALL]) for category, misses in found.items()})


def ways(
    episode: Episode, truth: Truth, name: str, perception: Perception
) -> Iterator[tuple[str, Sequence[MaskTrack] | None]]:
    """Way to segment -> its tracks, to be read before the next: the one called `name`, motion, and background
    subtraction as others do it. None where the camera moves and is left as recorded.

    Where masks come from motion, what never moves is painted, as a user would.
    """
    frames = episode.cameras[CAMERA]
    still = painting(frames, truth.masks[Role.ROBOT])
    for way, seen in {name: perception, "motion": replace(perception, segment=_motion(perception))}.items():
        if seen.segment.rounds:
            with layers_of(episode, seen, still) as layers:
                yield way, tracks_of(layers, seen)
        with layers_of(episode, seen, None) as layers:
            yield f"{way}, unpainted" if seen.segment.rounds else way, tracks_of(layers, seen)
    for rival, subtract in RIVALS.items():
        masks, _ = subtract(frames.read(0, len(frames)).frames)
        yield rival, [ArrayMask(Role.ROBOT, rival, masks | still)]


def _motion(perception: Perception) -> Motion:
    """The configured one, so that its options count, or the default."""
    return perception.segment if isinstance(perception.segment, Motion) else Motion()


def _reference(episode: Episode, truth: Truth, size: int) -> Reference:
    from robot_io.tabletop.cameras import agentview, gripper_boxes  # needs the extra `sim`

    frames = episode.cameras[CAMERA].read(0, episode.length).frames
    gripper = gripper_boxes(agentview(size), episode.signals["obs/robot0_eef_pos"])
    return Reference(frames, truth.masks[Role.ROBOT], truth.masks[Role.OBJECT], truth.plate, gripper)


def _judged(tracks: Sequence[MaskTrack] | None, reference: Reference) -> Mapping[str, float]:
    """`left`: 1 where the camera is left as recorded, and no other figure is known; else 0."""
    if tracks is None:
        return {**dict.fromkeys(judge_masks((), reference), math.nan), "left": 1.0}
    return {**judge_masks(tracks, reference), "left": 0.0}


def _add(total: dict[str, Misses], more: Mapping[str, Misses]) -> None:
    for category, found in more.items():
        total[category] = total.get(category, Misses(0, 0)) + found


def _cell(misses: Misses, of_all: Misses) -> str:
    if not misses.wanted:
        return "-"
    return f"{misses.recall:.3f} {misses.missed / max(1, of_all.missed):4.0%}"
