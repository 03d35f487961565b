"""HQ-SAM from a folder in the form of the Hub, through transformers."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Float32
from transformers import SamHQModel

from augment.models.hq_sam.segmenter import HqSam
from augment.models.hub import load
from augment.models.runtime import Runtime


def open_hub(folder: Path, runtime: Runtime, hq_token_only: bool = False) -> HqSam:
    """The network of a transformers folder. Raises RequestError as `hub.load`."""
    return prompted(load(SamHQModel, "hq_sam", folder), runtime, hq_token_only)


def prompted(model: SamHQModel, runtime: Runtime, hq_token_only: bool = False) -> HqSam:
    """A network of transformers, with its weights, as a PromptedSegmenter. It is moved to the runtime's device."""
    device, dtype = runtime.place()
    model.requires_grad_(False).to(device)
    model.eval()
    model.vision_encoder.to(dtype)
    model.mask_decoder.to(dtype)  # but not the prompts' encoder: half precision is whole pixels off

    def encode(pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = model.vision_encoder(pictures)
        return found.last_hidden_state, found.intermediate_embeddings[0]

    return HqSam(encode, partial(mask_logits, model), model.config.vision_config.image_size, runtime, hq_token_only)


def mask_logits(
    model: SamHQModel,
    embeddings: Float[torch.Tensor, "1 c e e"],
    early: Float[torch.Tensor, "1 e e d"],
    boxes: Float32[torch.Tensor, "n 4"],
    points: Float32[torch.Tensor, "n p 2"] | None = None,
    labels: Float32[torch.Tensor, "n p"] | None = None,
    hq_token_only: bool = False,
) -> Float[torch.Tensor, "n 1 l l"]:
    """Logits of one mask a box, with gradients if they are on; arguments are segmenter.Decode's.

    Of transformers' decoder, its parts are used and not its `forward`: that (in 5.23) upscales the picture's
    embeddings, rows and columns exchanged, and not what its transformer made of them for the prompts.
    """
    decoder = model.mask_decoder
    count, side, dtype = len(boxes), embeddings.shape[-1], embeddings.dtype
    sparse, dense = model.prompt_encoder(
        None if points is None else points[None], None if labels is None else labels[None], boxes[None], None
    )
    positions = model.get_image_wide_positional_embeddings().to(dtype)
    own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight, decoder.hq_token.weight])
    tokens, pixels = decoder.transformer(  # each box is a picture to it
        point_embeddings=torch.cat([own.expand(count, -1, -1), sparse[0].to(dtype)], dim=1)[:, None],
        image_embeddings=(embeddings + dense.to(dtype)).expand(count, -1, -1, -1),
        image_positional_embeddings=positions.expand(count, -1, -1, -1),
        attention_similarity=None,
    )
    answers = tokens[
        :, 0, 1 : len(own)
    ]  # of the mask tokens, one for single masks before three others, and the HQ token
    square = pixels[:, 0].mT.reshape(count, -1, side, side)
    fine, fine_hq = _upscaled(decoder, square, embeddings, early)
    logits = torch.einsum("nc,nchw->nhw", decoder.hq_mask_mlp(answers[:, -1]), fine_hq)
    if not hq_token_only:
        logits = logits + torch.einsum("nc,nchw->nhw", decoder.output_hypernetworks_mlps[0](answers[:, 0]), fine)
    return logits[:, None]


def _upscaled(
    decoder: Any,
    square: Float[torch.Tensor, "n c e e"],
    embeddings: Float[torch.Tensor, "1 c e e"],
    early: Float[torch.Tensor, "1 e e d"],
) -> tuple[Float[torch.Tensor, "n k l l"], Float[torch.Tensor, "n k l l"]]:
    """Features of four times the resolution for SAM's own tokens, and for the HQ token, which gets details besides."""
    active = decoder.activation
    fine = active(decoder.upscale_layer_norm(decoder.upscale_conv1(square)))
    fine = active(decoder.upscale_conv2(fine))
    late = decoder.encoder_conv2(active(decoder.encoder_norm(decoder.encoder_conv1(embeddings))))
    details = active(decoder.compress_vit_norm(decoder.compress_vit_conv1(early.permute(0, 3, 1, 2))))
    details = decoder.compress_vit_conv2(details)
    return fine, decoder.mask_conv2(active(decoder.mask_norm(decoder.mask_conv1(fine)))) + late + details
