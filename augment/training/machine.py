"""On what training runs: one device or several, in which precision."""

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState, GradientState

from augment.errors import RequestError
from augment.models.runtime import Runtime
from augment.training.method import Training


def open_machine(runtime: Runtime, options: Training) -> Accelerator:
    """The device of `runtime`, or of this process where `accelerate launch` started several.

    Raises RequestError where device or precision cannot be had.
    """
    device, _ = runtime.place()
    if options.precision == "fp16" and device.type == "cpu":
        raise RequestError("method.precision=fp16 needs a GPU; on a CPU bf16 or no")
    if device.index is not None:
        torch.cuda.set_device(device)
    # Accelerate keeps these for the life of a process, and refuses a second training in another precision.
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)  # terms may leave out a part of a network
    return Accelerator(
        cpu=device.type == "cpu",
        mixed_precision=options.precision,
        gradient_accumulation_steps=options.accumulation,
        kwargs_handlers=[unused],
    )
