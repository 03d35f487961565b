"""Extending augmentations: one picture seen from several sides, so that no view alone can be flattered."""

import torch
from jaxtyping import Float
from torch import Tensor

from augment.diffusion.noise import Noise

STREAM = "views"
DRAWN = 13  # numbers for a view: whether and how it is turned and moved (1 + 3), and whether and how tilted (1 + 8)
LIKELY = 0.7  # chance of each of the two
TURN = 15.0  # degrees at most
MOVE = 0.1  # of the side, at most
TILT = 0.7  # of half the side, at most, by which a corner comes inwards


def extended(noise: Noise, t: int, pixels: Float[Tensor, "b c s s"], count: int) -> Float[Tensor, "b n c s s"]:
    """Each picture as it is, then `count` - 1 projective views of it, grey beyond its borders.

    The same views for the same key, number of the picture and level. Gradients are the same in every run.
    """
    like = pixels.new_empty((len(pixels), count - 1, DRAWN))
    maps = _maps(torch.special.ndtr(noise(STREAM, t, like).double()))
    views = torch.stack([_warped(pixels, maps[:, number]) for number in range(count - 1)], dim=1) if count > 1 else None
    return pixels[:, None] if views is None else torch.cat([pixels[:, None], views], dim=1)


def _maps(drawn: Float[Tensor, "b n k"]) -> Float[Tensor, "b n 3 3"]:
    """From cells of a view to cells of the picture, in coordinates 0..1. `drawn`: evenly from 0..1."""
    moved, tilted = _moved(drawn[..., 1:4]), _tilted(drawn[..., 5:])
    still = torch.eye(3, dtype=drawn.dtype, device=drawn.device)
    first = torch.where((drawn[..., 0] < LIKELY)[..., None, None], moved, still)
    second = torch.where((drawn[..., 4] < LIKELY)[..., None, None], tilted, still)
    return _inverse(_product(second, first))


def _moved(drawn: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3 3"]:
    """Turned about the middle and moved."""
    angle, right, down = (2 * drawn - 1).unbind(-1)
    cosine, sine = torch.cos(torch.deg2rad(TURN * angle)), torch.sin(torch.deg2rad(TURN * angle))
    nothing, one = torch.zeros_like(angle), torch.ones_like(angle)
    x, y = 0.5 - 0.5 * (cosine - sine) + MOVE * right, 0.5 - 0.5 * (sine + cosine) + MOVE * down
    return _matrix([cosine, -sine, x, sine, cosine, y, nothing, nothing, one])


def _tilted(drawn: Float[Tensor, "*n 8"]) -> Float[Tensor, "*n 3 3"]:
    """What takes the unit square to corners that came inwards (Heckbert 1989)."""
    x0, y0, x1, y1, x2, y2, x3, y3 = (TILT / 2 * drawn).unbind(-1)
    x1, x2, y2, y3 = 1 - x1, 1 - x2, 1 - y2, 1 - y3
    over, under, skew = (x1 - x2, y1 - y2), (x3 - x2, y3 - y2), (x0 - x1 + x2 - x3, y0 - y1 + y2 - y3)
    area = over[0] * under[1] - under[0] * over[1]
    g = (skew[0] * under[1] - under[0] * skew[1]) / area
    h = (over[0] * skew[1] - skew[0] * over[1]) / area
    along, across = (x1 - x0 + g * x1, y1 - y0 + g * y1), (x3 - x0 + h * x3, y3 - y0 + h * y3)
    return _matrix([along[0], across[0], x0, along[1], across[1], y0, g, h, torch.ones_like(g)])


def _matrix(entries: list[Tensor]) -> Float[Tensor, "*n 3 3"]:
    return torch.stack(entries, dim=-1).unflatten(-1, (3, 3))


def _product(one: Float[Tensor, "*n 3 3"], other: Float[Tensor, "*n 3 3"]) -> Float[Tensor, "*n 3 3"]:
    return (one[..., :, :, None] * other[..., None, :, :]).sum(dim=-2)


def _inverse(maps: Float[Tensor, "*n 3 3"]) -> Float[Tensor, "*n 3 3"]:
    """Up to a factor, which projective maps do not have."""
    x, y, z = maps.unbind(-2)
    return torch.stack([torch.linalg.cross(y, z), torch.linalg.cross(z, x), torch.linalg.cross(x, y)], dim=-1)


def _warped(pixels: Float[Tensor, "b c s s"], maps: Float[Tensor, "b 3 3"]) -> Float[Tensor, "b c s s"]:
    """Bilinear, by looking up cells: gradients of `grid_sample` differ from run to run on a GPU."""
    side = pixels.shape[-1]
    centres = (torch.arange(side, device=maps.device, dtype=maps.dtype) + 0.5) / side
    x, y = centres[None, None, :], centres[None, :, None]
    places = [(row[..., 0] * x + row[..., 1] * y + row[..., 2]) for row in maps[:, :, None, None, :].unbind(1)]
    across, down = (place / places[2] * side - 0.5 for place in places[:2])
    left, top = across.floor(), down.floor()
    cells = pixels.permute(0, 2, 3, 1)
    made = torch.zeros_like(cells)
    pictures = torch.arange(len(pixels), device=pixels.device)[:, None, None]
    for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
        weight = (1 - (across - column).abs()) * (1 - (down - row).abs())
        inside = (column >= 0) & (column < side) & (row >= 0) & (row < side)
        near = cells[pictures, row.clamp(0, side - 1).long(), column.clamp(0, side - 1).long()]
        made = made + torch.where(inside, weight, 0).to(pixels.dtype)[..., None] * near
    return made.permute(0, 3, 1, 2)
