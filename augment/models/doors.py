"""Opening the networks of a pack once a process, and converting their files; the libraries are imported on demand."""

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from augment.errors import RequestError
from augment.models.base import Detector, Matcher, PromptedSegmenter, VideoTracker
from augment.models.kinds import CONFIG, KINDS
from augment.models.packs import Component, Pack
from augment.models.painting.base import Painter
from augment.models.runtime import Runtime
from augment.models.weights import check_file, check_folder, read_json


@cache
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


@cache
def open_segmenter(component: Component, runtime: Runtime) -> PromptedSegmenter:
    """The segmenter. Raises RequestError as `open_detector` does."""
    _expect(component, "hq_sam")
    segmenter: PromptedSegmenter
    if not component.file:
        segmenter = _door("hq_sam.hub").open_hub(component.locate(), runtime)
    else:
        segmenter = _door("hq_sam.original").open_original(component.locate(), component.architecture, runtime)
    return segmenter


@cache
def open_tracker(component: Component, runtime: Runtime) -> VideoTracker:
    """What follows masks through a video. Raises RequestError as `open_detector` does."""
    _expect(component, "sam2")
    tracker: VideoTracker = _door("sam2").open_hub(component.locate(), runtime)
    return tracker


@cache
def open_matcher(component: Component, runtime: Runtime) -> Matcher:
    """What compares things by their features. Raises RequestError as `open_detector` does."""
    _expect(component, "dinov2")
    matcher: Matcher = _door("dinov2").open_hub(component.locate(), runtime)
    return matcher


@cache
def open_painter(pack: Pack, runtime: Runtime) -> Painter:
    """What paints by a pack's base, ControlNet and policy. Raises RequestError as `open_detector` does."""
    if pack.base is None:
        raise RequestError("painting needs a base; choose a pack that has one: models=NAME")
    roles = {"base": "stable_diffusion", "controlnet": "controlnet", "policy": "initialization_policy"}
    for role, component in pack.components.items():
        if role in roles:
            _expect(component, roles[role])
    found = {role: component.locate() for role, component in pack.components.items() if role in roles}
    painter: Painter = _door("painting.hub").open_hub(found, runtime)
    return painter


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


def _expect(component: Component, kind: str) -> None:
    if component.kind != kind:
        raise RequestError(f"{component.title}: kind={component.kind} cannot do this; known: {kind}")


def _door(name: str) -> Any:
    """A module of augment.models, with the libraries that it needs."""
    try:
        return import_module(f"augment.models.{name}")
    except ImportError as error:
        raise RequestError(f"networks need more packages ({error}); pip install 'restage[models]'") from error


def forget() -> None:
    """Let go of all networks that were opened."""
    for door in (open_detector, open_segmenter, open_tracker, open_matcher, open_painter):
        door.cache_clear()
