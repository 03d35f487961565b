"""Captioned pictures with masks from a folder in the Hub's layout: files, and `metadata.jsonl` that describes them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from xxhash import xxh3_128_hexdigest

from augment.errors import RequestError
from augment.training.scenes import CaptionedScene, Scenes, hold_out

METADATA = "metadata.jsonl"
KEYS = ("file_name", "text", "mask_file_name")


@dataclass(frozen=True)
class _Line:
    file_name: str
    text: str
    mask_file_name: str


def open_image_folder(folder: Path, share: float) -> tuple[Scenes, Scenes]:
    """Pictures to learn from, and a share of them that is held out.

    Each line of the metadata: file_name, text, and mask_file_name, a picture that is white where the foreground is.
    Raises RequestError where metadata or files are missing or damaged; pictures are opened when they are needed.
    """
    lines = _read_metadata(folder)
    names = list(dict.fromkeys(line.file_name for line in lines))
    parts = hold_out(names, share)
    train, held = (_scenes(folder, [line for line in lines if line.file_name in set(part)]) for part in parts)
    return train, held


def _scenes(folder: Path, lines: Sequence[_Line]) -> Scenes:
    def read(number: int) -> CaptionedScene:
        line = lines[number]
        picture, mask = _read(folder / line.file_name, "RGB"), _read(folder / line.mask_file_name, "L")
        try:
            return CaptionedScene(picture, mask > 127, line.text)
        except RequestError as error:
            raise RequestError(f"{folder / line.mask_file_name}: {error}") from error

    sizes = [(folder / name).stat().st_size for line in lines for name in (line.file_name, line.mask_file_name)]
    identity = xxh3_128_hexdigest(repr([lines, sizes]).encode())
    return Scenes(len(lines), read, [line.text for line in lines], identity)


def _read_metadata(folder: Path) -> list[_Line]:
    path = folder / METADATA
    if not path.is_file():
        raise RequestError(f"{path} is missing; an image folder has one, a line for each picture: {', '.join(KEYS)}")
    texts = path.read_text(encoding="utf-8").splitlines()
    lines = [_parse(text, f"{path}:{number}") for number, text in enumerate(texts, 1) if text.strip()]
    for line in lines:
        for name in (line.file_name, line.mask_file_name):
            if not (folder / name).is_file():
                raise RequestError(f"{folder / name} is missing, which {path} names")
    return lines


def _parse(text: str, where: str) -> _Line:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise RequestError(f"{where} is not JSON ({error})") from error
    found = values if isinstance(values, dict) else {}
    for key in KEYS:
        if not isinstance(found.get(key), str) or not found[key].strip():
            raise RequestError(f"{where} has no {key}; a line has {', '.join(KEYS)}, all of them texts")
    return _Line(*(found[key] for key in KEYS))


def _read(path: Path, mode: str) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.array(image.convert(mode))
    except (UnidentifiedImageError, OSError) as error:
        raise RequestError(f"{path} is no picture that can be read ({error})") from error
