"""The stories that a run's report tells: for the first episodes, each restaged camera with its variants."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from augment.evaluation import Story, contact_sheet, overlay, render_report, variety
from augment.images import resize
from augment.layers import Layers, file_name
from augment.pipeline import Flow, Schedule
from augment.pipeline.episode import prepare
from augment.pipeline.stopwatch import Stopwatch
from augment.pipeline.summary import measured
from augment.types import Role, Stability
from robot_io.formats.base import Dataset
from robot_io.types import FrameSource, Part
from workflows.preview import spread

EPISODES = 12  # a report of thousands would open in no browser
COLUMNS = 8
MOMENTS = 24
ANIMATED = 3  # variants beside the recording
ANIMATION_HEIGHT = 200  # pixels


def write_report(
    path: Path, flow: Flow, source: Dataset, layers: Path, parts: Iterable[Part], schedule: Schedule, record: Any
) -> None:
    """Write `report.html`. `parts` are the finished variants; `record` is the run's summary."""
    made: dict[str, list[Part]] = {}
    for part in parts:
        made.setdefault(part.episode, []).append(part)
    chosen = {episode: made[episode] for episode in list(made)[:EPISODES]}
    html = render_report("Restage", record, measured(schedule), _stories(flow, source, layers, chosen))
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_text(html)
    unfinished.replace(path)


def _stories(flow: Flow, source: Dataset, root: Path, made: Mapping[str, Sequence[Part]]) -> Iterator[Story]:
    for episode_id, parts in made.items():
        known = prepare(flow.perception, source, episode_id, root, Stopwatch())
        episode = source.open(episode_id)
        for camera in sorted({camera for part in parts for camera in part.files}):
            frames, layers = episode.cameras[camera], known[camera]
            shown = [part for part in parts if camera in part.files]
            plates = {part.variant: _plate(part, camera) for part in shown if layers.stability != Stability.MOVING}
            variants = {part.variant: source.frame_reader(episode_id, camera, part.files[camera]) for part in shown}
            title = f"{episode.name}, {camera}: {'; '.join(episode.language)}".rstrip(": ")
            yield Story(title, _sheet(flow, frames, layers, plates, variants), _animation(frames, variants))


def _sheet(
    flow: Flow,
    frames: FrameSource,
    layers: Layers,
    plates: Mapping[int, np.ndarray],
    variants: Mapping[int, FrameSource],
) -> np.ndarray:
    indices = spread(len(frames), COLUMNS)
    recorded = [frames.read(index, index + 1).frames for index in indices]
    masked = [
        overlay(clip, layers.masks(index, index + 1), layers.alpha(tuple(Role), index, index + 1))
        for clip, index in zip(recorded, indices, strict=True)
    ]
    rows = [
        (f"recorded: frames {', '.join(map(str, indices))}", [clip[0] for clip in recorded]),
        (", ".join(track.title for track in layers.tracks), [clip[0] for clip in masked]),
    ]
    if layers.stability != Stability.MOVING:
        hole = np.where(layers.hole[..., None], np.uint8(255), layers.plate // 2)
        known = f"clean plate, where it was never seen (white), and the new plates{_differ(plates)}"
        rows.append((known, [layers.plate, hole, *plates.values()]))
        rows.append(("shadows that are carried over", [_shadows(flow, frames, layers, index) for index in indices]))
    for variant, restaged in variants.items():
        pictures = [restaged.read(index, index + 1).frames[0] for index in indices]
        rows.append((f"variant {variant}", pictures))
    return contact_sheet(rows)


def _differ(plates: Mapping[int, np.ndarray]) -> str:
    found = variety(list(plates.values()))
    return f"; they differ by {found['mean']:.1f} % on average, {found['least']:.1f} % at least" if found else ""


def _animation(frames: FrameSource, variants: Mapping[int, FrameSource]) -> list[np.ndarray]:
    shown = list(variants.values())[:ANIMATED]
    pictures = []
    for index in spread(len(frames), MOMENTS):
        joined = np.concatenate([each.read(index, index + 1).frames[0] for each in (frames, *shown)], axis=1)
        height = min(ANIMATION_HEIGHT, joined.shape[0])
        pictures.append(resize(joined, height, round(joined.shape[1] * height / joined.shape[0])))
    return pictures


def _shadows(flow: Flow, frames: FrameSource, layers: Layers, index: int) -> np.ndarray:
    keep, alpha = _kept(flow, layers, index)
    backdrop = layers.backdrop(layers.plate, index, index + 1)
    clip = frames.read(index, index + 1)
    left = flow.composite.light_left(clip, keep, backdrop, alpha)[0]
    return np.asarray(np.where(keep[0, ..., None], clip.frames[0] // 3, left))


def _kept(flow: Flow, layers: Layers, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Mask and soft alpha of one frame, `(1, h, w)`."""
    kept = flow.recipe.kept()
    return layers.keep(kept, index, index + 1), layers.alpha(kept, index, index + 1)


def _plate(part: Part, camera: str) -> np.ndarray:
    with Image.open(part.files[camera].with_name(f"{file_name(camera)}.plate.png")) as image:
        return np.asarray(image.convert("RGB"))
