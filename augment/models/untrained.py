"""Networks of the real classes with weights at random, which take as long as trained ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoProcessor,
    Sam2ImageProcessor,
    Sam2VideoConfig,
    Sam2VideoModel,
    Sam2VideoProcessor,
    Sam2VideoVideoProcessor,
    SamHQConfig,
    SamHQModel,
)

from augment.models.hub import quietly
from augment.models.packs import Component, Pack
from augment.models.small import small_detector, small_segmenter, small_tracker, write_tokenizer

SMALL = {"shortest_edge": 160, "longest_edge": 320}  # of the small detector's pictures


def write_untrained(folder: Path, full: bool, phrases: Sequence[str]) -> Pack:
    """A pack of three Hub folders below `folder`: detector, segmenter and tracker.

    `full`: GroundingDINO tiny, HQ-SAM vit_b and SAM 2.1 tiny, as published (1.3 GB), instead of those of
    augment/models/small.py; `phrases`: what the detector can be asked for. The same weights every time; the state of
    torch's random numbers is left as it was.
    """
    detector, segmenter, tracker = (folder / name for name in ("detector", "segmenter", "tracker"))
    tokenizer = write_tokenizer({word for phrase in phrases for word in phrase.split()}, detector)
    images = GroundingDinoImageProcessor() if full else GroundingDinoImageProcessor(size=SMALL)
    GroundingDinoProcessor(images, tokenizer).save_pretrained(detector)
    _write(GroundingDinoForObjectDetection, GroundingDinoConfig() if full else small_detector(), detector)
    _write(SamHQModel, _published_segmenter() if full else small_segmenter(), segmenter)
    config = Sam2VideoConfig() if full else small_tracker()
    size = {"height": config.image_size, "width": config.image_size}
    Sam2VideoProcessor(Sam2ImageProcessor(size=size), Sam2VideoVideoProcessor(size=size)).save_pretrained(tracker)
    _write(Sam2VideoModel, config, tracker)
    return Pack(
        "untrained",
        detector=Component("grounding_dino", str(detector)),
        segmenter=Component("hq_sam", str(segmenter)),
        tracker=Component("sam2", str(tracker)),
    )


def _published_segmenter() -> SamHQConfig:
    config = SamHQConfig()
    config.vision_config.initializer_range = 0.02  # the library's own is so small that everything would be 0
    return config


def _write(architecture: Any, config: Any, folder: Path) -> None:
    with quietly(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        architecture(config).save_pretrained(folder)
