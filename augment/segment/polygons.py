"""Painted polygons: LabelMe's JSON, whose labels are roles."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from augment.errors import RequestError
from robot_io.types import Role

FEWEST = {"polygon": 3, "rectangle": 2}  # points of each type of shape that is understood

Outline = tuple[Role, Float64[np.ndarray, "n 2"]]


@dataclass(frozen=True, eq=False)
class Polygons:
    """What one file holds."""

    height: int
    width: int
    """Of the picture that they were drawn on, pixels."""
    outlines: tuple[Outline, ...]
    """Role, and x, y of the corners, pixels from the picture's upper left corner."""

    @classmethod
    def read(cls, path: Path) -> "Polygons":
        """Raises RequestError where the file cannot be understood: that concerns every episode alike."""
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise RequestError(f"{path} cannot be read as JSON: {error}") from error
        about = about if isinstance(about, dict) else {}
        shapes, height, width = (about.get(name) for name in ("shapes", "imageHeight", "imageWidth"))
        if not (isinstance(shapes, list) and isinstance(height, int) and isinstance(width, int)):
            raise RequestError(f"{path} is no LabelMe file: it needs a list of shapes, imageHeight and imageWidth")
        return cls(height, width, tuple(_outline(f"{path}: shapes[{n}]", shape) for n, shape in enumerate(shapes)))

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset(role for role, _ in self.outlines)

    def masks(self) -> Mapping[Role, Bool[np.ndarray, "h w"]]:
        """Of every role the union of its shapes."""
        masks = {role: np.zeros((self.height, self.width), dtype=np.bool_) for role in sorted(self.roles)}
        for role, points in self.outlines:
            masks[role] |= _inside(points, self.height, self.width)
        return masks


def _outline(name: str, shape: Any) -> Outline:
    """`name`: how an error calls the shape."""
    shape = shape if isinstance(shape, dict) else {}
    label, kind = shape.get("label"), shape.get("shape_type", "polygon")
    if label not in list(Role):
        raise RequestError(f"{name} is labelled {label!r}; a label is a role: {', '.join(Role)}")
    if kind not in FEWEST:
        understood = " and ".join(FEWEST)
        raise RequestError(f"{name} is a {kind}; understood are {understood}. Draw it as one of them, or paint a PNG")
    try:
        points = np.array(shape.get("points"), dtype=np.float64)
    except (TypeError, ValueError):
        points = np.zeros(0)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < FEWEST[kind] or not np.isfinite(points).all():
        raise RequestError(f"{name} is a {kind}; its points are at least {FEWEST[kind]} pairs [x, y] of finite numbers")
    return Role(label), _corners(points) if kind == "rectangle" else points


def _corners(points: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "4 2"]:
    """Of the upright rectangle around some points."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def _inside(points: Float64[np.ndarray, "n 2"], height: int, width: int) -> Bool[np.ndarray, "h w"]:
    """The pixels whose middle lies inside: a ray from there to the right crosses the outline an odd number of times."""
    y, x = np.arange(height)[:, None] + 0.5, np.arange(width) + 0.5
    inside = np.zeros((height, width), dtype=np.bool_)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, 1, axis=0), strict=True):
        rows = np.flatnonzero((y0 <= y[:, 0]) != (y1 <= y[:, 0]))
        inside[rows] ^= x < x0 + (y[rows] - y0) * (x1 - x0) / (y1 - y0)
    return inside
