"""`restage evaluate of=video`: a way to segment against reference masks of a recorded video."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from xxhash import xxh3_64_hexdigest

from augment.errors import RequestError
from augment.evaluation.judge_masks import Reference, judge_masks, judge_misses
from augment.evaluation.misses import Misses
from augment.images import luma
from augment.pipeline import Perception
from augment.segment.recorded import MaskFolder
from augment.types import Role
from robot_io.errors import DatasetError
from robot_io.memory import ArrayFrames
from robot_io.types import Episode, FrameSource
from robot_io.video import read_video
from workflows._evaluate_masks import misses_table
from workflows._figures import heading, row
from workflows._rendered import layers_of, tracks_of

CAMERA = "video"
WHITE = 127  # grey levels: brighter is the thing


def table(video: Path, references: Mapping[Role, Path], start: int, name: str, perception: Perception) -> Iterator[str]:
    """Lines: the figures, then recall by category, both from frame `start` on.

    Raises RequestError, DatasetError (a video cannot be read), EpisodeError (a folder has not one mask a frame).
    """
    frames, fps = read_video(video)
    if not 0 <= start < len(frames):
        raise RequestError(f"video.start={start}; {video} has frames 0 to {len(frames) - 1}")
    source = ArrayFrames(CAMERA, frames, fps)
    masks = {role: reference_masks(path, role, source)[start:] for role, path in references.items()}
    source = ArrayFrames(CAMERA, frames[start:], fps)
    episode = Episode(xxh3_64_hexdigest(frames.data), video.stem, len(source), {CAMERA: source}, {}, fps=fps)
    figures, missed = judge_episode(episode, CAMERA, masks, perception)
    yield heading(figures)
    yield row(name, figures)
    yield from misses_table({name: missed})


def judge_episode(
    episode: Episode, camera: str, masks: Mapping[Role, Bool[np.ndarray, "t h w"]], perception: Perception
) -> tuple[Mapping[str, float], Mapping[str, Misses]]:
    """Figures and misses of a camera's tracks against reference masks of robot, object or both.

    Tracks of a role without any do not count. Raises RequestError where masks come from motion and the camera moves.
    """
    frames = episode.cameras[camera].read(0, episode.length).frames
    nothing = np.zeros(frames.shape[:3], dtype=np.bool_)
    reference = Reference(frames, masks.get(Role.ROBOT, nothing), masks.get(Role.OBJECT, nothing))
    alone = Episode(
        episode.id, episode.name, episode.length, {camera: episode.cameras[camera]}, episode.signals, episode.language
    )
    with layers_of(alone, perception, None) as layers:
        tracks = tracks_of(layers, perception)
        if tracks is None:
            raise RequestError(
                f"the camera of {episode.name} moves: what moves is not what to keep; choose another segment=..."
            )
        tracks = [track for track in tracks if track.role not in {Role.ROBOT, Role.OBJECT} - masks.keys()]
        return judge_masks(tracks, reference), judge_misses(tracks, reference)


def reference_masks(path: Path, role: Role, frames: FrameSource) -> Bool[np.ndarray, "t h w"]:
    """Masks in a video file, or in a folder of one PNG a frame; white = the thing.

    Raises DatasetError, EpisodeError where they are not as many, or not as large, as the camera's frames.
    """
    if path.is_dir():
        return MaskFolder(path, role, frames).read(0, len(frames))
    pictures, _ = read_video(path)
    shape = (len(frames), frames.height, frames.width)
    if pictures.shape[:3] != shape:
        raise DatasetError(f"{path} has {_shape(pictures.shape)}, the video {_shape(shape)}; give every frame a mask")
    return np.stack([luma(picture) > WHITE for picture in pictures])


def _shape(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} frames of {shape[1]}x{shape[2]} pixels"
