"""Grounding DINO from a folder as it comes from the Hub, run by `transformers`."""

from pathlib import Path

import torch
from transformers import GroundingDinoForObjectDetection
from transformers.models.grounding_dino.modeling_grounding_dino import SPECIAL_TOKENS, GroundingDinoBiMultiHeadAttention

from augment.errors import RequestError
from augment.models.grounding_dino.detector import GroundingDino, Preprocessing
from augment.models.grounding_dino.fusion import by_itself
from augment.models.grounding_dino.phrases import Prompt
from augment.models.grounding_dino.tokens import delimiters, open_tokenizer, vocabulary_of
from augment.models.hub import load
from augment.models.runtime import Runtime
from augment.models.weights import read_json

PROCESSORS = ("preprocessor_config.json", "processor_config.json")


def open_hub(folder: Path, runtime: Runtime) -> GroundingDino:
    """The detector in a local folder: config.json, model.safetensors, a tokenizer's files, perhaps a preprocessor's.

    Raises RequestError as `hub.load`.
    """
    device, _ = runtime.place()
    network = load(GroundingDinoForObjectDetection, "grounding_dino", folder).to(device)
    by_itself(network, GroundingDinoBiMultiHeadAttention)
    tokenizer = open_tokenizer(folder)
    if delimiters(tokenizer) != SPECIAL_TOKENS:
        raise RequestError(
            f"the tokenizer in {folder} has other numbers for [CLS], [SEP], . and ? ({delimiters(tokenizer)}) than "
            f"transformers reads phrases by ({SPECIAL_TOKENS}); give that of bert-base-uncased, or one with its numbers"
        )

    def answer(values: torch.Tensor, mask: torch.Tensor, prompt: Prompt) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = torch.tensor(prompt.tokens, device=values.device).expand(len(values), -1)
        found = network(pixel_values=values, input_ids=tokens, pixel_mask=mask)
        return found.logits, found.pred_boxes

    return GroundingDino(answer, vocabulary_of(tokenizer), runtime, preprocessing_of(folder))


def preprocessing_of(folder: Path) -> Preprocessing:
    """How a checkpoint wants pictures, from its preprocessor's configuration; the original's way where it has none."""
    values = next((read_json(folder / name) for name in PROCESSORS if (folder / name).is_file()), None)
    if values is None:
        return Preprocessing()
    values = values.get("image_processor", values)
    size = values.get("size", {})
    if not {"shortest_edge", "longest_edge"} <= set(size):
        raise RequestError(f"the preprocessor in {folder} has size={size}; needed: shortest_edge and longest_edge")
    return Preprocessing(
        size["shortest_edge"],
        size["longest_edge"],
        tuple(values.get("image_mean", Preprocessing.mean)),
        tuple(values.get("image_std", Preprocessing.std)),
    )
