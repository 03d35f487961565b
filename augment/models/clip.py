"""How far pictures are from words, by CLIP (Radford et al. 2021)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, UInt8
from torch import Tensor
from torch.nn import functional
from transformers import CLIPModel, CLIPTokenizer

from augment.errors import PaintError, RequestError
from augment.models.hub import load, quietly
from augment.models.runtime import Runtime

MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # of colours 0..1


def open_hub(folder: Path, runtime: Runtime) -> "Clip":
    """CLIP from a Hub folder, in float32 whatever the runtime's precision: its distances differ by little.

    Raises RequestError as `hub.load`, and where there is no tokenizer.
    """
    network = load(CLIPModel, "clip", folder).to(runtime.place()[0]).requires_grad_(False)
    network.set_attn_implementation("eager")  # others give gradients that differ from run to run
    try:
        with quietly():
            tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError) as error:
        raise RequestError(f"{folder} holds no tokenizer of CLIP ({error}); get it anew, or give another") from error
    return Clip(network, tokenizer)


@dataclass(frozen=True, eq=False)
class Clip:
    """A Judge, and what it says as tensors, with gradients."""

    network: Any
    """A CLIPModel, for evaluation."""
    tokenizer: Any

    def distances(
        self,
        pictures: Sequence[UInt8[np.ndarray, "h w 3"]],
        words: str,
        masks: Sequence[Bool[np.ndarray, "h w"]] | None = None,
    ) -> Float32[np.ndarray, " n"]:
        """As Judge promises; one by one, so that no distance depends on what else is asked.

        Raises PaintError where one is no number.
        """
        wholes = [np.ones(picture.shape[:2], dtype=np.bool_) for picture in pictures]
        with torch.inference_mode():
            said = self.read(words)
            far = [
                spherical(self.look(self.fitted(self._tensor(picture, mask))), said).item()
                for picture, mask in zip(pictures, wholes if masks is None else masks, strict=True)
            ]
        if not np.isfinite(far).all():
            raise PaintError("CLIP finds distances from the words that are no numbers; get its weights anew")
        return np.array(far, dtype=np.float32)

    def read(self, words: str) -> Float[Tensor, "1 d"]:
        """A unit vector for words; cut where they are too long."""
        tokens = self.tokenizer([words], max_length=self.longest, truncation=True)["input_ids"]
        said = self.network.text_model(torch.tensor(tokens, device=self.device)).pooler_output
        return functional.normalize(self.network.text_projection(said), dim=-1)

    def cut(self, words: str) -> str:
        """What is beyond the longest words that are read; empty where all is read."""
        numbers = self.tokenizer(words, add_special_tokens=False, verbose=False)["input_ids"]
        return str(self.tokenizer.decode(numbers[self.longest - 2 :]))

    def look(self, pixels: Float[Tensor, "n 3 side side"]) -> Float[Tensor, "n d"]:
        """Unit vectors for pictures of CLIP's size, -1..1."""
        mean, deviation = (torch.tensor(values, device=self.device)[:, None, None] for values in (MEAN, DEVIATION))
        seen = self.network.vision_model(((pixels + 1) / 2 - mean) / deviation).pooler_output
        return functional.normalize(self.network.visual_projection(seen), dim=-1)

    def fitted(self, pixels: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 side side"]:
        """Pictures, -1..1, whole and at CLIP's size: made square with grey, and resampled with antialiasing.

        By products of matrices, of which gradients are the same in every run.
        """
        height, width = pixels.shape[-2:]
        longer, side = max(height, width), int(self.network.config.vision_config.image_size)
        top, left = (longer - height) // 2, (longer - width) // 2
        square = functional.pad(pixels, (left, longer - width - left, top, longer - height - top))
        unit = torch.eye(longer, dtype=pixels.dtype, device=pixels.device)[None, None]
        weights = functional.interpolate(unit, (side, longer), mode="bilinear", antialias=True)[0, 0]
        return torch.einsum("sh,nchw,tw->ncst", weights, square, weights)

    @property
    def longest(self) -> int:
        """Tokens that are read at most, with those that begin and end words."""
        return int(self.network.config.text_config.max_position_embeddings)

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def _tensor(self, picture: UInt8[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"]) -> Float[Tensor, "1 3 h w"]:
        """-1..1, grey outside of the mask."""
        values = (picture.astype(np.float32) / 127.5 - 1) * mask[..., None]
        return torch.from_numpy(values).permute(2, 0, 1)[None].to(self.device)


def spherical(one: Float[Tensor, "*n d"], other: Float[Tensor, "*_n d"]) -> Float[Tensor, "*n"]:
    """Twice the square of half the angle between unit vectors: 0 for the same, pi^2 / 2 for opposite ones."""
    return 2 * ((one - other).norm(dim=-1) / 2).clamp(max=1).asin().square()
