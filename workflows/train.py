"""`restage train`: a small network of the real class, for worlds in which an hour of two cores is enough."""

import sys
import time
from collections.abc import Mapping
from typing import Any

from augment.errors import RequestError
from augment.models.runtime import Runtime
from workflows import _config
from workflows._dataset import choose, open_configured

SECONDS = 30.0  # between lines of progress


def main(config: Any) -> int:
    """Returns 0. Raises RequestError, DatasetError, EpisodeError."""
    folder = _config.required_path(config, "output.path")
    runtime = Runtime(_config.text(config, "device") or "auto", threads=_config.whole_number(config, "threads"))
    runtime.check()
    from augment.training import METHODS, Examples, Training, train

    training = _config.named(dict.fromkeys(METHODS, Training), config.method, "method")
    training.check()
    source = open_configured(config)
    dataset = choose(source, _config.text(config, "episodes"), _config.optional_number(config, "limit"))
    try:
        examples = Examples(dataset.open, [entry.id for entry in dataset.entries], list(config.cameras))
    except ValueError as error:
        raise RequestError(f"{error}; set cameras=[...] to those that have masks") from error
    name = str(config.method.name)
    _say(f"{name}: {len(examples)} frames, {len(examples.phrases)} phrases, {training.steps} steps of {training.batch}")
    network, loss = METHODS[name](examples, training, folder)
    trained = train(network, loss, training, folder, runtime, _Progress(training.steps))
    trained.half().save_pretrained(folder)  # as exact as needed, in half the space
    _say(f"{folder}")
    return 0


class _Progress:
    """A line every half a minute: the mean of the terms since the last one."""

    def __init__(self, steps: int) -> None:
        self._steps, self._last, self._terms = steps, time.monotonic(), list[Mapping[str, float]]()

    def __call__(self, step: int, terms: Mapping[str, float]) -> None:
        self._terms.append(terms)
        if time.monotonic() - self._last < SECONDS and step + 1 < self._steps:
            return
        means = [f"{name} {sum(each[name] for each in self._terms) / len(self._terms):.3f}" for name in terms]
        _say(f"step {step + 1} of {self._steps}: {', '.join(means)}")
        self._last, self._terms = time.monotonic(), []


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
