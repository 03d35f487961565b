"""Networks of the real classes at small size, with random weights that differ from seed to seed."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    Dinov2Config,
    Dinov2Model,
    Sam2HieraDetConfig,
    Sam2VideoConfig,
    Sam2VideoModel,
    Sam2VisionConfig,
)


def sam2(folder: Path, seed: int = 0) -> Path:
    """A Hub folder of SAM 2 for pictures of 64 x 64, that takes nearly everything to be in sight."""
    hiera = Sam2HieraDetConfig(
        hidden_size=8,
        num_attention_heads=1,
        image_size=[64, 64],
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 2, 4, 8],
        window_size_per_stage=[4, 4, 4, 2],
        global_attention_blocks=[3],
    )
    vision = Sam2VisionConfig(
        backbone_config=hiera,
        backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
        fpn_hidden_size=128,
    )
    config = Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config={"hidden_size": 128, "image_size": 64, "mask_input_channels": 8},
        mask_decoder_config={
            "hidden_size": 128,
            "mlp_dim": 32,
            "iou_head_hidden_dim": 32,
            "num_attention_heads": 2,
        },
        image_size=64,
        memory_attention_hidden_size=128,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32,
        memory_attention_rope_feat_sizes=[4, 4],
        memory_encoder_hidden_size=128,
        mask_downsampler_embed_dim=128,
        memory_fuser_embed_dim=128,
        memory_fuser_intermediate_dim=32,
    )
    network = _random(Sam2VideoModel, config, seed)
    network.mask_decoder.pred_obj_score_head.proj_out.bias.data += 4
    network.save_pretrained(folder)
    return folder


def dinov2(folder: Path, seed: int = 0) -> Path:
    """A Hub folder of DINOv2."""
    config = Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=56)
    _random(Dinov2Model, config, seed).save_pretrained(folder)
    return folder


def _random(architecture: Any, config: Any, seed: int) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = architecture(config)
        for parameter in network.parameters():  # many start as zeros, and would hide what they are for
            parameter.data.add_(torch.randn_like(parameter) * 0.2)
    return network
