"""Opening the networks of a pack once a process, and converting their files; the libraries are imported on demand."""

from collections.abc import Callable
from functools import cache, update_wrapper
from importlib import import_module
from pathlib import Path
from threading import RLock
from typing import Any, Generic, ParamSpec, TypeVar

from augment.errors import RequestError
from augment.models.base import Detector, Judge, Matcher, PromptedSegmenter, VideoTracker
from augment.models.batching import Batches, SharedDetector, SharedSegmenter
from augment.models.kinds import CONFIG, KINDS
from augment.models.packs import Component, Pack
from augment.models.painting.base import Painter
from augment.models.runtime import Runtime
from augment.models.weights import check_file, check_folder, read_json

PAINTING = {
    "base": ("stable_diffusion", "stable_diffusion_3", "flux"),
    "controlnet": ("controlnet", "sd3_controlnet"),
    "policy": ("initialization_policy",),
}
"""Kinds that paint, by role; their folders say which of them fit each other."""
P = ParamSpec("P")
T = TypeVar("T")


class Once(Generic[P, T]):
    """A door that is gone through once a process for the same component and runtime, whichever threads ask."""

    _opening = RLock()  # for all doors: the libraries change settings of the process while they load

    def __init__(self, door: Callable[P, T]) -> None:
        self._open = cache(door)
        self.forget = self._open.cache_clear
        update_wrapper(self, door)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._opening:
            made: T = self._open(*args, **kwargs)  # type: ignore[arg-type]  # components and runtimes have hashes
        return made


@Once
def open_detector(component: Component, runtime: Runtime) -> Detector:
    """The detector. Raises RequestError where weights, packages or the device are missing, or weights do not fit."""
    _expect(component, "grounding_dino")
    detector: Detector
    if not component.file:
        detector = _door("grounding_dino.hub").open_hub(component.locate(), runtime)
    else:
        encoder = component.text_encoder.locate() if component.text_encoder else None
        door = _door("grounding_dino.original")
        detector = door.open_original(component.locate(), component.architecture, encoder, runtime)
    return detector


@Once
def open_segmenter(component: Component, runtime: Runtime) -> PromptedSegmenter:
    """The segmenter. Raises RequestError as `open_detector` does."""
    _expect(component, "hq_sam")
    segmenter: PromptedSegmenter
    if not component.file:
        segmenter = _door("hq_sam.hub").open_hub(component.locate(), runtime)
    else:
        segmenter = _door("hq_sam.original").open_original(component.locate(), component.architecture, runtime)
    return segmenter


@Once
def open_tracker(component: Component, runtime: Runtime) -> VideoTracker:
    """What follows masks through a video. Raises RequestError as `open_detector` does."""
    _expect(component, "sam2")
    tracker: VideoTracker = _door("sam2").open_hub(component.locate(), runtime)
    return tracker


@Once
def open_matcher(component: Component, runtime: Runtime) -> Matcher:
    """What compares things by their features. Raises RequestError as `open_detector` does."""
    _expect(component, "dinov2")
    matcher: Matcher = _door("dinov2").open_hub(component.locate(), runtime)
    return matcher


@Once
def open_painter(pack: Pack, runtime: Runtime) -> Painter:
    """What paints by a pack's base, ControlNet and policy. Raises RequestError as `open_detector` does."""
    if pack.base is None:
        raise RequestError("painting needs a base; choose a pack that has one: models=NAME")
    parts = {role: component for role, component in pack.components.items() if role in PAINTING}
    for role, component in parts.items():
        _expect(component, *PAINTING[role])
    found = {role: component.locate() for role, component in parts.items()}
    painter: Painter = _door("painting.hub").open_hub(found, runtime)
    return painter


@Once
def open_judge(component: Component, runtime: Runtime) -> Judge:
    """What says how far pictures are from words. Raises RequestError as `open_detector` does."""
    _expect(component, "clip")
    judge: Judge = _door("clip").open_hub(component.locate(), runtime)
    return judge


@Once
def open_pixel_painter(pack: Pack, runtime: Runtime) -> Painter:
    """What paints by a pack's pixel diffusion, which its CLIP steers. Raises RequestError as `open_detector` does."""
    if pack.pixels is None or pack.clip is None:
        raise RequestError("painting pixels needs pixels and clip; choose a pack that has both: models=NAME")
    _expect(pack.pixels, "guided_diffusion")
    judge, place = open_judge(pack.clip, runtime), pack.pixels.locate()
    architecture = pack.pixels.architecture if pack.pixels.file else None
    painter: Painter = _door("painting.pixels").open_pixels(place, architecture, judge, runtime)
    return painter


@Once
def share_detector(component: Component, runtime: Runtime) -> SharedDetector:
    """The detector for all threads of this process. Raises RequestError as `open_detector` does."""
    return SharedDetector(open_detector(component, runtime), Batches(runtime.batch_size))


@Once
def share_segmenter(component: Component, runtime: Runtime) -> SharedSegmenter:
    """The segmenter for all threads of this process. Raises RequestError as `open_detector` does."""
    return SharedSegmenter(open_segmenter(component, runtime), Batches(runtime.batch_size))


def export_hub(checkpoint: Path, architecture: str, text_encoder: Component | None, folder: Path) -> None:
    """Write an original checkpoint as a new transformers folder.

    `text_encoder`: whose vocabulary goes with it, needed for GroundingDINO. Raises RequestError for an architecture
    that no network has, and for a checkpoint that is damaged or does not fit it.
    """
    known = {name: kind for kind in KINDS for name in KINDS[kind].architectures}
    if architecture not in known:
        raise RequestError(f"unknown architecture={architecture}; known: {', '.join(known)}")
    check_file(checkpoint)
    vocabulary = KINDS[known[architecture]].vocabulary
    if vocabulary and not text_encoder:
        raise RequestError(
            f"architecture={architecture} needs the vocabulary of a text encoder; choose a pack that names one, such "
            "as models=grounded_original"
        )
    extra = [text_encoder.locate()] if vocabulary and text_encoder else []
    _door(f"{known[architecture]}.export").export_hub(checkpoint, architecture, *extra, folder)


def export_original(folder: Path, checkpoint: Path) -> None:
    """Write the weights of a transformers folder as a new checkpoint for the authors' library.

    Raises RequestError where the folder is damaged, or of a network that has no original checkpoints.
    """
    kinds = {KINDS[kind].model_type: kind for kind in KINDS if KINDS[kind].architectures}
    model_type = read_json(folder / CONFIG).get("model_type")
    if model_type not in kinds:
        raise RequestError(f"{folder / CONFIG} is of a network of type {model_type}; known: {', '.join(kinds)}")
    check_folder(folder, KINDS[kinds[model_type]])
    _door(f"{kinds[model_type]}.export").export_original(folder, checkpoint)


def _expect(component: Component, *kinds: str) -> None:
    if component.kind not in kinds:
        raise RequestError(f"{component.title}: kind={component.kind} cannot do this; known: {', '.join(kinds)}")


def _door(name: str) -> Any:
    """A module of augment.models, with the libraries that it needs."""
    try:
        return import_module(f"augment.models.{name}")
    except ImportError as error:
        raise RequestError(f"networks need more packages ({error}); pip install 'restage[models]'") from error


def forget() -> None:
    """Let go of all networks that were opened."""
    doors: tuple[Once[..., Any], ...] = (open_detector, open_segmenter, open_tracker, open_matcher, open_painter)
    for door in (*doors, open_pixel_painter, open_judge, share_detector, share_segmenter):
        door.forget()
