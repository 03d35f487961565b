"""Checkpoint files of one implementation made into those of the other."""

from pathlib import Path

import torch
from transformers import SamHQModel

from augment.errors import RequestError
from augment.models import hub
from augment.models.checkpoints import check_state, read_state
from augment.models.hq_sam.convert import DECODER_HEADS, NO_TINY_VIT, config_of, to_hub, to_original
from augment.models.hq_sam.original import build
from augment.models.kinds import WEIGHTS


def export_hub(checkpoint: Path, architecture: str, folder: Path) -> None:
    """A folder that `open_hub` opens from what `open_original` opens (see there), with the same weights.

    `folder` is made, or files in it replaced. Raises RequestError, with nothing written, for a file that is not what
    it should be, for a checkpoint that is not of the architecture, and for vit_tiny.
    """
    if architecture == "vit_tiny":
        raise RequestError(NO_TINY_VIT)
    original = read_state(checkpoint)
    with torch.device("meta"):  # names and shapes alone
        check_state(build(architecture), original, f"{checkpoint} ({architecture})")
    config, state = config_of(original), to_hub(original)
    hub.build(SamHQModel, config, state, checkpoint)
    hub.write(folder, config, state)


def export_original(folder: Path, checkpoint: Path) -> None:
    """A checkpoint for the authors' package from a folder as it comes from the Hub, with the same weights.

    Raises RequestError, with nothing written, for files that are not what they should be.
    """
    config, state = hub.read(SamHQModel, "hq_sam", folder)
    hub.build(SamHQModel, config, state, folder / WEIGHTS)
    if (heads := config.mask_decoder_config.num_attention_heads) != DECODER_HEADS:
        raise RequestError(
            f"the mask decoder in {folder} has {heads} heads; original checkpoints are read as of {DECODER_HEADS}, and "
            "its masks would differ: keep the folder"
        )
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    torch.save(to_original(state), checkpoint)
