"""`restage preview`: a contact sheet and a short video of an episode with its masks, and a picture to paint on."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from augment.errors import RequestError
from augment.evaluation import contact_sheet, overlay
from augment.layers import Layers, file_name
from augment.pipeline.episode import prepare
from augment.pipeline.stopwatch import Stopwatch
from augment.types import Role, Stability
from robot_io.types import FrameSource
from robot_io.video import write_video
from workflows import _config
from workflows._dataset import choose, companions_of, open_configured
from workflows._painting import frame_to_paint

WINDOW = 32
DEFAULT_FPS = 10.0


def main(config: Any) -> int:
    """Returns 0. Raises RequestError, DatasetError, EpisodeError (the chosen episode cannot be used)."""
    folder = _config.required_path(config, "output.path")
    perception = _config.build_perception(config)
    count = _config.whole_number(config, "frames")
    if count < 1:
        raise RequestError(f"frames={count}; a sheet has at least 1")
    source = open_configured(config)
    dataset = choose(source, _config.text(config, "episodes"), None)
    perception = replace(perception, companions=tuple(companions_of(source)))
    root = Path(_config.text(config, "layers.path") or folder / "layers").expanduser()
    for entry in dataset.entries:
        layers = prepare(perception, source, entry.id, root, Stopwatch())
        episode = dataset.open(entry.id)
        for camera, frames in episode.cameras.items():
            stem = folder / f"{entry.name.replace('/', '-')}-{file_name(camera)}"
            sheet = masks_sheet(f"{entry.name} {camera}", frames, layers[camera], count)
            Image.fromarray(sheet).save(stem.with_name(f"{stem.name}.png"))
            video = stem.with_name(f"{stem.name}.mp4")
            write_video(video, _overlaid(frames, layers[camera]), episode.fps or DEFAULT_FPS)
            sys.stdout.write(f"{stem}.png\n{stem}.mp4\n")
            if entry == dataset.entries[0] and layers[camera].stability != Stability.MOVING:
                sys.stdout.write(f"{_to_paint_on(folder, frames, layers[camera])}\n")
    return 0


def _to_paint_on(folder: Path, frames: FrameSource, layers: Layers) -> Path:
    """No PNG, which would be taken for a painting: polygons drawn on it are saved beside it under the camera's name."""
    path = folder / "paint" / f"{file_name(frames.camera)}.jpg"
    path.parent.mkdir(exist_ok=True)
    index = frame_to_paint(frames, layers.warps)
    Image.fromarray(frames.read(index, index + 1).frames[0]).save(path, quality=95)
    return path


def masks_sheet(title: str, frames: FrameSource, layers: Layers, count: int) -> np.ndarray:
    """Recorded frames, the same with their masks, and the clean plate with its hole; uint8 `(h, w, 3)`."""
    indices = spread(len(frames), count)
    recorded = [frames.read(index, index + 1).frames[0] for index in indices]
    masked = [_with_masks(frames, layers, index, index + 1)[0] for index in indices]
    hole = np.where(layers.hole[..., None], np.uint8(255), layers.plate // 2)
    found = ", ".join(track.title for track in layers.tracks) or layers.problem or "no masks"
    return contact_sheet(
        [
            (f"{title}: frames {', '.join(map(str, indices))}", recorded),
            (found, masked),
            (f"{layers.stability} camera; clean plate, and in white where it was never seen", [layers.plate, hole]),
        ]
    )


def spread(length: int, count: int) -> list[int]:
    """At most `count` frame indices from the first to the last."""
    return sorted({round(position) for position in np.linspace(0, length - 1, min(length, count))})


def _overlaid(frames: FrameSource, layers: Layers) -> Iterator[np.ndarray]:
    for start in range(0, len(frames), WINDOW):
        yield _with_masks(frames, layers, start, min(start + WINDOW, len(frames)))


def _with_masks(frames: FrameSource, layers: Layers, start: int, stop: int) -> np.ndarray:
    """Masks in the colours of their roles, soft alpha in cyan."""
    return overlay(frames.read(start, stop).frames, layers.masks(start, stop), layers.alpha(tuple(Role), start, stop))
