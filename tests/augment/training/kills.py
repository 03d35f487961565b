"""Trainings that are killed, in processes of their own."""

import os
import signal
from pathlib import Path
from typing import Any

from augment.training import Workshop, train
from augment.training.controlnet import ControlNet
from augment.training.initialization_policy import Policy
from augment.training.method import Method
from tests.augment.training.worlds import SIZE, data, workshop

NUMBERS: dict[str, Any] = {
    "size": SIZE, "batch": 2, "steps": 5, "warmup": 1, "save_every": 2, "review_every": 3, "precision": "bf16",
}  # fmt: skip


def method(name: str, base: str) -> Method:
    if name == "controlnet":
        return ControlNet(base=base, crops=1, **NUMBERS)
    return Policy(base=base, inversion_steps=2, refinements=1, reward_steps=2, **NUMBERS)


def run(name: str, base: str, folder: Path, killed_at: int | None = None) -> None:
    """A whole training; killed, with no chance to tidy up, after so many steps or, below 0, after a cached file."""

    def say(_: str) -> None:
        if killed_at is not None and killed_at < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def observe(step: int, _: Any) -> None:
        if step + 1 == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    chosen = method(name, base)
    place = workshop(folder, chosen)
    place = Workshop(folder, place.machine, say)
    task = chosen.build(data(), place)
    task.save(train(task, chosen, place, observe), folder)
