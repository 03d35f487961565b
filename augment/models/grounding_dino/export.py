"""Checkpoint files of one implementation made into those of the other."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import GroundingDinoForObjectDetection, GroundingDinoImageProcessor

from augment.models import hub
from augment.models.checkpoints import read_state
from augment.models.grounding_dino.architectures import configuration_of
from augment.models.grounding_dino.convert import config_of, to_original, to_transformers
from augment.models.grounding_dino.tokens import bert_config, open_tokenizer
from augment.models.kinds import WEIGHTS


def export_hub(checkpoint: Path, architecture: str | Mapping[str, Any], text_encoder: Path, folder: Path) -> None:
    """A folder that `open_hub` opens from what `open_original` opens (see there), with the same weights.

    `folder` is made, or files in it replaced. Raises RequestError, with nothing written, for files that are not what
    they should be, and for a checkpoint that is not of the architecture.
    """
    state = to_transformers(read_state(checkpoint))
    tokenizer = open_tokenizer(text_encoder)
    config = config_of(configuration_of(architecture), bert_config(text_encoder))
    hub.build(GroundingDinoForObjectDetection, config, state, checkpoint)
    hub.write(folder, config, state, tokenizer, GroundingDinoImageProcessor())


def export_original(folder: Path, checkpoint: Path) -> None:
    """A checkpoint for the authors' package from a folder as it comes from the Hub, with the same weights.

    Raises RequestError, with nothing written, for files that are not what they should be.
    """
    config, state = hub.read(GroundingDinoForObjectDetection, "grounding_dino", folder)
    hub.build(GroundingDinoForObjectDetection, config, state, folder / WEIGHTS)
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": to_original(state)}, checkpoint)
