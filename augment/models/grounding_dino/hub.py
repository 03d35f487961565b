"""Grounding DINO from a folder as it comes from the Hub, run by `transformers`."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection
from transformers.models.grounding_dino.modeling_grounding_dino import SPECIAL_TOKENS
from transformers.utils import logging

from augment.errors import RequestError
from augment.models.checkpoints import read_state
from augment.models.grounding_dino.detector import GroundingDino, Preprocessing
from augment.models.grounding_dino.phrases import Prompt
from augment.models.grounding_dino.tokens import delimiters, open_tokenizer, vocabulary_of
from augment.models.runtime import Runtime

WEIGHTS = "model.safetensors"
PROCESSORS = ("preprocessor_config.json", "processor_config.json")


def open_hub(folder: Path, runtime: Runtime) -> GroundingDino:
    """The detector in a local folder: config.json, model.safetensors, a tokenizer's files, perhaps a preprocessor's.

    Nothing is looked for elsewhere. Raises RequestError where a file is missing, broken, or does not fit the others.
    """
    tokenizer = open_tokenizer(folder)
    if delimiters(tokenizer) != SPECIAL_TOKENS:
        raise RequestError(
            f"the tokenizer in {folder} has other numbers for [CLS], [SEP], . and ? ({delimiters(tokenizer)}) than "
            f"transformers reads phrases by ({SPECIAL_TOKENS}); give that of bert-base-uncased, or one with its numbers"
        )
    config = config_in(folder)
    device, _ = runtime.place()
    network = network_of(config, read_state(folder / WEIGHTS), folder / WEIGHTS).to(device)

    def answer(values: torch.Tensor, mask: torch.Tensor, prompt: Prompt) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = torch.tensor(prompt.tokens, device=values.device).expand(len(values), -1)
        found = network(pixel_values=values, input_ids=tokens, pixel_mask=mask)
        return found.logits, found.pred_boxes

    return GroundingDino(answer, vocabulary_of(tokenizer), runtime, preprocessing_of(folder))


def preprocessing_of(folder: Path) -> Preprocessing:
    """How a checkpoint wants pictures, from its preprocessor's configuration; the original's way where it has none."""
    values = next((_json(folder / name) for name in PROCESSORS if (folder / name).is_file()), None)
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


def config_in(folder: Path) -> GroundingDinoConfig:
    """The network's configuration in a folder. Raises RequestError where there is none, or it is another network's."""
    kind = _json(folder / "config.json").get("model_type")
    if kind != GroundingDinoConfig.model_type:
        raise RequestError(f"config.json in {folder} is of a {kind}; needed: {GroundingDinoConfig.model_type}")
    return GroundingDinoConfig.from_pretrained(str(folder), local_files_only=True)


def network_of(config: GroundingDinoConfig, state: Mapping[str, torch.Tensor], where: Path) -> Any:
    """The network (a torch.nn.Module in float32, on the CPU) with the tensors of a Hub checkpoint.

    `where`: the file that they are from. The state of torch's random numbers is left as it was. Raises RequestError
    where names or shapes do not fit.
    """
    with _quiet(), torch.random.fork_rng(devices=[]):
        network, report = GroundingDinoForObjectDetection.from_pretrained(
            None,
            config=config,
            state_dict=dict(state),
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    found = [("lacks", "missing_keys"), ("has the unknown", "unexpected_keys"), ("misfits in", "mismatched_keys")]
    faults = [
        f"it {what} {', '.join(names[:3])}" + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        for what, key in found
        if (names := sorted(str(name) for name in report[key]))
    ]
    if faults:
        raise RequestError(
            f"{where} does not fit its configuration: {'; '.join(faults)}; take both from one place, and architecture"
        )
    return network.eval()


def _json(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise RequestError(f"{file} cannot be read ({error}); download it again") from error
    if not isinstance(values, dict):
        raise RequestError(f"{file} holds a {type(values).__name__}, not named values; download it again")
    return values


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' report, of which an error is made instead, and its progress bar."""
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()
