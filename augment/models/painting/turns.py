"""Networks that take turns on a GPU: whatever is not in use waits in the machine's own memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

import torch


class Turns:
    """A device with room for the networks that are used together, but not for all."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.here: frozenset[Any] = frozenset()
        """Networks that are on the device; they stay until others come."""
        self._lock = RLock()  # what one thread uses, no other may send away

    @contextmanager
    def using(self, *networks: Any) -> Iterator[None]:
        """While it lasts these networks are on the device; they have to be in the machine's memory before."""
        with self._lock:
            if not self.here.issuperset(networks):
                self._change(frozenset(networks))
            yield

    def _change(self, wanted: frozenset[Any]) -> None:
        with torch.inference_mode(False):  # or weights could be used in that mode alone
            for network in self.here - wanted:
                network.to("cpu")
            for network in wanted:
                network.to(self.device)
        self.here = wanted
