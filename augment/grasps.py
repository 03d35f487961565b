"""When a gripper closes and opens: what it holds in between, it uncovers where that lay before."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64

ACTIONS = {"action", "actions"}
TWO_VALUED, NEAR = 0.9, 0.1  # share of the frames that are so near (in distances of the levels) to one of two levels
OPEN, CLOSED = 1 / 3, 2 / 3  # of the way between the levels: a gripper has to get beyond the other one to change
MOST = 8  # changes in a hundred frames; more are no grasps


def find_grasps(signals: Mapping[str, np.ndarray]) -> tuple[int, ...]:
    """Frames at which a gripper begins to be closed or open, in order; none where no signal tells.

    `signals`: an episode's, `(t, ...)`. A gripper is a channel with two values, more or less: of signals that are named
    after one, else of the actions. Where there are several hands, all their changes.
    """
    named = [
        values for name, values in sorted(signals.items()) if "gripper" in name.lower() and "vel" not in name.lower()
    ]
    actions = [values for name, values in sorted(signals.items()) if name.lower().split("/")[-1] in ACTIONS]
    for candidates in (named, actions):
        changes = {change for values in candidates for channel in _channels(values) for change in _changes(channel)}
        if changes:
            return tuple(sorted(changes))
    return ()


def _channels(values: np.ndarray) -> list[Float64[np.ndarray, " t"]]:
    if values.dtype.kind not in "fiub" or not len(values):
        return []
    return list(values.reshape(len(values), -1).T.astype(np.float64))


def _changes(channel: Float64[np.ndarray, " t"]) -> list[int]:
    """Where a channel with two levels gets from one to the other; none for any other channel."""
    middle = (channel.min() + channel.max()) / 2
    low, high = channel[channel <= middle], channel[channel > middle]
    if not np.isfinite(channel).all() or not len(high):
        return []
    height = (channel - np.median(low)) / (np.median(high) - np.median(low))
    if (np.minimum(np.abs(height), np.abs(height - 1)) < NEAR).mean() < TWO_VALUED:
        return []
    closed, changes = bool(height[0] > CLOSED), []
    for index, value in enumerate(height):
        if value > CLOSED if not closed else value < OPEN:
            closed = not closed
            changes.append(index)
    return changes if len(changes) <= max(2, MOST * len(channel) / 100) else []
