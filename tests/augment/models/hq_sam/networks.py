"""The real classes at small size, with weights at random, large enough that masks have both colours."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from transformers import SamHQModel

from augment.models import hub
from augment.models.hq_sam import original
from augment.models.hq_sam.convert import config_of, to_hub
from augment.models.runtime import Runtime

authors = original.segment_anything_hq.modeling  # imported there, where its warnings are silenced
CPU = Runtime(device="cpu", precision="float32", batch=2)


def small(size: int = 128, window: int = 5, whole: tuple[int, ...] = (1,), seed: int = 0) -> torch.nn.Module:
    """An HQ-SAM with a ViT, as its authors wrote it. 16 × 16 patches do not divide into windows of 5."""
    grid, width = size // 8, 32
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        norm = partial(torch.nn.LayerNorm, eps=1e-6)
        encoder = authors.ImageEncoderViT(
            img_size=size, patch_size=8, embed_dim=32, depth=3, num_heads=2, out_chans=width, norm_layer=norm,
            use_rel_pos=True, window_size=window, global_attn_indexes=whole,
        )  # fmt: skip
        return _with_contrast(
            authors.Sam(encoder, authors.PromptEncoder(width, (grid, grid), (size, size), 16), _decoder(width, 32))
        )


def small_tiny_vit(seed: int = 0) -> torch.nn.Module:
    """An HQ-SAM with a TinyViT, narrow and shallow; the class is written for pictures of 1024 pixels alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = authors.TinyViT(
            img_size=1024, num_classes=1, embed_dims=[8, 8, 8, 320], depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 5],
            mbconv_expand_ratio=1.0, mlp_ratio=1.0, drop_path_rate=0.0,
        )  # fmt: skip
        return _with_contrast(
            authors.Sam(encoder, authors.PromptEncoder(256, (64, 64), (1024, 1024), 16), _decoder(256, 8))
        )


def twin(sam: torch.nn.Module) -> SamHQModel:
    """The same network, of transformers."""
    state = sam.state_dict()
    return hub.build(SamHQModel, config_of(state), to_hub(state), Path("the twin"))


def pictures(*sizes: tuple[int, int], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for height, width in sizes]


def boxes_in(picture: np.ndarray) -> np.ndarray:
    """Of the whole picture, and of two parts of it."""
    shares = np.array([[0, 0, 1, 1], [0.2, 0.3, 0.7, 0.8], [0.5, 0.1, 0.9, 0.4]])
    height, width = picture.shape[:2]
    return (shares * [width, height, width, height]).astype(np.float32)


def _decoder(width: int, vit_dim: int) -> torch.nn.Module:
    transformer = authors.TwoWayTransformer(2, width, 8, 64)
    return authors.MaskDecoderHQ(
        transformer_dim=width, transformer=transformer, iou_head_hidden_dim=16, vit_dim=vit_dim
    )


def _with_contrast(sam: torch.nn.Module) -> torch.nn.Module:
    """Positions count, which they would not at first, and logits go well beyond 1."""
    for name, value in sam.named_parameters():
        if "pos" in name or "norm" in name or "attention_biases" in name:
            value.data += 0.3 * torch.randn_like(value)
    decoder = sam.mask_decoder
    for head in (decoder.hf_mlp, *decoder.output_hypernetworks_mlps):
        head.layers[-1].weight.data *= 100
        head.layers[-1].bias.data *= 100
    return sam
