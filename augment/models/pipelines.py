"""Folders of several networks, as diffusers keeps them: which files they need."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from augment.models.kinds import CONFIG, DIFFUSION, INDEX, PICKLED, TOKENIZER, WEIGHTS

FILES = {
    "unet": (CONFIG, DIFFUSION),
    "transformer": (CONFIG, DIFFUSION),
    "vae": (CONFIG, DIFFUSION),
    "text_encoder": (CONFIG, WEIGHTS),
    "text_encoder_2": (CONFIG, WEIGHTS),
    "text_encoder_3": (CONFIG, WEIGHTS),
    "tokenizer": ("tokenizer_config.json",),
    "tokenizer_2": ("tokenizer_config.json",),
    "tokenizer_3": ("tokenizer_config.json",),
    "scheduler": ("scheduler_config.json",),
}
"""Folder -> files without which it cannot be opened; what else an index names (safety checkers) is left alone."""
VOCABULARIES = (*TOKENIZER, "vocab.json", "merges.txt", "special_tokens_map.json")


def parts_of(index: Mapping[str, Any]) -> Iterator[str]:
    """The files that a pipeline needs, relative to its folder. `index`: what its model_index.json says."""
    for part, files in FILES.items():
        if part in index and index[part] != [None, None]:
            yield from (f"{part}/{name}" for name in files)


def with_variants(path: Path) -> Path:
    """The file, or where only that is there its variant in half precision, or as torch.save wrote it."""
    half = path.with_suffix(f".fp16{path.suffix}")
    others = [half, path.with_name(PICKLED)] if path.name == WEIGHTS else [half]
    return next((file for file in (path, *others) if file.is_file()), path)


def index_of(path: Path) -> Path | None:
    """Where a file of weights was cut into pieces, the file that lists them; None where it was not."""
    if with_variants(path).is_file():
        return None
    indices = (path.with_name(f"{path.name}.index{variant}.json") for variant in ("", ".fp16"))
    return next((index for index in indices if index.is_file()), None)


def patterns() -> list[str]:
    """Names of all files of a pipeline that are fetched, whole or in pieces."""
    names = [f"{part}/{name}" for part, files in FILES.items() for name in (*files, *VOCABULARIES)]
    weights = [name.removesuffix(".safetensors") for name in names if name.endswith(".safetensors")]
    pieces = [f"{name}{end}" for name in weights for end in (".safetensors.index.json", "-*-of-*.safetensors")]
    return [INDEX, *names, *pieces]
