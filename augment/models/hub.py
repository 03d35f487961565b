"""Networks from, and into, folders as the Hugging Face Hub keeps them: `config.json` and `model.safetensors`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors.torch import save_file
from transformers.utils import logging

from augment.errors import RequestError
from augment.models.checkpoints import check_fit, read_state
from augment.models.kinds import CONFIG, KINDS, WEIGHTS
from augment.models.pipelines import with_variants
from augment.models.weights import check_folder, read_json


def load(architecture: Any, kind: str, folder: Path) -> Any:
    """The network in a folder, in float32 on the CPU, ready to use; nothing is looked for elsewhere.

    `architecture`: a model class of transformers; `kind`: a key of KINDS. Leaves torch's random numbers as they were.
    Raises RequestError where a file is missing, damaged or of another network, or they do not fit each other.
    """
    config, state = read(architecture, kind, folder)
    return build(architecture, config, state, folder / WEIGHTS)


def read(architecture: Any, kind: str, folder: Path) -> tuple[Any, dict[str, torch.Tensor]]:
    """Configuration and weights in a folder, as stored. Raises RequestError as `load`, but fit they may not."""
    return configuration(architecture.config_class, kind, folder), read_state(with_variants(folder / WEIGHTS))


def configuration(config_class: Any, kind: str, folder: Path) -> Any:
    """The configuration of the network in a folder. Raises RequestError where the folder is not one of this kind."""
    check_folder(folder, KINDS[kind])
    try:
        return config_class.from_dict(read_json(folder / CONFIG))
    except (StrictDataclassError, TypeError, ValueError) as error:
        raise RequestError(f"{folder / CONFIG} describes no {kind} ({error}); get it anew") from error


def build(architecture: Any, config: Any, state: Mapping[str, torch.Tensor], where: Path) -> Any:
    """The network of a configuration with these weights, as `load` gives it.

    `where`: the file that the weights are from. Raises RequestError where names or shapes do not fit.
    """
    try:
        with quietly(), torch.random.fork_rng(devices=[]):
            network, found = architecture.from_pretrained(
                None,
                config=config,
                state_dict=dict(state),
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
    except (TypeError, ValueError, RuntimeError) as error:
        raise RequestError(f"{where}: no {architecture.__name__} is as it is configured ({error})") from error
    shapes = {name: (own, needed) for name, own, needed in sorted(found["mismatched_keys"])}
    missing, unexpected = (sorted(found[f"{which}_keys"]) for which in ("missing", "unexpected"))
    check_fit(str(where), architecture.__name__, missing, unexpected, shapes)
    return network.eval()


def write(folder: Path, config: Any, state: Mapping[str, torch.Tensor], *parts: Any) -> None:
    """A folder that `load` reads, made new, or with its files replaced. `parts`: a tokenizer, a preprocessor."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in (config, *parts):
        part.save_pretrained(folder)
    save_file({name: tensor.clone() for name, tensor in state.items()}, folder / WEIGHTS, metadata={"format": "pt"})


@contextmanager
def quietly() -> Iterator[None]:
    """Without the library's own bars and reports: what is amiss we say ourselves."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
