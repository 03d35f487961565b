"""The flow, on one page: what happens to one episode. Knows neither executors nor formats."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool

from augment.check import Check, Verdict, Window
from augment.compose import Composite
from augment.errors import PaintError, UnseenError
from augment.grasps import find_grasps
from augment.layers import (
    Layers,
    LayersWriter,
    file_name,
    has_layers,
    layers_folder,
    layers_key,
    open_layers,
    write_layers,
)
from augment.pipeline.cameras import at_once
from augment.pipeline.moving import mask_moving
from augment.pipeline.new_scene import Filmed, NewScene
from augment.pipeline.stopwatch import Stopwatch
from augment.pipeline.uncover import leave_out, uncover, uncover_behind
from augment.plan import Recipe, Step, content_hash, make_plan
from augment.pngs import encode
from augment.scene import Survey, find_alpha, measure_grain
from augment.segment import Segmenter
from augment.types import Plan, PlannedStep, Stability
from robot_io.errors import EpisodeError
from robot_io.types import Episode, FrameSource, FrameWriter

SCHEMA = 10  # raise it when the same recipe no longer gives the same pixels, or layers hold something else
WINDOW_BYTES = 16 << 20
RESTAGED = "restaged"
NO_TRACKS = "nothing says what to keep"
FILE_OPTIONS = {"path"}  # what they hold counts, not where it lies


@runtime_checkable
class Source(Protocol):
    """Where episodes come from and how their cameras are encoded; a robot_io Dataset is one. Picklable."""

    def open(self, episode_id: str) -> Episode: ...
    def frame_writer(self, episode_id: str, camera: str, path: Path) -> FrameWriter: ...


@dataclass(frozen=True)
class Perception:
    """How layers are made."""

    survey: Survey
    segment: Segmenter
    companions: tuple[str, ...] = ()
    """Ids of the episodes that are asked, for every other one, whether they were filmed from the same pose."""
    moving: bool = False
    """Whether masks are also wanted of cameras that move."""


@dataclass(frozen=True)
class Flow:
    """Every step with its options."""

    perception: Perception
    recipe: Recipe
    composite: Composite
    check: Check
    seed: int

    def identity(self) -> dict[str, Any]:
        """All that decides the pixels, besides the episode and the variant's number, as JSON values."""
        return {
            "schema": SCHEMA,
            "seed": self.seed,
            "preserve": sorted(self.recipe.preserve),
            **({"moving": self.recipe.moving} if self.recipe.moving else {}),
            "steps": {step.name: _step_identity(step) for step in self.recipe.steps},
            "scene": _options(self.perception.survey),
            "segment": self.perception.segment.identity(),
            "compose": _options(self.composite),
            "check": _options(self.check),
        }

    @cached_property
    def recipe_hash(self) -> str:
        return content_hash(self.identity())

    def plan(self, episode: Episode, variant: int, attempt: int) -> Plan:
        return make_plan(
            self.recipe, self.recipe_hash, self.seed, episode.id, variant, attempt, tuple(episode.language)
        )


@dataclass(frozen=True)
class CameraResult:
    """What became of one camera in one variant."""

    fate: str
    """`restaged` or `as recorded: <why>`."""
    verdict: Verdict | None = None
    """None where the camera was left alone on purpose."""


def prepare(perception: Perception, source: Source, episode_id: str, root: Path, clock: Stopwatch) -> dict[str, Layers]:
    """Layers of every camera, computed or found below `root`. Raises EpisodeError."""
    with clock("open"):
        episode = source.open(episode_id)
    made_from = {camera: _made_from(perception, episode, camera) for camera in sorted(episode.cameras)}
    folders = {name: layers_folder(root, episode.id, name, layers_key(known)) for name, known in made_from.items()}

    def make(camera: str, episode: Episode, clock: Stopwatch) -> None:
        companions = _companions(source, made_from[camera]["companions"], camera)
        _make_layers(perception, episode, camera, companions, folders[camera], made_from[camera], clock)

    _make_missing(perception, source, episode, folders, make, clock)
    surveyed = {camera: open_layers(folder) for camera, folder in folders.items()}

    def mask(camera: str, episode: Episode, clock: Stopwatch) -> None:
        with clock("segment"):
            mask_moving(perception.segment, episode, surveyed[camera], folders[camera], made_from[camera])

    for camera, survey in surveyed.items():
        if perception.moving and survey.stability == Stability.MOVING:
            made_from[camera]["moving"] = True
            folders[camera] = layers_folder(root, episode.id, camera, layers_key(made_from[camera]))
    _make_missing(perception, source, episode, folders, mask, clock)
    return {camera: open_layers(folder) for camera, folder in folders.items()}


def restage(
    flow: Flow, source: Source, layers: Mapping[str, Layers], plan: Plan, folder: Path, clock: Stopwatch
) -> dict[str, CameraResult]:
    """Carry out a plan: one file of encoded frames per restaged camera in `folder`, and its new plate beside it."""
    with clock("open"):
        episode = source.open(plan.episode)
    results = {}
    for camera, known in layers.items():
        steps = flow.recipe.filmed(plan) if known.stability == Stability.MOVING else flow.recipe.of(plan)
        if steps is None:
            results[camera] = CameraResult(f"as recorded: the camera moves {_when(known)}")
        elif not known.tracks:
            problem = known.problem or NO_TRACKS
            results[camera] = CameraResult(f"as recorded: {problem}", Verdict(problem))
        else:
            try:
                filmed = Filmed(known, episode.cameras[camera], flow.recipe.kept(steps))
                results[camera] = _restage_camera(flow, source, filmed, steps, plan, folder, clock)
            except (PaintError, UnseenError) as error:
                frames_file(folder, camera).unlink(missing_ok=True)
                verdict = Verdict(str(error), redraw=isinstance(error, PaintError))
                results[camera] = CameraResult(f"as recorded: {error}", verdict)
    return results


def frames_file(folder: Path, camera: str) -> Path:
    """Where a part keeps the encoded frames of a camera."""
    return folder / f"{file_name(camera)}.frames"


def _when(moving: Layers) -> str:
    if moving.moves == ((0, moving.length),):
        return "all the time"
    frames = " and ".join(f"{start} to {stop - 1}" for start, stop in moving.moves)
    return f"(frames {frames} of {moving.length}; cut there, the rest can be restaged)"


def _make_missing(
    perception: Perception,
    source: Source,
    episode: Episode,
    folders: Mapping[str, Path],
    make: Callable[[str, Episode, Stopwatch], None],
    clock: Stopwatch,
) -> None:
    missing = [camera for camera, folder in folders.items() if not has_layers(folder)]
    if perception.segment.shares_batches and len(missing) > 1:
        at_once(make, missing, partial(source.open, episode.id), clock)
    else:
        for camera in missing:
            make(camera, episode, clock)


def _made_from(perception: Perception, episode: Episode, camera: str) -> dict[str, Any]:
    files = perception.segment.files(episode, camera)
    return {
        "schema": SCHEMA,
        "episode": episode.id,
        "camera": camera,
        "scene": _options(perception.survey),
        "segment": perception.segment.identity(),
        "companions": [companion for companion in perception.companions if companion != episode.id],
        "files": [[file.name, blake2b(file.read_bytes(), digest_size=8).hexdigest()] for file in files],
    }


def _companions(source: Source, episodes: Sequence[str], camera: str) -> list[FrameSource]:
    """The camera in other episodes; those that are gone, or cannot be opened, are of no help."""
    found = []
    for episode_id in episodes:
        try:
            cameras = source.open(episode_id).cameras
        except (EpisodeError, KeyError):
            continue
        if camera in cameras:
            found.append(cameras[camera])
    return found


def _make_layers(
    perception: Perception,
    episode: Episode,
    camera: str,
    companions: Sequence[FrameSource],
    folder: Path,
    made_from: dict[str, Any],
    clock: Stopwatch,
) -> None:
    frames = episode.cameras[camera]
    with clock("survey"):
        background, samples = perception.survey(frames, companions, find_grasps(episode.signals))
    nothing = np.zeros((frames.height, frames.width), dtype=np.bool_)
    if background.stability == Stability.MOVING:
        write_layers(folder, made_from, camera, background, background.plate, nothing, ())
        return
    segment = perception.segment
    with LayersWriter(folder, camera, (len(frames), frames.height, frames.width)) as writer:
        if segment.rounds:
            with clock("plate"):
                background, samples = uncover(segment, episode, camera, background, samples)
        with clock("segment"):
            try:
                tracks = segment(episode, camera, background)
            except UnseenError as error:
                writer.finish(made_from, background, background.plate, nothing, str(error))
                return
        with clock("layers"):
            found = writer.store(tracks)  # from here on, masks are read
        if not segment.rounds:
            with clock("plate"):
                background, samples = uncover_behind(found, background, samples)
        with clock("segment"):
            more = segment.complete(episode, camera, background, found)
        with clock("layers"):
            more = writer.store(more)
        with clock("plate"):
            background, hole = leave_out(background, samples, more)
            background = replace(background, grain=measure_grain(samples, background.plate, hole))
        with clock("alpha"):
            writer.store_alpha(find_alpha(frames, background, hole, (*found, *more)))
        with clock("layers"):
            writer.finish(made_from, background, background.plate, hole)


def _restage_camera(
    flow: Flow,
    source: Source,
    filmed: Filmed,
    steps: Sequence[tuple[Step, PlannedStep]],
    plan: Plan,
    folder: Path,
    clock: Stopwatch,
) -> CameraResult:
    layers, frames = filmed.layers, filmed.frames
    with clock("generate"):
        scene = NewScene.make(filmed, steps)
    if not filmed.moves:
        with clock("generate"):
            scene = replace(scene, plate=flow.composite.toned(scene.plate, layers.plate, layers.hole))
        (folder / f"{file_name(frames.camera)}.plate.png").write_bytes(encode(scene.plate))
    watch, support = flow.check.watch(frames, filmed.moves), _support(scene)
    path = frames_file(folder, frames.camera)
    window = scene.clip * max(1, WINDOW_BYTES // (frames.height * frames.width * 3 * scene.clip))
    with source.frame_writer(plan.episode, frames.camera, path) as writer:
        for start in range(0, len(frames), window):
            with clock("decode"):
                clip = frames.read(start, min(start + window, len(frames)))
                keep = layers.keep(filmed.preserve, clip.start, clip.stop)
                alpha = layers.alpha(filmed.preserve, clip.start, clip.stop)
                spared = scene.spare(clip, keep, alpha)
            with clock("generate"):
                backdrops = list(scene.backdrops(clip, keep))
            for part, backdrop in backdrops:
                seen, kept = clip.part(part), keep[part]
                with clock("compose"):
                    composed, exact = flow.composite(seen, kept, backdrop, alpha[part])
                with clock("encode"):
                    decoded = writer.write(composed)
                with clock("check"):
                    watch.see(Window(seen, composed, decoded, kept, exact, backdrop, support, spared[part]))
    verdict = watch.verdict()
    if verdict.reason is None:
        return CameraResult(RESTAGED, verdict)
    path.unlink()
    return CameraResult(f"as recorded: {verdict.reason}", verdict)


def _support(scene: NewScene) -> Bool[np.ndarray, "h w"] | None:
    """Where the new plate shows something to stand on, by the last step that knows."""
    known = (step.generator.support(scene.filmed) for step, _ in reversed(scene.steps))
    return next((support for support in known if support is not None), None)


def _step_identity(step: Step) -> dict[str, Any]:
    weight = {"weight": step.weight} if step.weight else {}
    return {"method": step.method, **weight, **step.generator.identity()}


def _options(step: Any) -> dict[str, Any]:
    options = {name: value for name, value in asdict(step).items() if name not in FILE_OPTIONS}
    return {"kind": type(step).__name__, **options}
