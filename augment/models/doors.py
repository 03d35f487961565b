"""Opening the networks of a pack: once a process, from files that are there, with the implementation that they need."""

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from augment.errors import RequestError
from augment.models.base import Detector, PromptedSegmenter
from augment.models.kinds import KINDS
from augment.models.packs import Component
from augment.models.runtime import Runtime


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
def open_tracker(component: Component, runtime: Runtime) -> Any:
    """What follows masks through a video. Raises RequestError as `open_detector` does."""
    _expect(component, "sam2")
    return _door("sam2").open_hub(component.locate(), runtime)


@cache
def open_matcher(component: Component, runtime: Runtime) -> Any:
    """What compares things by their features. Raises RequestError as `open_detector` does."""
    _expect(component, "dinov2")
    return _door("dinov2").open_hub(component.locate(), runtime)


def convert_checkpoint(checkpoint: Path, architecture: str, folder: Path, text_encoder: Component | None) -> None:
    """Write an original checkpoint as a new transformers folder.

    `text_encoder`: whose vocabulary goes with it, needed for GroundingDINO. Raises RequestError for an architecture
    that no network has, and for a checkpoint that does not fit it.
    """
    known = {name: kind for kind in KINDS for name in KINDS[kind].architectures}
    if architecture not in known:
        raise RequestError(f"unknown architecture={architecture}; known: {', '.join(known)}")
    vocabulary = KINDS[known[architecture]].vocabulary
    if vocabulary and not text_encoder:
        raise RequestError(
            f"architecture={architecture} needs the vocabulary of a text encoder; choose a pack that names one, such "
            "as models=grounded_original"
        )
    extra = [text_encoder.locate()] if vocabulary and text_encoder else []
    _door(f"{known[architecture]}.convert").convert_checkpoint(checkpoint, architecture, folder, *extra)


def _expect(component: Component, kind: str) -> None:
    if component.kind != kind:
        raise RequestError(f"{component.title}: kind={component.kind} cannot do this; known: {kind}")


def _door(name: str) -> Any:
    """A module of augment.models, with the libraries that it needs."""
    try:
        return import_module(f"augment.models.{name}")
    except ImportError as error:
        raise RequestError(f"networks need more packages ({error}); pip install 'restage[models]'") from error
