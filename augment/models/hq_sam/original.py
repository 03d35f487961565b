"""HQ-SAM from its authors' checkpoints, through the package segment-anything-hq."""

import warnings
from pathlib import Path

import torch

from augment.errors import RequestError
from augment.models.checkpoints import load_into, read_state
from augment.models.hq_sam.segmenter import HqSam
from augment.models.kinds import KINDS
from augment.models.runtime import Runtime

with warnings.catch_warnings():  # of timm: that paths are old, and that TinyViT takes the names of its own
    warnings.filterwarnings("ignore", "Importing from timm.models", FutureWarning)
    warnings.filterwarnings("ignore", "Overwriting tiny_vit", UserWarning)
    import segment_anything_hq as segment_anything_hq  # for others too


def open_original(checkpoint: Path, architecture: str, runtime: Runtime, hq_token_only: bool = False) -> HqSam:
    """The network of a `.pth` file as its authors publish them.

    Raises RequestError where the architecture is unknown, or the file is broken, or of another.
    """
    state = read_state(checkpoint)
    sam = build(architecture)
    load_into(sam, state, f"{checkpoint} ({architecture})")
    return prompted(sam, runtime, hq_token_only)


def build(architecture: str) -> torch.nn.Module:
    """The package's network with random weights, that leaves torch's random numbers as they were.

    Raises RequestError where the architecture is unknown.
    """
    known = KINDS["hq_sam"].architectures
    if architecture not in known:
        raise RequestError(f"unknown architecture of HQ-SAM: {architecture}; known: {', '.join(known)}")
    with torch.random.fork_rng(devices=[]):
        return segment_anything_hq.sam_model_registry[architecture]()


def prompted(sam: torch.nn.Module, runtime: Runtime, hq_token_only: bool = False) -> HqSam:
    """A network of the package, with its weights, as a PromptedSegmenter. It is moved to the runtime's device."""
    device, dtype = runtime.place()
    sam.requires_grad_(False).to(device)
    sam.eval()  # after the weights: TinyViT makes its attention's biases ready here
    sam.image_encoder.to(dtype)
    sam.mask_decoder.to(dtype)  # but not the prompts' encoder: half precision is whole pixels off

    def encode(pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        embeddings, early = sam.image_encoder(pictures)
        return embeddings, early[0]

    def decode(
        embeddings: torch.Tensor,
        early: torch.Tensor,
        boxes: torch.Tensor,
        points: torch.Tensor | None,
        labels: torch.Tensor | None,
        hq_token_only: bool,
    ) -> torch.Tensor:
        prompts = None if points is None else (points, labels)
        sparse, dense = sam.prompt_encoder(points=prompts, boxes=boxes, masks=None)
        logits, _ = sam.mask_decoder(
            image_embeddings=embeddings,
            image_pe=sam.prompt_encoder.get_dense_pe().to(dtype),
            sparse_prompt_embeddings=sparse.to(dtype),
            dense_prompt_embeddings=dense.to(dtype),
            multimask_output=False,
            hq_token_only=hq_token_only,
            interm_embeddings=early[None],
        )
        return logits

    return HqSam(encode, decode, sam.image_encoder.img_size, runtime, hq_token_only)
