"""The networks of a pack as they are asked about one camera, opened when they are first needed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from augment.errors import RequestError
from augment.models.base import Detector, PromptedSegmenter, VideoTracker
from augment.models.doors import forget, open_matcher, open_tracker, share_detector, share_segmenter
from augment.models.packs import Component, Pack
from augment.models.runtime import Runtime
from augment.segment.grounded.prompts import Prompt
from augment.segment.grounded.reference import Shown

DECODED = 8  # frames


@dataclass(frozen=True)
class Networks:
    """A pack on a runtime. Opening raises RequestError where the pack lacks the network, or its weights do not fit."""

    pack: Pack
    runtime: Runtime
    shown: Mapping[Prompt, Path] = field(default_factory=dict)
    """What is known by a picture instead of its words."""
    likeness: float = 0.6

    @property
    def batch(self) -> int:
        """Frames to ask about at once: whole batches, and several in any case, as neighbours are decoded together."""
        size = self.runtime.batch_size
        return size * max(1, DECODED // size)

    @cached_property
    def detector(self) -> Detector:
        words = share_detector(_required(self.pack.detector, "detector"), self.runtime)
        if not self.shown:
            return words
        matcher = open_matcher(_required(self.pack.matcher, "matcher"), self.runtime)
        return Shown.of(words, matcher, self.shown, self.likeness)

    @property
    def segmenter(self) -> PromptedSegmenter:
        return share_segmenter(_required(self.pack.segmenter, "segmenter"), self.runtime)

    @property
    def tracker(self) -> VideoTracker:
        return open_tracker(_required(self.pack.tracker, "tracker"), self.runtime)

    def check(self, follows: bool) -> None:
        """Raises RequestError where a network is missing, or weights are; `follows`: whether a tracker is needed."""
        _required(self.pack.detector, "detector")
        _required(self.pack.segmenter, "segmenter")
        if follows:
            _required(self.pack.tracker, "tracker")
        if self.shown:
            _required(self.pack.matcher, "matcher")
        self.pack.check()
        self.runtime.check()
        trial = replace(self, runtime=replace(self.runtime, device="cpu", precision="float32"))
        _ = trial.detector, trial.segmenter, trial.tracker if follows else None  # whether weights fit, before any work
        forget()


def _required(component: Component | None, role: str) -> Component:
    if component is None:
        raise RequestError(f"segment=grounded needs a {role}; choose a pack that has one: models=NAME")
    return component
