"""One network's weights under two sets of names: the authors' and transformers'."""

import re
from collections.abc import Mapping

import torch
from transformers import SamHQConfig

from augment.errors import RequestError

DECODER_HEADS = 8  # of every SAM; weights do not tell
NO_TINY_VIT = "vit_tiny's encoder (TinyViT) is not in transformers; keep the original checkpoint"
DECODER_EPSILON = 1e-5  # the authors'; transformers' own default is 1e-6

# original -> hub, by beginnings of names; `#` is a number. Every parameter has exactly one line.
PARTS = {
    "image_encoder.pos_embed": "vision_encoder.pos_embed",
    "image_encoder.patch_embed.proj.": "vision_encoder.patch_embed.projection.",
    "image_encoder.blocks.#.norm1.": "vision_encoder.layers.#.layer_norm1.",
    "image_encoder.blocks.#.norm2.": "vision_encoder.layers.#.layer_norm2.",
    "image_encoder.blocks.#.attn.": "vision_encoder.layers.#.attn.",
    "image_encoder.blocks.#.mlp.": "vision_encoder.layers.#.mlp.",
    "image_encoder.neck.0.": "vision_encoder.neck.conv1.",
    "image_encoder.neck.1.": "vision_encoder.neck.layer_norm1.",
    "image_encoder.neck.2.": "vision_encoder.neck.conv2.",
    "image_encoder.neck.3.": "vision_encoder.neck.layer_norm2.",
    "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix": "shared_image_embedding.positional_embedding",
    "prompt_encoder.point_embeddings.#.": "prompt_encoder.point_embed.#.",
    "prompt_encoder.not_a_point_embed.": "prompt_encoder.not_a_point_embed.",
    "prompt_encoder.no_mask_embed.": "prompt_encoder.no_mask_embed.",
    "prompt_encoder.mask_downscaling.0.": "prompt_encoder.mask_embed.conv1.",
    "prompt_encoder.mask_downscaling.1.": "prompt_encoder.mask_embed.layer_norm1.",
    "prompt_encoder.mask_downscaling.3.": "prompt_encoder.mask_embed.conv2.",
    "prompt_encoder.mask_downscaling.4.": "prompt_encoder.mask_embed.layer_norm2.",
    "prompt_encoder.mask_downscaling.6.": "prompt_encoder.mask_embed.conv3.",
    "mask_decoder.transformer.layers.#.norm#.": "mask_decoder.transformer.layers.#.layer_norm#.",
    "mask_decoder.transformer.layers.#.self_attn.": "mask_decoder.transformer.layers.#.self_attn.",
    "mask_decoder.transformer.layers.#.cross_attn": "mask_decoder.transformer.layers.#.cross_attn",
    "mask_decoder.transformer.layers.#.mlp.": "mask_decoder.transformer.layers.#.mlp.",
    "mask_decoder.transformer.final_attn": "mask_decoder.transformer.final_attn",
    "mask_decoder.transformer.norm_final_attn.": "mask_decoder.transformer.layer_norm_final_attn.",
    "mask_decoder.iou_token.": "mask_decoder.iou_token.",
    "mask_decoder.mask_tokens.": "mask_decoder.mask_tokens.",
    "mask_decoder.hf_token.": "mask_decoder.hq_token.",
    "mask_decoder.output_upscaling.0.": "mask_decoder.upscale_conv1.",
    "mask_decoder.output_upscaling.1.": "mask_decoder.upscale_layer_norm.",
    "mask_decoder.output_upscaling.3.": "mask_decoder.upscale_conv2.",
    "mask_decoder.compress_vit_feat.0.": "mask_decoder.compress_vit_conv1.",
    "mask_decoder.compress_vit_feat.1.": "mask_decoder.compress_vit_norm.",
    "mask_decoder.compress_vit_feat.3.": "mask_decoder.compress_vit_conv2.",
    "mask_decoder.embedding_encoder.0.": "mask_decoder.encoder_conv1.",
    "mask_decoder.embedding_encoder.1.": "mask_decoder.encoder_norm.",
    "mask_decoder.embedding_encoder.3.": "mask_decoder.encoder_conv2.",
    "mask_decoder.embedding_maskfeature.0.": "mask_decoder.mask_conv1.",
    "mask_decoder.embedding_maskfeature.1.": "mask_decoder.mask_norm.",
    "mask_decoder.embedding_maskfeature.3.": "mask_decoder.mask_conv2.",
}
HEADS = {
    "mask_decoder.output_hypernetworks_mlps.#.": "mask_decoder.output_hypernetworks_mlps.#.",
    "mask_decoder.iou_prediction_head.": "mask_decoder.iou_prediction_head.",
    "mask_decoder.hf_mlp.": "mask_decoder.hq_mask_mlp.",
}
LAYERS = {"layers.0.": "proj_in.", "layers.1.": "layers.0.", "layers.2.": "proj_out."}  # of each of the heads
NAMES = PARTS | {
    head + layer: hub_head + hub_layer for head, hub_head in HEADS.items() for layer, hub_layer in LAYERS.items()
}
TIED = "prompt_encoder.shared_embedding."  # transformers' second name of shared_image_embedding


def to_hub(original: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights of an original checkpoint (vit_b, vit_l or vit_h) under the names of transformers' SamHQModel.

    Raises RequestError for what has no counterpart there, among it all of vit_tiny.
    """
    if any(name.startswith("image_encoder.patch_embed.seq") for name in original):
        raise RequestError(NO_TINY_VIT)
    return _renamed(original, NAMES)


def to_original(hub: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights of transformers' SamHQModel under the names of the authors' checkpoints; the inverse of `to_hub`."""
    untied = {name: value for name, value in hub.items() if not name.startswith(TIED)}
    return _renamed(untied, {new: old for old, new in NAMES.items()})


def config_of(original: Mapping[str, torch.Tensor]) -> SamHQConfig:
    """What transformers has to know of an original checkpoint, read off the shapes of its weights.

    Raises RequestError where they are not those of HQ-SAM with a ViT.
    """
    try:
        return _config(to_hub(original))
    except (LookupError, ValueError) as error:
        raise RequestError(f"these are not the weights of an HQ-SAM with a ViT ({error}); check the file") from error


def _config(hub: Mapping[str, torch.Tensor]) -> SamHQConfig:
    shape = {name: tuple(value.shape) for name, value in hub.items()}
    hidden, _, patch, _ = shape["vision_encoder.patch_embed.projection.weight"]
    grid = shape["vision_encoder.pos_embed"][1]
    spans = [shape[f"vision_encoder.layers.{i}.attn.rel_pos_h"] for i in range(_count(shape, "vision_encoder.layers."))]
    sides = [(length + 1) // 2 for length, _ in spans]  # of what each layer attends to: its window, or all
    windows = {side for side in sides if side != grid}
    block = "mask_decoder.transformer.layers.0."
    inner, width = shape[block + "cross_attn_token_to_image.q_proj.weight"]
    vision = {
        "hidden_size": hidden,
        "output_channels": shape["vision_encoder.neck.conv1.weight"][0],
        "num_hidden_layers": len(sides),
        "num_attention_heads": hidden // spans[0][1],
        "image_size": grid * patch,
        "patch_size": patch,
        "qkv_bias": "vision_encoder.layers.0.attn.qkv.bias" in shape,
        "window_size": windows.pop() if windows else grid,
        "global_attn_indexes": [i for i, side in enumerate(sides) if side == grid],
        "num_pos_feats": shape["shared_image_embedding.positional_embedding"][1],
        "mlp_dim": shape["vision_encoder.layers.0.mlp.lin1.weight"][0],
    }
    prompt = {
        "hidden_size": width,
        "image_size": grid * patch,
        "patch_size": patch,
        "mask_input_channels": shape["prompt_encoder.mask_embed.conv2.weight"][0],
        "num_point_embeddings": _count(shape, "prompt_encoder.point_embed."),
    }
    decoder = {
        "hidden_size": width,
        "mlp_dim": shape[block + "mlp.lin1.weight"][0],
        "num_hidden_layers": _count(shape, "mask_decoder.transformer.layers."),
        "num_attention_heads": DECODER_HEADS,
        "attention_downsample_rate": width // inner,
        "num_multimask_outputs": shape["mask_decoder.mask_tokens.weight"][0] - 1,
        "iou_head_hidden_dim": shape["mask_decoder.iou_prediction_head.proj_in.weight"][0],
        "layer_norm_eps": DECODER_EPSILON,
        "vit_dim": shape["mask_decoder.compress_vit_conv1.weight"][0],
    }
    return SamHQConfig(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)


def _renamed(state: Mapping[str, torch.Tensor], names: Mapping[str, str]) -> dict[str, torch.Tensor]:
    rules = [(re.compile(re.escape(old).replace(r"\#", r"(\d+)")), new.split("#")) for old, new in names.items()]
    renamed = {}
    for name, value in state.items():
        found = [(match, new) for rule, new in rules if (match := rule.match(name))]
        if not found:
            raise RequestError(f"{name} is no weight of an HQ-SAM with a ViT; check the file")
        match, (first, *rest) = found[0]
        numbers = zip(match.groups(), rest, strict=True)
        renamed[first + "".join(number + part for number, part in numbers) + name[match.end() :]] = value
    return renamed


def _count(shape: Mapping[str, tuple[int, ...]], beginning: str) -> int:
    return len({name[len(beginning) :].split(".")[0] for name in shape if name.startswith(beginning)})
