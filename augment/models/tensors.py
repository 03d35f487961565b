"""Pictures as networks want them."""

from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, 0..1, as networks trained on it expect


def normalised(picture: UInt8[np.ndarray, "h w 3"], height: int, width: int, like: torch.Tensor) -> Any:
    """One picture, resampled with antialiasing, channels first, standardised by ImageNet: (1, 3, height, width).

    `like`: a tensor whose device and dtype it gets.
    """
    pixels = torch.tensor(np.ascontiguousarray(picture), device=like.device).permute(2, 0, 1)[None].float()
    pixels = torch.nn.functional.interpolate(pixels, (height, width), mode="bilinear", antialias=True) / 255
    mean, deviation = (torch.tensor(of, device=like.device)[:, None, None] for of in (MEAN, DEVIATION))
    return ((pixels - mean) / deviation).to(like.dtype)
