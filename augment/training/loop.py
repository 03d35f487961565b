"""The loop that all training shares: batches by number, warm-up and cosine, averaged weights, exact resumption."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from augment.errors import RunError
from augment.training.checkpoint import State
from augment.training.journal import Journal
from augment.training.method import Loss, Task, Training, Workshop

REVIEWED = 8  # batches of the held-out loss

Observe = Callable[[int, Mapping[str, float]], None]
"""Told after every step what its terms were, by name."""


class _Objective(nn.Module):  # type: ignore[misc]  # torch is Any
    """A network and its loss as one module, since mixed precision and several devices act on what is called."""

    def __init__(self, network: nn.Module, loss: Loss) -> None:
        super().__init__()
        self.network, self.loss = network, loss

    def forward(self, number: int) -> dict[str, Tensor]:
        return self.loss(self.network, number)


def train(task: Task, options: Training, workshop: Workshop, observe: Observe) -> Any:
    """The network with averaged weights, after all steps. A run that was killed goes on from its checkpoint.

    Batches are numbered: of step s, with a accumulated batches on each of d devices, s a d to (s + 1) a d - 1.
    Raises RequestError where the checkpoint is of another training, RunError where the loss is not finite.
    """
    folder, machine = workshop.folder, workshop.machine
    network = task.network.to(machine.device).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
    objective, optimizer = machine.prepare(_Objective(network, task.loss), optimizer)
    averaged = {name: value.detach().clone() for name, value in network.state_dict().items()}
    made_by = {"network": type(network).__name__, **asdict(options), **task.identity, "devices": machine.num_processes}
    state = State(network, averaged, optimizer, machine.scaler, made_by)
    first = state.resume(folder, machine.device)
    with _journal(folder, first, machine) as journal:
        for step in range(first, options.steps):
            terms = _step(objective, optimizer, step, options, machine)
            _average(averaged, network, min(options.average, (1 + step) / (10 + step)))
            if options.review_every and (step + 1) % options.review_every == 0 and journal:
                with _swapped(network, averaged), machine.autocast():
                    terms |= _review(task, network, step, options, journal)
            if journal:
                journal.scalars(step, terms)
                observe(step, terms)
            if journal and ((step + 1) % options.save_every == 0 or step + 1 == options.steps):
                state.save(step + 1, folder)
    machine.wait_for_everyone()
    network.load_state_dict(averaged)
    return network.eval()


def _step(objective: nn.Module, optimizer: Any, step: int, options: Training, machine: Accelerator) -> dict[str, float]:
    """One change of the weights; the means of its terms, on this device."""
    for group in optimizer.param_groups:
        group["lr"] = options.learning_rate * _pace(step, options)
    seen: dict[str, list[float]] = {}
    for part in range(options.accumulation):
        number = (step * options.accumulation + part) * machine.num_processes + machine.process_index
        with machine.accumulate(objective), _by_number(options.seed, number, machine.device):
            terms = objective(number)
            total = torch.stack([term for term in terms.values() if term.requires_grad]).sum()
            if not torch.isfinite(total):
                raise RunError(
                    f"step {step}: the loss is {float(total.detach())}; lower method.learning_rate, in another "
                    "output.path"
                )
            machine.backward(total)
        for name, term in terms.items():
            seen.setdefault(name, []).append(float(term.detach()))
    norm = machine.clip_grad_norm_(objective.parameters(), options.clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return {name: float(np.mean(values)) for name, values in seen.items()} | {"gradient": float(norm)}


def _review(task: Task, network: nn.Module, step: int, options: Training, journal: Journal) -> dict[str, float]:
    """The held-out loss, always of the same batches, and a sheet."""
    network.eval()
    with torch.no_grad():
        if task.sheet:
            journal.sheet(step, task.sheet(network))
        seen = [task.held(network, number) for number in range(REVIEWED)] if task.held else []
    network.train()
    names = dict.fromkeys(name for terms in seen for name in terms)
    return {
        f"held-out {name}": float(np.mean([float(terms[name]) for terms in seen if name in terms])) for name in names
    }


@contextmanager
def _swapped(network: nn.Module, averaged: dict[str, Tensor]) -> Iterator[None]:
    """The network with other weights, for a while."""
    own = {name: value.detach().clone() for name, value in network.state_dict().items()}
    network.load_state_dict(averaged)
    try:
        yield
    finally:
        network.load_state_dict(own)


@contextmanager
def _by_number(seed: int, number: int, device: torch.device) -> Iterator[None]:
    """Dropout and the like as this batch has it, whichever came before; the caller's random numbers are left alone."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(hash((seed, number)))
        yield


@contextmanager
def _journal(folder: Path, first: int, machine: Accelerator) -> Iterator[Journal | None]:
    """On one of the processes."""
    journal = Journal(folder, first) if machine.is_main_process else None
    try:
        yield journal
    finally:
        if journal:
            journal.close()


def _pace(step: int, options: Training) -> float:
    """Share of the learning rate: up in a line, then down in half a cosine, or constant."""
    if step < options.warmup:
        return (step + 1) / options.warmup
    if options.schedule == "constant":
        return 1.0
    done = (step - options.warmup) / max(1, options.steps - options.warmup)
    return float(0.5 + 0.5 * np.cos(np.pi * done))


def _average(averaged: dict[str, Tensor], network: nn.Module, share: float) -> None:
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            averaged[name].lerp_(value.detach(), 1 - share)
        else:
            averaged[name].copy_(value)
