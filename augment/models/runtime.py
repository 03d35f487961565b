"""On what and how networks run. Imports torch only when it is asked for."""

from dataclasses import dataclass
from typing import Any

from augment.errors import RequestError

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
GPU_BATCH = 8


@dataclass(frozen=True)
class Runtime:
    """The section `models` of the configuration, as far as it says how networks run."""

    device: str = "auto"
    """`auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1`."""
    precision: str = "auto"
    """`auto` (bfloat16 on a GPU that has it, float32 elsewhere), `float32`, `bfloat16`, `float16`."""
    batch: int = 0
    """Pictures that go through a network at once; 0 for what suits the device."""
    threads: int = 1
    """On a CPU; another number may change the last bits of what networks say."""

    def check(self) -> None:
        """Raises RequestError where a value is out of range, or torch or the device is not there."""
        if self.batch < 0 or self.threads < 1:
            raise RequestError(f"models.batch={self.batch}, models.threads={self.threads}; at least 0 and 1")
        if self.precision not in PRECISIONS:
            raise RequestError(f"unknown models.precision={self.precision}; known: {', '.join(PRECISIONS)}")
        self.place()

    @property
    def batch_size(self) -> int:
        """Pictures that go through a network at once. On a CPU one by one: more are no faster, and never wanting."""
        return self.batch or (1 if self.place()[0].type == "cpu" else GPU_BATCH)

    def place(self) -> tuple[Any, Any]:
        """The torch.device and the torch.dtype to use. Raises RequestError where they cannot be had."""
        try:
            import torch
        except ImportError as error:
            raise RequestError(f"networks need torch ({error}); pip install 'restage[models]'") from error
        name = self.device if self.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        try:
            device = torch.device(name)
        except RuntimeError as error:
            raise RequestError(f"models.device={self.device}: {error}") from error
        if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
            raise RequestError(
                f"models.device={self.device}, but torch sees {torch.cuda.device_count()} GPUs; use auto or cpu"
            )
        if device.type == "cpu":
            torch.set_num_threads(self.threads)
        halves = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
        precision = self.precision if self.precision != "auto" else "bfloat16" if halves else "float32"
        return device, getattr(torch, precision)
