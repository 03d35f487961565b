"""Grounding DINO at a tiny size: a network of the authors' package, and a BERT whose words are these."""

from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig

from augment.models.grounding_dino.architectures import configuration_of
from augment.models.grounding_dino.original import build
from augment.models.small import VOCABULARY, write_tokenizer

WORDS = ("robot", "arm", "gripper", "red", "blue", "cube", "##s", "table", "a", "##b", "b", "the", "of", "on")
CONFIGURATION = {
    **configuration_of("swint_ogc"),
    "backbone": {"embed_dim": 8, "depths": [1, 1, 2, 1], "num_heads": [1, 2, 2, 4], "window_size": 4},
    "enc_layers": 2,
    "dec_layers": 2,
    "dim_feedforward": 64,
    "num_queries": 30,
}


def text_encoder(folder: Path) -> Path:
    """A folder with the configuration and the vocabulary of a BERT of two layers."""
    write_tokenizer(WORDS, folder)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertConfig(vocab_size=VOCABULARY, **sizes).save_pretrained(folder)
    return folder


def network(texts: Path) -> Any:
    """One in which no part is idle: new ones have heads, gates and offsets at zero or nearly so."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)  # the first from 0 whose boxes keep off the borders and whose scores differ
        net = build(CONFIGURATION, texts)
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=draw)
    return net


def state(net: Any) -> dict[str, torch.Tensor]:
    """As published checkpoints have it: after DataParallel, with what has since gone from the class."""
    others = {"label_enc.weight": torch.zeros(20, 256), "bert.embeddings.position_ids": torch.arange(512)[None]}
    return {f"module.{name}": value for name, value in {**net.state_dict(), **others}.items()}
