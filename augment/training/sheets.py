"""Sheets of samples: what a network makes of a few held-out pictures, row by row."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from augment.diffusion.grids import trailing
from augment.diffusion.noise import Noise
from augment.diffusion.samplers import Multistep, State, sample
from augment.models.painting.latent_model import Condition
from augment.models.painting.text_to_image import TextToImage
from augment.training.crops import Crops
from augment.training.method import Picture
from augment.training.scenes import CaptionedScene

SHOWN = 8  # pictures of a sheet
STEPS, GUIDANCE = 20, 4.0
NOISE = Noise(0, tuple(range(SHOWN)))
GAP = 2  # pixels


def shown(crops: Crops) -> list[CaptionedScene]:
    """Crops for a sheet: always the same, from all over the pictures."""
    return [crops[int(number)] for number in np.linspace(0, len(crops) - 1, SHOWN).round()]


def drawn(
    model: TextToImage, captions: Sequence[str], like: Float[Tensor, "n c h w"], condition: Condition | None = None
) -> Float[Tensor, "n c h w"]:
    """Latents from noise alone, guided to the captions; the same noise every time."""
    return denoised(model, captions, NOISE("start", 0, like), len(model.levels) - 1, condition)


def denoised(
    model: TextToImage,
    captions: Sequence[str],
    x: Float[Tensor, "n c h w"],
    start: int,
    condition: Condition | None = None,
) -> Float[Tensor, "n c h w"]:
    """Latents from `x` at level `start` on, guided to the captions."""
    words, nothing = (model.words(texts) for texts in (captions, [""] * len(captions)))
    denoise = model.denoiser(words, nothing, GUIDANCE, condition, None)
    grid = trailing(start, min(STEPS, start + 1))
    return sample(Multistep(), model.levels, denoise, State(x, start), grid, NOISE).x


def tiled(rows: Sequence[Float[Tensor, "n 3 h w"]]) -> Picture:
    """Pictures, -1..1, in rows."""
    height, width = rows[0].shape[2] + GAP, rows[0].shape[3] + GAP
    sheet = np.full((height * len(rows), width * len(rows[0]), 3), 255, dtype=np.uint8)
    for row, pictures in enumerate(rows):
        bytes_ = ((pictures.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        for column, picture in enumerate(bytes_):
            top, left = row * height, column * width
            sheet[top : top + height - GAP, left : left + width - GAP] = picture
    return sheet
