"""Where the support ends and the backdrop begins: its far edge, a line or a corner across the picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from augment.errors import RequestError
from augment.images import resize
from augment.types import Role, SceneView

UNKNOWN = -0.05  # of the height: the edge where nothing tells, as of a camera that looks down on a table
SMALLEST = 0.02  # share of the picture that a support region needs to be believed
STEEPEST = 0.35  # rise over the picture's width, in heights, of an edge that is looked for
NEAR, FAR = 0.06, 0.7  # of the height: between them an edge is looked for
ROWS = 96  # height at which it is looked for
THIN, THICK = 2, 10  # rows compared above and below a line
BY_CHANCE = 0.4  # share of columns that agree on a step of colour where there is no edge
CONVINCING = 4.0  # least salience: difference of colour, 0..255, by the share of columns that have it beyond chance
TOLERANCE = 0.015  # of the height: how far from a line a column may be and still agree


@dataclass(frozen=True)
class Edge:
    """The far edge of the support, from left to right."""

    points: tuple[tuple[float, float], ...]
    """Two points (a line) or three (a corner): x as a fraction of the width, y of the height, down positive."""
    known: bool = True
    """False where it is only assumed."""

    def rows(self, x: Float32[np.ndarray, " w"]) -> Float32[np.ndarray, " w"]:
        """Its height, as a fraction of the picture's, at fractions `x` of the width; the end pieces are prolonged."""
        heights = [y0 + (x - x0) * (y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in pairwise(self.points)]
        if len(heights) == 1:
            return np.asarray(heights[0], dtype=np.float32)
        return np.where(x < self.points[1][0], *heights).astype(np.float32)


def find_edge(
    region: Bool[np.ndarray, "h w"] | None, plate: UInt8[np.ndarray, "h w 3"], painted: Sequence[float] = ()
) -> Edge:
    """The far edge of the support, by the first of these that tells:

    1. `region`, where the support was recorded or painted: a line along its upper end;
    2. `painted`: x, y of two or three points along the edge, as fractions of width and height, from left to right;
    3. the clean plate: the most salient long, nearly level line between two differently coloured regions;
    4. nothing: a level line above the picture, all of which is support; `known` False.
    """
    if region is not None and (line := _along_top(region)):
        return Edge(line)
    if painted:
        return Edge(tuple(zip(painted[::2], painted[1::2], strict=True)))
    if line := _detected(plate):
        return Edge(line)
    return Edge(((0.0, UNKNOWN), (1.0, UNKNOWN)), known=False)


def support_region(scene: SceneView) -> Bool[np.ndarray, "h w"] | None:
    """Where a support was recorded or painted, None where it was not."""
    region = scene.region(Role.SUPPORT)
    return region if region.mean() > SMALLEST else None


def check_edge(painted: Sequence[float]) -> None:
    """Raises RequestError unless `painted` is empty or two or three points x, y from left to right."""
    if len(painted) not in (0, 4, 6) or not all(isinstance(value, (int, float)) for value in painted):
        raise RequestError(f"edge={list(painted)}: x, y of two or three points in one list, such as [0, 0.31, 1, 0.28]")
    if not all(-1 <= value <= 2 for value in painted):
        raise RequestError(f"edge={list(painted)}: fractions of width and height, such as [0, 0.31, 1, 0.28]")
    if any(right - left < 0.01 for left, right in pairwise(painted[::2])):
        raise RequestError(f"edge={list(painted)}: points go from left to right, such as [0, 0.31, 1, 0.28]")


Line = tuple[tuple[float, float], tuple[float, float]]


def _along_top(region: Bool[np.ndarray, "h w"]) -> Line | None:
    """The line that most columns' first pixels agree on; columns where something stands before the edge do not."""
    height, width = region.shape
    columns = np.flatnonzero(region.any(axis=0))
    x = ((columns + 0.5) / width).astype(np.float64)
    y = region.argmax(axis=0)[columns] / height
    sample = np.unique(np.linspace(0, len(columns) - 1, 32).astype(int))
    first, second = (index.ravel() for index in np.meshgrid(sample, sample))
    apart = x[second] - x[first] > 0.15
    first, second = first[apart], second[apart]
    if not len(first):
        return None
    slopes = (y[second] - y[first]) / (x[second] - x[first])
    offsets = y[first] - slopes * x[first]
    agree = np.abs(slopes[:, None] * x + offsets[:, None] - y) < TOLERANCE
    best = agree[int(agree.sum(axis=1).argmax())]
    centre = x[best].mean()
    slope = ((x[best] - centre) * y[best]).sum() / max(((x[best] - centre) ** 2).sum(), 1e-9)
    middle = y[best].mean()
    return (0.0, float(middle - slope * centre)), (1.0, float(middle + slope * (1 - centre)))


def _detected(plate: UInt8[np.ndarray, "h w 3"]) -> Line | None:
    """The line across which colours differ most, in most columns, both close to it and further away."""
    width = max(16, round(ROWS * plate.shape[1] / plate.shape[0]))
    red, green, blue = np.moveaxis(resize(plate, ROWS, width).astype(np.float32), -1, 0)
    # opponent colours: a difference of colour counts as much as one of brightness
    colours = np.stack([(red + green + blue) / 3, red - green, (red + green) / 2 - blue])
    thin, thick = (_across(colours, rows) for rows in (THIN, THICK))
    best, line = CONVINCING, None
    x = (np.arange(width) + 0.5) / width - 0.5
    for rise in np.linspace(-STEEPEST, STEEPEST, 29):
        rows = np.arange(ROWS)[:, None] + np.rint(rise * ROWS * x).astype(int)
        levelled = np.clip(rows, 0, ROWS - 1)[None]
        salience = np.minimum(*(_salience(np.take_along_axis(steps, levelled, axis=1)) for steps in (thin, thick)))
        ends = (np.arange(ROWS) + 0.5) / ROWS + rise * np.array([[-0.5], [0.5]])
        salience[(ends < NEAR).any(axis=0) | (ends > FAR).any(axis=0)] = 0
        row = int(salience.argmax())
        if salience[row] > best:
            best = float(salience[row])
            line = (0.0, float(ends[0, row])), (1.0, float(ends[1, row]))
    return line


def _salience(steps: Float32[np.ndarray, "3 h w"]) -> Float32[np.ndarray, " h"]:
    """For every row: the step of colour that is usual in it, weighted by how many columns have it."""
    usual = np.median(steps, axis=2)
    size = np.sqrt((usual**2).sum(axis=0))
    along = (steps * usual[..., None]).sum(axis=0)
    agree = (along > 0.5 * (size**2)[:, None]).mean(axis=1)
    return np.asarray(size * np.maximum(agree - BY_CHANCE, 0), dtype=np.float32)


def _across(colours: Float32[np.ndarray, "3 h w"], rows: int) -> Float32[np.ndarray, "3 h w"]:
    """For every pixel: the mean of so many rows from it downwards, less that of as many above it."""
    padded = np.pad(colours, ((0, 0), (rows, rows), (0, 0)), mode="edge")
    total = np.cumsum(np.pad(padded, ((0, 0), (1, 0), (0, 0))), axis=1)
    height = colours.shape[1]
    below = total[:, 2 * rows : 2 * rows + height] - total[:, rows : rows + height]
    above = total[:, rows : rows + height] - total[:, :height]
    return np.asarray((below - above) / rows, dtype=np.float32)
