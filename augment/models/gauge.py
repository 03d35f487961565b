"""What a call costs on the device that networks run on."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter, process_time

import torch
from torch.utils.flop_counter import FlopCounterMode

from augment.models.runtime import Runtime


@dataclass(frozen=True)
class Cost:
    """Of one call."""

    seconds: float
    megabytes: float | None
    """Peak of the GPU's memory, beyond what was held before the call; None on a CPU."""


@dataclass(frozen=True)
class Gauge:
    """Measures on a GPU the time until all work is done, on a CPU the processor's time in one thread.

    Processor time is that of this process alone, so that work beside it hardly counts.
    """

    runtime: Runtime

    def __str__(self) -> str:
        device, dtype = self.runtime.place()
        precision = str(dtype).removeprefix("torch.")
        if self.on_gpu:
            return f"{torch.cuda.get_device_name(device)}, {precision}"
        return f"{device.type}, one thread, {precision}, processor time"

    @property
    def on_gpu(self) -> bool:
        return bool(self.runtime.place()[0].type == "cuda")

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds that count here: by the clock on a GPU, the processor's on a CPU."""
        return perf_counter if self.on_gpu else process_time

    def cost(self, action: Callable[[], object]) -> Cost:
        """Of calling `action` once."""
        device, _ = self.runtime.place()
        return _on_gpu(action, device) if self.on_gpu else _in_one_thread(action)

    def held(self) -> float:
        """Megabytes of the GPU's memory that are in use now; 0 on a CPU."""
        return torch.cuda.memory_allocated(self.runtime.place()[0]) / 1e6 if self.on_gpu else 0.0

    def peak(self, side: int, rounds: int = 5) -> float:
        """Operations a second of a product of two square matrices, at best; a multiplication and addition are two.

        `side`: rows and columns. In the runtime's precision, as torch multiplies when nobody tells it otherwise.
        """
        device, dtype = self.runtime.place()
        left, right = torch.ones(2, side, side, device=device, dtype=dtype)
        seconds = [self.cost(lambda: left @ right).seconds for _ in range(rounds + 1)][1:]
        return float(2 * side**3 / min(seconds))


def operations(action: Callable[[], object]) -> int:
    """Operations of all products and convolutions in calling `action` once; what is compiled is not counted."""
    with FlopCounterMode(display=False) as counter:
        action()
    return int(counter.get_total_flops())


def _on_gpu(action: Callable[[], object], device: torch.device) -> Cost:
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before, start = torch.cuda.memory_allocated(device), perf_counter()
    action()
    torch.cuda.synchronize(device)
    seconds = perf_counter() - start
    return Cost(seconds, (torch.cuda.max_memory_allocated(device) - before) / 1e6)


def _in_one_thread(action: Callable[[], object]) -> Cost:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        start = process_time()
        action()
        return Cost(process_time() - start, None)
    finally:
        torch.set_num_threads(threads)
