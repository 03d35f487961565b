"""Networks from folders as the Hugging Face Hub keeps them: `config.json` and `model.safetensors`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers.utils import logging

from augment.errors import RequestError
from augment.models.runtime import Runtime

LFS_POINTER = b"version https://git-lfs"


def load(architecture: Any, folder: Path, runtime: Runtime) -> Any:
    """The network in a folder, on the runtime's device, in its precision, ready to use; never asks the network.

    `architecture`: a model class of transformers. Raises RequestError where a file is missing, a Git LFS pointer or
    cut off, or holds another network or not all of its weights.
    """
    _check(architecture, folder)
    device, dtype = runtime.place()
    try:
        with quietly():
            network, found = architecture.from_pretrained(
                folder, dtype=dtype, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise RequestError(f"{folder} cannot be loaded as {architecture.__name__}: {error}; get it anew") from error
    if missing := sorted(found["missing_keys"]):
        raise RequestError(
            f"{folder / 'model.safetensors'} lacks {len(missing)} weights of {architecture.__name__} "
            f"({', '.join(missing[:3])}); its config.json belongs to another checkpoint, or it was saved in part"
        )
    return network.to(device).eval()


def _check(architecture: Any, folder: Path) -> None:
    config, weights = folder / "config.json", folder / "model.safetensors"
    for path in (config, weights):
        if not path.is_file():
            raise RequestError(f"{path} is missing; {architecture.__name__} needs a folder as the Hub keeps it")
        with path.open("rb") as file:
            if file.read(len(LFS_POINTER)) == LFS_POINTER:
                raise RequestError(f"{path} is a Git LFS pointer, not the file that it stands for; run git lfs pull")
    try:
        found = json.loads(config.read_text()).get("model_type")
    except (ValueError, AttributeError) as error:
        raise RequestError(f"{config} is no configuration of a network ({error}); get it anew") from error
    if found != architecture.config_class.model_type:
        raise RequestError(f"{config} is of a {found} network; {architecture.config_class.model_type} is needed")


@contextmanager
def quietly() -> Iterator[None]:
    """Without the library's own bars and reports: what is amiss we say ourselves."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
