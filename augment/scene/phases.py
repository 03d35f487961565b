"""Samples from every phase between grasps: what is held in one of them uncovers where it lay before."""

from collections.abc import Sequence
from itertools import pairwise

from augment.scene.samples import sample_indices

SHORTEST, SHORTEST_SHARE = 3, 0.02  # frames, and share of the recording, that make a phase


def indices_by_phase(length: int, samples: int, changes: Sequence[int]) -> list[int]:
    """Up to `samples` frame indices, as many from each phase between changes, spread evenly within it.

    What a phase has too few frames for, the others get.
    """
    edges = [0]
    for change in (*changes, length):
        if change - edges[-1] >= max(SHORTEST, SHORTEST_SHARE * length):
            edges.append(change)
    edges[max(1, len(edges) - 1) :] = [length]
    phases = sorted(pairwise(edges), key=lambda phase: phase[1] - phase[0])
    indices: list[int] = []
    for number, (start, stop) in enumerate(phases):
        share = (samples - len(indices)) // (len(phases) - number)
        indices += [start + index for index in sample_indices(stop - start, share)]
    return sorted(indices)
