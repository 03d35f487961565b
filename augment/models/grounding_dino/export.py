"""Checkpoint files of one implementation made into those of the other."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import GroundingDinoImageProcessor

from augment.models.checkpoints import read_state
from augment.models.grounding_dino.architectures import configuration_of
from augment.models.grounding_dino.convert import config_of, to_original, to_transformers
from augment.models.grounding_dino.hub import WEIGHTS, config_in, network_of
from augment.models.grounding_dino.tokens import bert_config, open_tokenizer


def export_hub(checkpoint: Path, architecture: str | Mapping[str, Any], text_encoder: Path, folder: Path) -> None:
    """A folder that `open_hub` opens from what `open_original` opens (see there), with the same weights.

    `folder` is made, or files in it replaced. Raises RequestError, with nothing written, for files that are not what
    they should be, and for a checkpoint that is not of the architecture.
    """
    state = to_transformers(read_state(checkpoint))
    tokenizer = open_tokenizer(text_encoder)
    config = config_of(configuration_of(architecture), bert_config(text_encoder))
    network_of(config, state, checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    GroundingDinoImageProcessor().save_pretrained(folder)
    save_file({name: tensor.clone() for name, tensor in state.items()}, folder / WEIGHTS, metadata={"format": "pt"})


def export_original(folder: Path, checkpoint: Path) -> None:
    """A checkpoint for the authors' package from a folder as it comes from the Hub, with the same weights.

    Raises RequestError, with nothing written, for files that are not what they should be.
    """
    state = read_state(folder / WEIGHTS)
    network_of(config_in(folder), state, folder / WEIGHTS)
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": to_original(state)}, checkpoint)
