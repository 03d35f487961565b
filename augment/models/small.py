"""The real networks at a small size: what `restage train` trains, and tests build."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from transformers import (
    BertConfig,
    BertTokenizer,
    GroundingDinoConfig,
    Sam2HieraDetConfig,
    Sam2VideoConfig,
    Sam2VisionConfig,
    SamHQConfig,
    SamHQMaskDecoderConfig,
    SamHQPromptEncoderConfig,
    SamHQVisionConfig,
    SwinConfig,
)

PAD, UNKNOWN, START, END, STOP, QUESTION = 0, 100, 101, 102, 1012, 1029  # GroundingDINO expects BERT's own numbers
SPECIAL = {"[PAD]": PAD, "[UNK]": UNKNOWN, "[CLS]": START, "[SEP]": END, "[MASK]": 103, ".": STOP, "?": QUESTION}
VOCABULARY = QUESTION + 1
WORDS = re.compile(r"##\w+|[^\W_]+|[^\w\s]|_")  # as BERT takes text apart; ends of words ("##s") as they are


def small_detector(width: int = 96, layers: int = 2, queries: int = 32) -> GroundingDinoConfig:
    """A GroundingDINO of a few million parameters, for pictures of 128 to 256 pixels. `width`: a multiple of 32."""
    return GroundingDinoConfig(
        backbone_config=SwinConfig(
            image_size=160,
            embed_dim=width // 3,
            depths=[1, 2, 2, 2],
            num_heads=[2, 2, 4, 8],
            window_size=5,
            drop_path_rate=0.0,
            out_indices=[2, 3, 4],
        ),
        text_config=BertConfig(
            vocab_size=VOCABULARY,
            hidden_size=width,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=2 * width,
            max_position_embeddings=64,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        ),
        d_model=width,
        num_queries=queries,
        encoder_layers=layers,
        encoder_ffn_dim=4 * width,
        encoder_attention_heads=6,
        decoder_layers=layers,
        decoder_ffn_dim=4 * width,
        decoder_attention_heads=6,
        dropout=0.0,
        fusion_droppath=0.0,
    )


def small_segmenter(image_size: int = 192, width: int = 96, layers: int = 6) -> SamHQConfig:
    """An HQ-SAM of about a million parameters. `width`: a multiple of 32; masks are half of `image_size` large."""
    hidden = 64
    vision = SamHQVisionConfig(
        hidden_size=width,
        output_channels=hidden,
        num_hidden_layers=layers,
        num_attention_heads=3,
        image_size=image_size,
        patch_size=8,
        window_size=8,
        global_attn_indexes=[layers // 2 - 1, layers - 1],
        num_pos_feats=hidden // 2,
        initializer_range=0.02,
    )
    vision.scale = 1.0  # of places, as in SAM; the library's own value, half the width, makes neighbours unlike
    return SamHQConfig(
        vision_config=vision,
        prompt_encoder_config=SamHQPromptEncoderConfig(hidden_size=hidden, image_size=image_size, patch_size=8),
        mask_decoder_config=SamHQMaskDecoderConfig(
            hidden_size=hidden, mlp_dim=4 * hidden, num_attention_heads=4, iou_head_hidden_dim=hidden, vit_dim=width
        ),
    )


def small_tracker(image_size: int = 192, width: int = 16) -> Sam2VideoConfig:
    """A SAM 2 of about two million parameters. `image_size`: a multiple of 64."""
    hidden, stages = 128, [width, 2 * width, 4 * width, 8 * width]
    vision = Sam2VisionConfig(
        backbone_config=Sam2HieraDetConfig(
            hidden_size=width,
            image_size=[image_size, image_size],
            blocks_per_stage=[1, 1, 3, 1],
            embed_dim_per_stage=stages,
            num_attention_heads_per_stage=[1, 2, 4, 8],
            window_size_per_stage=[8, 4, 6, 3],
            global_attention_blocks=[4],
        ),
        backbone_channel_list=stages[::-1],
        backbone_feature_sizes=[[image_size // stride] * 2 for stride in (4, 8, 16)],
        fpn_hidden_size=hidden,
    )
    return Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config={"hidden_size": hidden, "image_size": image_size},
        mask_decoder_config={"hidden_size": hidden, "mlp_dim": 2 * hidden, "iou_head_hidden_dim": hidden},
        image_size=image_size,
        memory_attention_hidden_size=hidden,
        memory_attention_num_layers=2,
        memory_attention_feed_forward_hidden_size=2 * hidden,
        memory_attention_rope_feat_sizes=[image_size // 16] * 2,
        memory_encoder_hidden_size=hidden,
        mask_downsampler_embed_dim=hidden,
        memory_fuser_embed_dim=hidden,
        memory_fuser_intermediate_dim=2 * hidden,
    )


def write_tokenizer(phrases: Iterable[str], folder: Path) -> BertTokenizer:
    """A WordPiece tokenizer of just these phrases' words, saved in `folder`. Raises ValueError for too many words."""
    names = {number: name for name, number in SPECIAL.items()}
    free = (number for number in range(VOCABULARY) if number not in names)
    for word in sorted({word for phrase in phrases for word in WORDS.findall(phrase.lower())} - set(SPECIAL)):
        number = next(free, None)
        if number is None:
            raise ValueError(f"more than {VOCABULARY - len(SPECIAL)} words; a small tokenizer holds no more")
        names[number] = word
    lines = _lines(names)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(lines) + "\n")
    tokenizer = BertTokenizer(vocab={name: number for number, name in enumerate(lines)}, do_lower_case=True)
    tokenizer.save_pretrained(folder)
    return tokenizer


def _lines(names: dict[int, str]) -> Sequence[str]:
    return [names.get(number, f"[unused{number}]") for number in range(VOCABULARY)]
