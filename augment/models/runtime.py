"""On what and how networks run. Imports torch only when it is asked for."""

from dataclasses import dataclass
from typing import Any

from augment.errors import RequestError
from augment.models.attention import AUTO, attend, check_attention

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
LAYOUTS = ("auto", "channels_first", "channels_last")
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
    attention: str = AUTO
    """By which of torch's kernels networks attend: `auto` (torch chooses), `math`, `flash`, `efficient`, `cudnn`."""
    layout: str = "auto"
    """How networks that paint lie in memory: `auto` (channels_last on a GPU), `channels_first`, `channels_last`."""
    compile: bool = False
    """Whether torch compiles what paints at every step: minutes at first, and again for pictures of another size."""
    tiles: bool = False
    """Whether pictures larger than those that painting networks were trained for are coded in overlapping tiles: less
    memory, other pixels."""
    offload: bool = False
    """Whether painting networks that are not in use wait outside of the GPU: less memory, the same pixels."""

    def check(self) -> None:
        """Raises RequestError where a value is out of range, or torch, the device or a compiler is not there."""
        if self.batch < 0 or self.threads < 1:
            raise RequestError(f"models.batch={self.batch}, models.threads={self.threads}; at least 0 and 1")
        if self.precision not in PRECISIONS:
            raise RequestError(f"unknown models.precision={self.precision}; known: {', '.join(PRECISIONS)}")
        if self.layout not in LAYOUTS:
            raise RequestError(f"unknown models.layout={self.layout}; known: {', '.join(LAYOUTS)}")
        device, precision = self.place()
        check_attention(self.attention, device, precision)
        if self.offload and device.type == "cpu":
            raise RequestError(f"models.offload=true spares a GPU; models.device={self.device} is a CPU, leave it out")
        if self.compile:
            _check_compiler(device)

    @property
    def batch_size(self) -> int:
        """Pictures that go through a network at once. On a CPU one by one: more are no faster, and never wanting."""
        return self.batch or (1 if self.place()[0].type == "cpu" else GPU_BATCH)

    @property
    def channels_last(self) -> bool:
        """Whether painting networks are laid out pixel after pixel rather than channel after channel."""
        return self.layout == "channels_last" or (self.layout == "auto" and self.place()[0].type != "cpu")

    @property
    def rounding(self) -> dict[str, Any]:
        """What of it may change what networks paint, as JSON values; options that are off are not mentioned."""
        chosen = {"channels_last": self.channels_last, "compile": self.compile, "tiles": self.tiles}
        always = {"precision": str(self.place()[1]), "batch": self.batch_size, "threads": self.threads}
        return always | {name: True for name, on in chosen.items() if on} | self.attending

    @property
    def attending(self) -> dict[str, str]:
        """The attention, as a JSON value, where it is not torch's choice."""
        return {} if self.attention == AUTO else {"attention": self.attention}

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
        attend(self.attention)
        halves = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
        precision = self.precision if self.precision != "auto" else "bfloat16" if halves else "float32"
        return device, getattr(torch, precision)


def _check_compiler(device: Any) -> None:
    """Compiles a trifle."""
    import torch

    try:
        torch.compile(torch.sin)(torch.zeros(2, device=device))
    except RuntimeError as error:
        problem = str(error).strip().splitlines()[0]
        raise RequestError(f"models.compile=true, but torch cannot compile here ({problem}); leave it out") from error
