"""What rested in one place for most of a recording is the largest mode there, and no background: a ghost.

A ghost has an outline that its surroundings know nothing of, so that the way to it leads across edges, while the
background that it hides continues what is around it.
"""

import numpy as np
from jaxtyping import Bool, Float32, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from augment.images import grow
from augment.scene.modes import Modes

NOISE = 4  # grey levels from pixel to pixel that are no edge
FOREIGN = 400.0  # squared grey levels: what a colour that is surely foreign adds to the way
STEP = 0.05  # grey levels: what a step costs where there is no edge


def connected_to_background(modes: Modes, foreign: Float32[np.ndarray, "2 h w"]) -> Int[np.ndarray, "h w"]:
    """Of the two modes of every pixel, a sample of the one that is closer to where there is only one mode.

    `foreign`: how likely their colours are those of what hides the background, -1..1; the likelier, the farther away.

    Distance is the least sum of differences of colour along a path from pixel to pixel, which may change between the
    modes on its way: Dijkstra's shortest path from all pixels with one mode, over a graph with two nodes for each of
    the others.
    """
    several = modes.several
    near = grow(several, 1)
    once = near & ~several & modes.seen.any(axis=0)
    if not several.any() or not once.any():
        return np.asarray(modes.centres[0])
    nodes = np.stack([once | several, several])
    number = np.where(nodes, np.cumsum(nodes.ravel()).reshape(nodes.shape) - 1, -1)
    starts, ends, lengths = zip(*(_steps(modes, number, axis) for axis in (0, 1)), strict=True)
    graph = coo_matrix(
        (np.concatenate(lengths), (np.concatenate(starts), np.concatenate(ends))), shape=2 * (int(nodes.sum()),)
    )
    distance = np.full(nodes.shape, np.inf)
    distance[nodes] = dijkstra(graph.tocsr(), directed=False, indices=number[0][once], min_only=True)
    distance += FOREIGN * foreign
    second = several & (distance[1] < distance[0])
    return np.asarray(np.where(second, modes.centres[1], modes.centres[0]))


def _steps(modes: Modes, number: Int[np.ndarray, "2 h w"], axis: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges of the graph along one axis: from, to, length."""
    here, there = [slice(None), slice(None)], [slice(None), slice(None)]
    here[axis], there[axis] = slice(None, -1), slice(1, None)
    before, after = tuple(here), tuple(there)
    starts, ends, lengths = [], [], []
    for first in (0, 1):
        for second in (0, 1):
            exists: Bool[np.ndarray, "a b"] = (number[first][before] >= 0) & (number[second][after] >= 0)
            colours = (modes.colours[first][(slice(None), *before)], modes.colours[second][(slice(None), *after)])
            apart = (np.maximum(*colours) - np.minimum(*colours)).max(axis=0)[exists]
            starts.append(number[first][before][exists])
            ends.append(number[second][after][exists])
            lengths.append(np.maximum(apart.astype(np.float64) - NOISE, 0) ** 2 + STEP)
    return np.concatenate(starts), np.concatenate(ends), np.concatenate(lengths)
