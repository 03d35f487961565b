"""Masks followed through a clip by the video memory of SAM 2 (Ravi et al. 2024)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch.nn.functional import interpolate
from transformers import Sam2VideoInferenceSession, Sam2VideoModel
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceCache

from augment.errors import RequestError
from augment.models.base import Tracked
from augment.models.hub import load
from augment.models.runtime import Runtime
from augment.models.tensors import normalised

PROMPTS = 4  # of a track, the latest, are remembered: each costs as much attention as a frame
TRACK = 0  # in its own session
WINDOW = 8  # frames

Read = Callable[[int, int], UInt8[np.ndarray, "t h w 3"]]
Prompts = Mapping[int, Mapping[int, Bool[np.ndarray, "h w"]]]


def open_hub(folder: Path, runtime: Runtime) -> "Sam2Tracker":
    """A tracker from a Hub folder of SAM 2 or 2.1. Raises RequestError as `hub.load`."""
    return Sam2Tracker(load(Sam2VideoModel, "sam2", folder).to(*runtime.place()))


@dataclass(frozen=True, eq=False)
class Sam2Tracker:
    """A VideoTracker. What it holds does not grow with the clip."""

    network: Any
    """A Sam2VideoModel, for evaluation."""
    window: int = WINDOW
    """Frames that are read at once. They go through the network one by one: masks do not depend on it."""

    def propagate(self, read: Read, length: int, prompts: Prompts, reverse: bool = False) -> Iterator[Tracked]:
        """As VideoTracker promises."""
        at = [index for index, given in prompts.items() if given]
        if not at:
            raise RequestError("there is no mask to follow; give that of at least one track in one frame")
        if beyond := [index for index in at if not 0 <= index < length]:
            raise RequestError(f"a mask to follow is given in frame {beyond[0]}; the clip has frames 0..{length - 1}")
        first = max(at) if reverse else min(at)
        return self._follow(_frames(read, first, length, self.window, reverse), prompts)

    def _follow(self, frames: Iterator[tuple[int, UInt8[np.ndarray, "h w 3"]]], prompts: Prompts) -> Iterator[Tracked]:
        weight = next(self.network.parameters())
        cache = Sam2VideoInferenceCache(weight.device, weight.device)
        memories: dict[int, _Memory] = {}
        # the network counts steps, not frames: backwards is forwards through the reversed clip
        for step, (index, frame) in enumerate(frames):
            given = prompts.get(index, {})
            for number, mask in given.items():
                _check(mask, frame, f"the mask of track {number} in frame {index}")
                memories.setdefault(number, _Memory(self.network, cache))
            pixels = normalised(frame, self.network.image_size, self.network.image_size, weight)
            tracked = Tracked(index, {}, {})
            for number, memory in sorted(memories.items()):
                if number in given:
                    memory.prompt(step, given[number])
                logits, presence = memory.see(step, pixels)
                tracked.masks[number] = given[number] if number in given else _cut(logits, *frame.shape[:2])
                tracked.scores[number] = 1.0 if number in given else presence * _stability(logits)
            yield tracked


class _Memory:
    """What the network remembers of one track.

    A session for each: in one for all, whether a frame is prompted for one track changes how the others are followed.
    """

    def __init__(self, network: Any, cache: Sam2VideoInferenceCache) -> None:
        """`cache`: of what the network sees in a frame, the same for all tracks."""
        self.network = network
        devices = dict.fromkeys(("inference_device", "inference_state_device", "video_storage_device"), network.device)
        self.session = Sam2VideoInferenceSession(dtype=network.dtype, **devices)
        self.session.cache = cache
        self.session.obj_id_to_idx(TRACK)

    def prompt(self, step: int, mask: Bool[np.ndarray, "h w"]) -> None:
        """Say where the thing is in the frame that comes next. What was remembered since the last prompt is forgotten.

        Where it is right, the prompt says as much; where not, it would lead back astray.
        """
        side = self.network.image_size
        soft = interpolate(
            torch.tensor(mask, dtype=torch.float32)[None, None], (side, side), mode="bilinear", antialias=True
        )
        # what is thinner than the network's pixels does not vanish
        self.session.add_mask_inputs(TRACK, step, (soft >= soft.max().clamp(max=0.5)).float())
        self.session.obj_with_new_inputs = [TRACK]
        self.session.output_dict_per_obj[TRACK]["non_cond_frame_outputs"].clear()

    def see(self, step: int, pixels: torch.Tensor) -> tuple[torch.Tensor, float]:
        """Follow into the next frame: logits of the mask at the network's own size, and the chance that it is there."""
        seen = self.network(self.session, frame_idx=step, frame=pixels)
        self._forget()
        return seen.pred_masks.float(), float(torch.sigmoid(seen.object_score_logits.float()).item())

    def _forget(self) -> None:
        """Let go of all that later frames do not need; the session itself keeps everything."""
        config = self.network.config
        tracked = self.session.output_dict_per_obj[TRACK]
        for name, kept in (
            ("cond_frame_outputs", PROMPTS),
            ("non_cond_frame_outputs", max(config.num_maskmem, config.max_object_pointers_in_encoder) - 1),
        ):
            for old in sorted(tracked[name])[:-kept]:
                del tracked[name][old]
            for output in tracked[name].values():
                output.pop("high_res_masks", None)
                output.pop("pred_masks", None)
        self.session.processed_frames.clear()
        self.session.mask_inputs_per_obj[TRACK].clear()
        self.session.frames_tracked_per_obj[TRACK].clear()


def _frames(
    read: Read, first: int, length: int, window: int, reverse: bool
) -> Iterator[tuple[int, UInt8[np.ndarray, "h w 3"]]]:
    if reverse:
        for stop in range(first + 1, 0, -window):
            start = max(0, stop - window)
            yield from zip(range(stop - 1, start - 1, -1), read(start, stop)[::-1], strict=True)
    else:
        for start in range(first, length, window):
            yield from enumerate(read(start, min(start + window, length)), start)


def _check(mask: Bool[np.ndarray, "h w"], frame: UInt8[np.ndarray, "H W 3"], name: str) -> None:
    if mask.shape != frame.shape[:2]:
        raise RequestError(f"{name} is {mask.shape}, the frame {frame.shape[:2]}; both must be of one size")
    if not mask.any():
        raise RequestError(f"{name} has no pixel; leave it out where the thing is not seen")


def _cut(logits: torch.Tensor, height: int, width: int) -> Bool[np.ndarray, "h w"]:
    large = interpolate(logits, (height, width), mode="bilinear", align_corners=False)
    return np.asarray((large[0, 0] > 0).cpu().numpy())


def _stability(logits: torch.Tensor) -> float:
    """IoU of the masks at logits above 1 and above -1; 0 where both are empty."""
    return float((logits > 1).sum() / (logits > -1).sum().clamp(min=1))
