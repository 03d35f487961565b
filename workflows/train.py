"""`restage train`: networks of the real classes, on rendered episodes, on your own, or on captioned pictures."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from augment.errors import RequestError
from augment.models.runtime import Runtime
from robot_io.formats.base import Dataset
from robot_io.tabletop.captions import describe_dataset
from workflows import _config
from workflows._dataset import choose, open_configured, tabletop_spec

SECONDS = 30.0  # between lines of progress


def main(config: Any) -> int:
    """Returns 0. Raises RequestError, DatasetError, EpisodeError, RunError."""
    folder = _config.required_path(config, "output.path")
    runtime = Runtime(_config.text(config, "device") or "auto", threads=_config.whole_number(config, "threads"))
    runtime.check()
    from augment.training import METHODS, Data, Workshop, open_machine, train

    method = _config.named(METHODS, config.method, "method")
    method.check()
    folder.mkdir(parents=True, exist_ok=True)
    workshop = Workshop(folder, open_machine(runtime, method), _say)
    task = method.build(Data(lambda: _examples(config), lambda: _scenes(config)), workshop)
    trained = train(task, method, workshop, _Progress(method.steps))
    if workshop.machine.is_main_process:
        task.save(trained, folder)
        _say(f"{folder}")
    return 0


def _examples(config: Any) -> Any:
    from augment.training import Examples

    dataset = _chosen(config)
    try:
        examples = Examples(dataset.open, [entry.id for entry in dataset.entries], list(config.cameras))
    except ValueError as error:
        raise RequestError(f"{error}; set cameras=[...] to those that have masks") from error
    _say(f"{len(examples)} frames, {len(examples.phrases)} phrases")
    return examples


def _scenes(config: Any) -> Any:
    """Pictures to learn from, and others that are held out."""
    from augment.training import Scenes, caption_episodes, hold_out, open_image_folder

    share = _config.number(config, "held_out")
    if config.dataset.name == "images":
        learnt, held = open_image_folder(_config.required_path(config, "dataset.path"), share)
    else:
        dataset = _chosen(config)
        names = {entry.id: entry.name for entry in dataset.entries}
        captions = caption_episodes(names, _captions(config))
        parts = hold_out(list(captions), share)
        learnt, held = (
            Scenes.of_episodes(dataset.open, {id: captions[id] for id in part}, list(config.cameras)) for part in parts
        )
        if config.dataset.name == "tabletop":
            learnt, held = (
                scenes.and_also(_empty(config, [names[id] for id in part]))
                for scenes, part in zip((learnt, held), parts, strict=True)
            )
    _say(f"{len(learnt)} pictures, {len(learnt.captions)} captions; {len(held)} pictures are held out")
    return learnt, held


def _empty(config: Any, names: Sequence[str]) -> Any:
    """The rendered scenes of some episodes without robot and things, rendered when they are needed."""
    from augment.training import CaptionedScene, Scenes

    try:
        from robot_io.tabletop.episodes import render_plate
    except ImportError as error:
        raise RequestError(f"dataset=tabletop: {error}") from error
    spec, captions = tabletop_spec(config), describe_dataset(tabletop_spec(config), empty=True)

    def read(number: int) -> CaptionedScene:
        picture, caption = render_plate(spec, int(names[number].removeprefix("demo_")))
        return CaptionedScene(picture, np.zeros(picture.shape[:2], dtype=np.bool_), caption)

    return Scenes(len(names), read, [captions[name] for name in names], f"empty {spec}")


def _captions(config: Any) -> dict[str, str]:
    """By id or name of the episode."""
    path = _config.text(config, "captions.path")
    if path is None and config.dataset.name == "tabletop":
        return describe_dataset(tabletop_spec(config))
    if path is None:
        raise RequestError('captions.path is required: a JSON file {"episode": "what its scene shows"}')
    try:
        found = json.loads(Path(path).expanduser().read_bytes())
    except (OSError, ValueError) as error:
        raise RequestError(f"captions.path={path} cannot be read ({error})") from error
    if not isinstance(found, dict) or not all(isinstance(caption, str) for caption in found.values()):
        raise RequestError(f'captions.path={path} holds no captions; expected {{"episode": "what its scene shows"}}')
    return found


def _chosen(config: Any) -> Dataset:
    source = open_configured(config)
    return choose(source, _config.text(config, "episodes"), _config.optional_number(config, "limit"))


class _Progress:
    """A line every half a minute: the means of the terms since the last one."""

    def __init__(self, steps: int) -> None:
        self._steps, self._last, self._terms = steps, time.monotonic(), list[Mapping[str, float]]()

    def __call__(self, step: int, terms: Mapping[str, float]) -> None:
        self._terms.append(terms)
        if time.monotonic() - self._last < SECONDS and step + 1 < self._steps:
            return
        seen: dict[str, list[float]] = {}
        for each in self._terms:
            for name, value in each.items():
                seen.setdefault(name, []).append(value)
        means = [f"{name} {sum(values) / len(values):.3f}" for name, values in seen.items()]
        _say(f"step {step + 1} of {self._steps}: {', '.join(means)}")
        self._last, self._terms = time.monotonic(), []


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
