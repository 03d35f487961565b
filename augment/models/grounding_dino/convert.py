"""The same Grounding DINO for both implementations: names of tensors, and the configuration.

Names on the side of transformers are those in Hub checkpoints (`model.safetensors`); what its classes call their
parameters in memory changes from release to release.
"""

import itertools
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import torch
from transformers import BertConfig, GroundingDinoConfig, SwinConfig

from augment.errors import RequestError
from augment.models.grounding_dino.architectures import UNUSED, swin_sizes

SWIN, HUB_SWIN = "backbone.0.layers.#.blocks.#", "model.backbone.conv_encoder.model.encoder.layers.#.blocks.#"
ENCODER, HUB_ENCODER = "transformer.encoder.layers.#", "model.encoder.layers.#.deformable_layer"
TEXT, HUB_TEXT = "transformer.encoder.text_layers.#", "model.encoder.layers.#.text_enhancer_layer"
FUSION, HUB_FUSION = "transformer.encoder.fusion_layers.#", "model.encoder.layers.#.fusion_layer"
DECODER, HUB_DECODER = "transformer.decoder.layers.#", "model.decoder.layers.#"

PREFIXES = (
    ("backbone.0.patch_embed.proj.", "model.backbone.conv_encoder.model.embeddings.patch_embeddings.projection."),
    ("backbone.0.patch_embed.norm.", "model.backbone.conv_encoder.model.embeddings.norm."),
    (f"{SWIN}.attn.qkv.", f"{HUB_SWIN}.attention.self.*."),
    (f"{SWIN}.attn.relative_position_bias_table", f"{HUB_SWIN}.attention.self.relative_position_bias_table"),
    (f"{SWIN}.attn.proj.", f"{HUB_SWIN}.attention.output.dense."),
    (f"{SWIN}.norm1.", f"{HUB_SWIN}.layernorm_before."),
    (f"{SWIN}.norm2.", f"{HUB_SWIN}.layernorm_after."),
    (f"{SWIN}.mlp.fc1.", f"{HUB_SWIN}.intermediate.dense."),
    (f"{SWIN}.mlp.fc2.", f"{HUB_SWIN}.output.dense."),
    ("backbone.0.layers.#.downsample.", "model.backbone.conv_encoder.model.encoder.layers.#.downsample."),
    *(
        (f"backbone.0.norm{stage}.", f"model.backbone.conv_encoder.model.hidden_states_norms.stage{stage + 1}.")
        for stage in range(4)
    ),
    ("input_proj.", "model.input_proj_vision."),
    ("bert.", "model.text_backbone."),
    ("feat_map.", "model.text_projection."),
    ("transformer.tgt_embed.", "model.query_position_embeddings."),
    ("transformer.level_embed", "model.level_embed"),
    ("transformer.enc_output.", "model.enc_output."),
    ("transformer.enc_output_norm.", "model.enc_output_norm."),
    ("transformer.enc_out_bbox_embed.", "model.encoder_output_bbox_embed."),
    (f"{ENCODER}.self_attn.", f"{HUB_ENCODER}.self_attn."),
    (f"{ENCODER}.norm1.", f"{HUB_ENCODER}.self_attn_layer_norm."),
    (f"{ENCODER}.linear1.", f"{HUB_ENCODER}.fc1."),
    (f"{ENCODER}.linear2.", f"{HUB_ENCODER}.fc2."),
    (f"{ENCODER}.norm2.", f"{HUB_ENCODER}.final_layer_norm."),
    (f"{TEXT}.self_attn.in_proj_", f"{HUB_TEXT}.self_attn.*."),
    (f"{TEXT}.self_attn.out_proj.", f"{HUB_TEXT}.self_attn.out_proj."),
    (f"{TEXT}.linear1.", f"{HUB_TEXT}.fc1."),
    (f"{TEXT}.linear2.", f"{HUB_TEXT}.fc2."),
    (f"{TEXT}.norm1.", f"{HUB_TEXT}.layer_norm_before."),
    (f"{TEXT}.norm2.", f"{HUB_TEXT}.layer_norm_after."),
    (f"{FUSION}.gamma_v", f"{HUB_FUSION}.vision_param"),
    (f"{FUSION}.gamma_l", f"{HUB_FUSION}.text_param"),
    (f"{FUSION}.layer_norm_v.", f"{HUB_FUSION}.layer_norm_vision."),
    (f"{FUSION}.layer_norm_l.", f"{HUB_FUSION}.layer_norm_text."),
    (f"{FUSION}.attn.v_proj.", f"{HUB_FUSION}.attn.vision_proj."),
    (f"{FUSION}.attn.l_proj.", f"{HUB_FUSION}.attn.text_proj."),
    (f"{FUSION}.attn.values_v_proj.", f"{HUB_FUSION}.attn.values_vision_proj."),
    (f"{FUSION}.attn.values_l_proj.", f"{HUB_FUSION}.attn.values_text_proj."),
    (f"{FUSION}.attn.out_v_proj.", f"{HUB_FUSION}.attn.out_vision_proj."),
    (f"{FUSION}.attn.out_l_proj.", f"{HUB_FUSION}.attn.out_text_proj."),
    (f"{DECODER}.self_attn.in_proj_", f"{HUB_DECODER}.self_attn.*."),
    (f"{DECODER}.self_attn.out_proj.", f"{HUB_DECODER}.self_attn.out_proj."),
    (f"{DECODER}.norm2.", f"{HUB_DECODER}.self_attn_layer_norm."),
    (f"{DECODER}.ca_text.in_proj_", f"{HUB_DECODER}.encoder_attn_text.*."),
    (f"{DECODER}.ca_text.out_proj.", f"{HUB_DECODER}.encoder_attn_text.out_proj."),
    (f"{DECODER}.catext_norm.", f"{HUB_DECODER}.encoder_attn_text_layer_norm."),
    (f"{DECODER}.cross_attn.", f"{HUB_DECODER}.encoder_attn."),
    (f"{DECODER}.norm1.", f"{HUB_DECODER}.encoder_attn_layer_norm."),
    (f"{DECODER}.linear1.", f"{HUB_DECODER}.fc1."),
    (f"{DECODER}.linear2.", f"{HUB_DECODER}.fc2."),
    (f"{DECODER}.norm3.", f"{HUB_DECODER}.final_layer_norm."),
    ("transformer.decoder.norm.", "model.decoder.layer_norm."),
    ("transformer.decoder.ref_point_head.", "model.decoder.reference_points_head."),
    ("transformer.decoder.bbox_embed.", "model.decoder.bbox_embed."),
    ("bbox_embed.", "bbox_embed."),
)
"""How names begin in the original and in Hub checkpoints; # is a number, and what the original has as one tensor is
three in the latter where there is a *."""

PARTS = ("query", "key", "value")
AGAIN, HUB_AGAIN = "transformer.decoder.bbox_embed.", "model.decoder.bbox_embed."  # other names of the decoder's heads
HUB_UNUSED = ("*.position_ids", "*.relative_position_index", "*.model.swin.layernorm.*", f"{HUB_AGAIN}*")


def to_transformers(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors of an original checkpoint as a Hub checkpoint has them.

    What neither implementation reads is left out (see UNUSED). Raises RequestError for names of another network.
    """
    renamings = [_renaming(original, hub) for original, hub in PREFIXES]
    found: dict[str, torch.Tensor] = {}
    for name, (renamed, _) in _renamed(state, renamings, (*UNUSED, f"{AGAIN}*")).items():
        if "*" in renamed:
            pieces = state[name].chunk(len(PARTS))
            found.update({renamed.replace("*", part): piece for part, piece in zip(PARTS, pieces, strict=True)})
        else:
            found[renamed] = state[name]
    return found


def to_original(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors of a Hub checkpoint as an original one has them: the inverse of `to_transformers`.

    Where decoder layers share their head, each gets it under its own names. Raises RequestError for names of another
    network.
    """
    renamings = [_renaming(hub, original) for original, hub in PREFIXES]
    found: dict[str, torch.Tensor] = {}
    for name, (renamed, part) in _renamed(state, renamings, HUB_UNUSED).items():
        if part == PARTS[0]:
            found[renamed] = torch.cat([state[name.replace(f".{part}.", f".{other}.")] for other in PARTS])
        elif part is None:
            found[renamed] = state[name]
    layers = {name.split(".")[3] for name in found if name.startswith("transformer.decoder.layers.")}
    for name in [name for name in found if name.startswith("bbox_embed.0.")]:
        for layer in layers:
            own = name.replace(".0.", f".{layer}.", 1)
            found.setdefault(own, found[name])
            found[f"transformer.decoder.{own}"] = found[own]
    return found


def config_of(configuration: Mapping[str, Any], text_encoder: BertConfig) -> GroundingDinoConfig:
    """The configuration that transformers needs for a network of the package's `configuration` (`configuration_of`)."""
    sizes = swin_sizes(configuration)
    layers = [index + 1 for index in configuration["return_interm_indices"]]
    return GroundingDinoConfig(
        backbone_config=SwinConfig(**sizes, out_indices=layers),
        text_config=text_encoder,
        num_queries=configuration["num_queries"],
        encoder_layers=configuration["enc_layers"],
        encoder_ffn_dim=configuration["dim_feedforward"],
        encoder_attention_heads=configuration["nheads"],
        encoder_n_points=configuration["enc_n_points"],
        decoder_layers=configuration["dec_layers"],
        decoder_ffn_dim=configuration["dim_feedforward"],
        decoder_attention_heads=configuration["nheads"],
        decoder_n_points=configuration["dec_n_points"],
        activation_function=configuration["transformer_activation"],
        d_model=configuration["hidden_dim"],
        dropout=configuration["dropout"],
        num_feature_levels=configuration["num_feature_levels"],
        two_stage=configuration["two_stage_type"] == "standard",
        two_stage_bbox_embed_share=configuration["two_stage_bbox_embed_share"],
        decoder_bbox_embed_share=configuration["dec_pred_bbox_embed_share"],
        embedding_init_target=configuration["embed_init_tgt"],
        max_text_len=configuration["max_text_len"],
        text_enhancer_dropout=configuration["text_dropout"],
        fusion_dropout=configuration["fusion_dropout"],
        fusion_droppath=configuration["fusion_droppath"],
        positional_embedding_temperature=configuration["pe_temperatureH"],
    )


def _renaming(source: str, target: str) -> tuple[re.Pattern[str], str]:
    """A pattern for the beginnings of names, and what to expand in their place."""
    pattern = re.escape(source).replace(re.escape("#"), r"(\d+)")
    pattern = pattern.replace(re.escape("*"), f"(?P<part>{'|'.join(PARTS)})")
    numbers = itertools.count(1)
    return re.compile(pattern), re.sub("#", lambda _: rf"\g<{next(numbers)}>", target)


def _renamed(
    names: Iterable[str], renamings: Iterable[tuple[re.Pattern[str], str]], unused: Iterable[str]
) -> dict[str, tuple[str, str | None]]:
    """Each name that is used, with its new one, and which of PARTS it is."""
    found: dict[str, tuple[str, str | None]] = {}
    unknown = []
    for name in names:
        if any(fnmatchcase(name, pattern) for pattern in unused):
            continue
        for pattern, target in renamings:
            if match := pattern.match(name):
                found[name] = (match.expand(target) + name[match.end() :], match.groupdict().get("part"))
                break
        else:
            unknown.append(name)
    if unknown:
        raise RequestError(
            f"{len(unknown)} tensors are none of a Grounding DINO's: {', '.join(unknown[:3])}; "
            "give a checkpoint of the implementation that is converted from"
        )
    return found
