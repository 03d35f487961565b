"""`restage extend`: pictures continued beyond their frame, so that a narrow photo fills a wide camera."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from augment.errors import PaintError, RequestError
from augment.generate.extended import Margins, extended
from augment.generate.photo import SUFFIXES
from augment.models.doors import open_painter
from augment.models.painting.base import Sampler, Sampling, Start, Wording
from augment.plan import random_for
from workflows import _config

EXIT_FAILED = 3


def main(config: Any) -> int:
    """Returns 0, or 3 where the networks failed on a picture. Raises RequestError."""
    source, folder = _config.required_path(config, "pictures.path"), _config.required_path(config, "output.path")
    margins = _config.typed(Margins, config.margins, "margins")
    margins.check()
    wording, sampling = _wording(config), _sampling(config)
    candidates, seed = _config.whole_number(config, "candidates"), _config.whole_number(config, "seed")
    if candidates < 1:
        raise RequestError(f"candidates={candidates}; at least 1")
    paths = _pictures(source)
    if folder.resolve() == source.resolve():
        raise RequestError(f"output.path={folder} is the folder of the pictures; choose another")
    pack, runtime = _config.build_pack(config), _config.build_runtime(config)
    pack.check()
    painter = open_painter(pack, runtime)
    sys.stderr.writelines(f"{remark}\n" for remark in painter.remarks(sampling))
    for name, said in (("prompt", wording.prompt), ("negative", wording.negative)):
        if cut := painter.cut(said):
            sys.stderr.write(f"{name} is too long, and is read without: {cut}\n")
    folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for number, path in enumerate(paths, 1):
        made = folder / f"{path.stem}.png"
        rng = random_for(seed, path.stem)
        keys = [int.from_bytes(rng.bytes(16), "little") for _ in range(candidates)]
        try:
            if not made.exists():
                _write(extended(painter, _read(path), margins, wording, sampling, keys), made)
            sys.stdout.write(f"{number}/{len(paths)} {made}\n")
        except PaintError as error:
            sys.stderr.write(f"{path}: {error}\n")
            failed += 1
    return EXIT_FAILED if failed else 0


def _write(picture: np.ndarray, path: Path) -> None:
    unfinished = path.with_name(f".{path.name}")
    Image.fromarray(picture).save(unfinished, "png")
    unfinished.replace(path)


def _wording(config: Any) -> Wording:
    prompt = _config.text(config, "prompt")
    if not prompt or not prompt.strip():
        raise RequestError("prompt is empty: add prompt=..., what is to be seen")
    return Wording(prompt, _config.text(config, "negative") or "")


def _sampling(config: Any) -> Sampling:
    if config.sampler not in set(Sampler):
        raise RequestError(f"unknown sampler={config.sampler}; known: {', '.join(Sampler)}")
    sampling = Sampling(
        sampler=Sampler(config.sampler),
        steps=_config.whole_number(config, "steps"),
        guidance=_config.number(config, "guidance"),
        start=Start.PICTURE,
        level=_config.number(config, "level"),
    )
    sampling.check()
    return sampling


def _pictures(folder: Path) -> list[Path]:
    """Raises RequestError where there are none, or two of one name."""
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise RequestError(f"pictures.path={folder} holds no pictures; known are {', '.join(SUFFIXES)}")
    stems = [path.stem for path in paths]
    if twice := [path.name for path in paths if stems.count(path.stem) > 1]:
        raise RequestError(f"pictures.path={folder}: {', '.join(twice[:2])} would be written to one file; rename one")
    return paths


def _read(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except OSError as error:
        raise RequestError(f"{path} cannot be read ({error}); remove it, or save it anew") from error
