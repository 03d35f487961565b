"""The loop that all training shares: batches by number, a warm-up and a cosine, averaged weights, exact resumption."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from augment.errors import RequestError, RunError
from augment.models.runtime import Runtime

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Training:
    """How long and how fast."""

    steps: int = 10000
    batch: int = 8
    learning_rate: float = 5e-4
    warmup: int = 200
    weight_decay: float = 1e-4
    clip: float = 0.5
    """Greatest norm of a step's gradient."""
    average: float = 0.999
    """Share of the averaged weights that a step leaves as they were."""
    save_every: int = 500
    seed: int = 0

    def check(self) -> None:
        """Raises RequestError where a value is out of range."""
        for name in ("steps", "batch", "save_every"):
            if getattr(self, name) < 1:
                raise RequestError(f"training.{name}={getattr(self, name)}; at least 1")
        if not self.learning_rate > 0:
            raise RequestError(f"training.learning_rate={self.learning_rate}; it must be above 0")

    def rng(self, step: int) -> np.random.Generator:
        """All that is random in a step; a run that is interrupted goes on with the same numbers."""
        return np.random.Generator(np.random.Philox(key=[self.seed, step]))


def train(
    network: nn.Module,
    loss: Callable[[nn.Module, int], dict[str, torch.Tensor]],
    options: Training,
    folder: Path,
    runtime: Runtime,
    observe: Callable[[int, dict[str, float]], None],
) -> nn.Module:
    """The network with averaged weights, after all steps. `folder` keeps a checkpoint, from which a killed run resumes.

    Raises RequestError where that is of another training, RunError where the loss is not finite.

    `loss(network, step)` gives named terms, whose sum is minimised; `observe(step, terms)` is told after every step.
    """
    device, _ = runtime.place()
    network.to(device).train()
    averaged = {name: value.detach().clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
    made_by = {"network": type(network).__name__, **asdict(options)}
    first = _resume(network, averaged, optimizer, folder / CHECKPOINT, device, made_by)
    for step in range(first, options.steps):
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * _pace(step, options)
        terms = loss(network, step)
        total = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(total):
            raise RunError(
                f"step {step}: the loss is {float(total)}; lower method.learning_rate, in another output.path"
            )
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(network.parameters(), options.clip)
        optimizer.step()
        _average(averaged, network, min(options.average, (1 + step) / (10 + step)))
        observe(step, {name: float(value.detach()) for name, value in terms.items()})
        if (step + 1) % options.save_every == 0 or step + 1 == options.steps:
            _save(network, averaged, optimizer, step + 1, folder / CHECKPOINT, made_by)
    network.load_state_dict(averaged)
    return network.eval()


def _pace(step: int, options: Training) -> float:
    """Share of the learning rate: up in a line, down in half a cosine."""
    if step < options.warmup:
        return (step + 1) / options.warmup
    done = (step - options.warmup) / max(1, options.steps - options.warmup)
    return float(0.5 + 0.5 * np.cos(np.pi * done))


def _average(averaged: dict[str, Any], network: nn.Module, share: float) -> None:
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            averaged[name].lerp_(value.detach(), 1 - share)
        else:
            averaged[name].copy_(value)


def _save(
    network: nn.Module, averaged: dict[str, Any], optimizer: Any, step: int, path: Path, made_by: dict[str, Any]
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    state = {"network": network.state_dict(), "averaged": averaged, "optimizer": optimizer.state_dict(), "step": step}
    state["made_by"] = made_by
    torch.save(state, unfinished)
    unfinished.replace(path)


def _resume(
    network: nn.Module, averaged: dict[str, Any], optimizer: Any, path: Path, device: Any, made_by: dict[str, Any]
) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, map_location=device, weights_only=True)
    if state["made_by"] != made_by:
        other = [f"{name}={value}" for name, value in state["made_by"].items() if made_by.get(name) != value]
        raise RequestError(
            f"{path} is of another training ({', '.join(other)}); choose another output.path, or remove it"
        )
    network.load_state_dict(state["network"])
    averaged.update(state["averaged"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])
