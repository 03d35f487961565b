"""dataset_info.json: which splits there are, and which files hold them."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robot_io.errors import DatasetError

INFO = "dataset_info.json"
FEATURES = "features.json"
FILE_FORMAT = "tfrecord"
TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"


@dataclass(frozen=True)
class Split:
    """One split as declared."""

    name: str
    template: str
    shard_lengths: tuple[int, ...]
    """Records in each shard."""
    num_bytes: int | None
    """Sum of the records' payloads, without their framing; None where not declared."""


@dataclass(frozen=True)
class Info:
    """A parsed dataset_info.json."""

    text: str
    content: Mapping[str, Any]
    splits: tuple[Split, ...]

    @property
    def folders(self) -> tuple[str, ...]:
        """Folders from the data directory down to the version: name, config if any, version."""
        config = self.content.get("configName")
        return (self.content["name"], *([config] if config else []), self.content["version"])

    def shards(self, split: Split, count: int) -> list[str]:
        """File names of a split of `count` shards. Raises DatasetError where the template has an unknown variable."""
        of = f"{count:05d}"
        numbers = [f"{shard:05d}" for shard in range(count)]
        try:
            return [
                split.template.format(
                    DATASET=self.content["name"],
                    SPLIT=split.name,
                    FILEFORMAT=FILE_FORMAT,
                    SHARD_INDEX=number,
                    NUM_SHARDS=of,
                    SHARD_X_OF_Y=f"{number}-of-{of}",
                )
                for number in numbers
            ]
        except (KeyError, ValueError, IndexError) as error:
            raise DatasetError(
                f"the filepathTemplate {split.template!r} of split {split.name} cannot be filled in ({error}); "
                f"expected one like {TEMPLATE!r}"
            ) from error

    def with_splits(self, sizes: Mapping[str, tuple[Sequence[int], int]]) -> str:
        """The file's text for other shards (split -> shard lengths, bytes); a split that `sizes` lacks goes."""
        splits = [
            {**split, "numBytes": str(sizes[name][1]), "shardLengths": [str(length) for length in sizes[name][0]]}
            for split in self.content["splits"]
            if (name := split["name"]) in sizes
        ]
        indent = re.search(r"\n( +)", self.text)
        text = json.dumps(
            {**self.content, "splits": splits},
            indent=len(indent[1]) if indent else None,
            separators=None if indent or '": ' in self.text else (",", ":"),
            ensure_ascii=self.text.isascii(),
        )
        return text + self.text[len(self.text.rstrip()) :]


def read_json(path: Path, way_out: str) -> tuple[str, dict[str, Any]]:
    """Text and content of a JSON file. Raises DatasetError where it is missing, broken or no object."""
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text)
    except FileNotFoundError as error:
        raise DatasetError(f"{path.parent} has no {path.name}, and every TFDS directory must; {way_out}") from error
    except ValueError as error:
        raise DatasetError(f"{path} is not valid JSON ({error}); {way_out}") from error
    if not isinstance(content, dict):
        raise DatasetError(f"{path} holds a JSON {type(content).__name__}; expected an object; {way_out}")
    return text, content


def read_info(folder: Path) -> Info:
    """Raises DatasetError where dataset_info.json is missing, malformed or of another file format."""
    text, content = read_json(folder / INFO, "build the dataset again, or fetch the file from where it came")
    found = content.get("fileFormat", FILE_FORMAT)
    if found != FILE_FORMAT:
        raise DatasetError(
            f"{folder / INFO}: fileFormat is {found!r} and only {FILE_FORMAT!r} can be read; "
            "convert it with `tfds convert_format`"
        )
    try:
        splits = tuple(_split(split) for split in content["splits"])
        info = Info(text, content, splits)
        names = [split.name for split in splits]
        if any(Path(name).name != name for name in (*info.folders, *names)) or len(set(names)) != len(names):
            raise ValueError(f"{(*info.folders, *names)} are not plain, distinct names")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(
            f"{folder / INFO} does not describe a dataset ({type(error).__name__}: {error}); expected a name and "
            "splits with name, shardLengths and numBytes; build the dataset again"
        ) from error
    return info


def _split(split: Mapping[str, Any]) -> Split:
    template = split.get("filepathTemplate") or TEMPLATE
    if "/" in template:
        raise ValueError(f"filepathTemplate {template!r} leads to another folder")
    return Split(
        split["name"],
        template,
        tuple(int(length) for length in split.get("shardLengths", [])),
        int(split["numBytes"]) if "numBytes" in split else None,
    )
