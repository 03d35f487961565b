"""From configuration to an open dataset, and to the episodes chosen from it."""

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from augment.errors import RequestError
from robot_io import open_dataset
from robot_io.formats.base import Dataset
from robot_io.tabletop.spec import Conditions, TabletopSpec
from workflows import _config

COMPANIONS = 4


def open_configured(config: Any) -> Dataset:
    """The dataset that the group `dataset` describes. Raises RequestError, DatasetError."""
    if config.dataset.name == "tabletop":
        return open_dataset(_render_tabletop(config))
    if config.dataset.name == "images":
        raise RequestError("dataset=images is for `restage train` of generators alone; here it takes episodes")
    return open_dataset(_config.required_path(config, "dataset.path"), _config.text(config, "dataset.format") or "auto")


def choose(dataset: Dataset, episodes: str | None, limit: int | None) -> Dataset:
    """The dataset with only the episodes named by `episodes` ("0,3,7-12") and at most `limit`. Raises RequestError."""
    if episodes is None and limit is None:
        return dataset
    count = len(dataset.entries)
    numbers = _numbers(episodes, count) if episodes is not None else list(range(count))
    if limit is not None and limit < 1:
        raise RequestError(f"limit={limit}; at least 1")
    return dataset.select({dataset.entries[number].name for number in numbers[:limit]})


def companions_of(dataset: Dataset) -> list[str]:
    """Ids of the episodes that help to see behind objects in all others: the first few usable ones, by id."""
    return sorted({entry.id for entry in dataset.entries if not entry.problem})[:COMPANIONS]


def _numbers(text: str, count: int) -> list[int]:
    numbers: set[int] = set()
    for piece in text.split(","):
        first, dash, last = piece.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise RequestError(f"episodes={text}: {piece!r} is neither a number nor a range; write such as 0,3,7-12")
        numbers |= set(range(int(first), int(last if dash else first) + 1))
    beyond = sorted(number for number in numbers if number >= count)
    if beyond:
        raise RequestError(f"episodes={text}: there is no episode {beyond[0]}; the dataset has 0-{count - 1}")
    return sorted(numbers)


def tabletop_spec(config: Any) -> TabletopSpec:
    """What `dataset=tabletop` is to be like. Raises RequestError."""
    numbers = {name: _config.whole_number(config, f"dataset.{name}") for name in ("episodes", "size", "seed", "every")}
    try:
        conditions = Conditions(noise=_config.number(config, "dataset.noise"))
        return TabletopSpec(numbers["episodes"], numbers["size"], numbers["seed"], conditions, numbers["every"])
    except ValueError as error:
        raise RequestError(f"dataset=tabletop: {error}") from error


def _render_tabletop(config: Any) -> Path:
    """The rendered file, made now unless it exists. Raises RequestError."""
    spec = tabletop_spec(config)
    chosen = _config.text(config, "dataset.path")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "restage" / "tabletop"
    told = {name: getattr(spec, name) for name in ("episodes", "size", "seed", "every")}
    told |= {"noise": spec.conditions.noise} if spec.conditions.noise else {}
    name = "-".join(f"{key}{value}" for key, value in told.items() if (key, value) != ("every", 1))
    path = Path(chosen).expanduser() if chosen else cache / f"{name}-{version('restage')}.hdf5"
    if not path.exists():
        try:
            from robot_io.tabletop.episodes import render_dataset
        except ImportError as error:
            raise RequestError(f"dataset=tabletop: {error}") from error
        path.parent.mkdir(parents=True, exist_ok=True)
        render_dataset(spec, path, _say_progress)
    sys.stderr.write(f"tabletop dataset: {path}\n")
    return path


def _say_progress(done: int, total: int) -> None:
    sys.stderr.write(f"rendered {done} of {total} episodes\n")
