"""The real networks of text-to-image diffusion at a small size: what `restage train` trains, and tests build."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from diffusers import AutoencoderKL, UNet2DConditionModel
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.trainers import BpeTrainer
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
LAST = "</w>"  # marks the last letter of a word
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789,.-'"
WORDS = re.compile(r"[a-z0-9]+|[,.'-]")
TOKENS = 24  # of a caption, with start and end
TEXT_WIDTH = 64


def small_autoencoder() -> AutoencoderKL:
    """Less than a million parameters: 4 latent channels at a quarter of the picture's size."""
    return AutoencoderKL(
        block_out_channels=(24, 48, 64),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=64,
        mid_block_add_attention=False,
    )


def small_unet(channels: tuple[int, ...] = (64, 96, 96)) -> UNet2DConditionModel:
    """About three million parameters, for latents of 16x16; it looks at words where it sees 8x8 and less."""
    down = ("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D")
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        block_out_channels=channels,
        down_block_types=down,
        up_block_types=tuple(kind.replace("Down", "Up") for kind in reversed(down)),
        layers_per_block=1,
        norm_num_groups=8,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=16,
    )


def small_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """A CLIP text encoder of some ten thousand parameters."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            projection_dim=TEXT_WIDTH,
            intermediate_size=2 * TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def write_caption_tokenizer(captions: Iterable[str], folder: Path) -> CLIPTokenizer:
    """A CLIP tokenizer to which each word of these captions is one token, saved in `folder`; others it spells."""
    words = sorted({word for caption in captions for word in WORDS.findall(caption.lower())})
    pairs = Tokenizer(BPE(end_of_word_suffix=LAST))
    pairs.pre_tokenizer = Whitespace()
    alphabet = [*LETTERS, *(letter + LAST for letter in LETTERS)]
    # enough for all letters, and for every merge that a word can need
    trainer = BpeTrainer(vocab_size=len(alphabet) + sum(map(len, words)), end_of_word_suffix=LAST, show_progress=False)
    pairs.train_from_iterator(words, trainer)
    learned = json.loads(pairs.to_str())["model"]
    merges = [tuple(pair) for pair in learned["merges"]]
    vocabulary = dict.fromkeys([*alphabet, *("".join(pair) for pair in merges), START, END])
    numbers = {token: number for number, token in enumerate(vocabulary)}
    tokenizer = CLIPTokenizer(vocab=numbers, merges=merges, model_max_length=TOKENS, pad_token=END)
    tokenizer.save_pretrained(folder)
    return tokenizer
