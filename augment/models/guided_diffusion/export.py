"""From OpenAI's checkpoints of guided diffusion to folders with a configuration, and back."""

from pathlib import Path

import torch

from augment.models.checkpoints import read_state
from augment.models.guided_diffusion.hub import architecture_of, fitted, write
from augment.models.kinds import WEIGHTS


def export_hub(checkpoint: Path, architecture: str, folder: Path) -> None:
    """Write a checkpoint as a folder. Raises RequestError where it is damaged or of another architecture."""
    state = read_state(checkpoint)
    fitted(architecture, state, checkpoint)
    write(folder, architecture, state)


def export_original(folder: Path, checkpoint: Path) -> None:
    """Write a folder's weights as a checkpoint. Raises RequestError where the folder is damaged."""
    state = read_state(folder / WEIGHTS)
    fitted(architecture_of(folder), state, folder / WEIGHTS)
    torch.save(state, checkpoint)
