"""A training's whole state in one file, from which it goes on as if nothing had happened."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from augment.errors import RequestError

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True, eq=False)
class State:
    """All that changes while a network is trained; what is random is decided by numbers, and needs no state."""

    network: nn.Module
    averaged: dict[str, Tensor]
    optimizer: Any
    scaler: Any | None
    """Of the gradients, in fp16."""
    made_by: Mapping[str, Any]
    """Options and identities; another training's checkpoint is refused."""

    def save(self, step: int, folder: Path) -> None:
        """Put in place whole, after `step` steps."""
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f".{CHECKPOINT}"
        state = {
            "network": self.network.state_dict(),
            "averaged": self.averaged,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler and self.scaler.state_dict(),
            "step": step,
            "made_by": dict(self.made_by),
        }
        torch.save(state, unfinished)
        unfinished.replace(folder / CHECKPOINT)

    def resume(self, folder: Path, device: torch.device) -> int:
        """How many steps are done; 0 where there is no checkpoint. Raises RequestError where it is another's."""
        path = folder / CHECKPOINT
        if not path.exists():
            return 0
        state = torch.load(path, map_location=device, weights_only=True)
        check_same(path, state["made_by"], self.made_by)
        self.network.load_state_dict(state["network"])
        self.averaged.update(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scaler:
            self.scaler.load_state_dict(state["scaler"])
        return int(state["step"])


def check_same(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raises RequestError unless `path` is of a training with the same options and identities."""
    other = [f"{name}={found.get(name)}" for name in {**found, **wanted} if found.get(name) != wanted.get(name)]
    if other:
        raise RequestError(
            f"{path} is of another training ({', '.join(other)}); choose another output.path, or remove it"
        )
