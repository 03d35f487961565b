"""Extending augmentations: real views of the picture, by key, and their gradients."""

import pytest
import torch

from augment.diffusion.noise import Noise
from augment.models.painting import views
from augment.models.painting.views import extended
from tests.augment.diffusion.toys import normal

PIXELS = normal(2, 3, 32, 32).float()
NOISE = Noise(5, (0, 1))


def test_the_first_view_is_the_picture_itself() -> None:
    assert torch.equal(extended(NOISE, 7, PIXELS, 1), PIXELS[:, None])
    several = extended(NOISE, 7, PIXELS, 6)
    assert several.shape == (2, 6, 3, 32, 32)
    assert torch.equal(several[:, 0], PIXELS)


def test_key_level_and_number_decide_the_views_and_nothing_else() -> None:
    made = extended(NOISE, 7, PIXELS, 8)
    assert torch.equal(made, extended(NOISE, 7, PIXELS, 8))
    assert torch.equal(made[1:], extended(Noise(5, (1,)), 7, PIXELS[1:], 8))
    for other in (extended(Noise(6, (0, 1)), 7, PIXELS, 8), extended(NOISE, 8, PIXELS, 8)):
        assert not torch.equal(made[:, 1:], other[:, 1:])
    alike = extended(Noise(5, (3, 3)), 7, PIXELS[:1].expand(2, -1, -1, -1), 8)
    assert torch.equal(alike[0], alike[1])


def test_mask_and_picture_are_seen_from_the_same_side() -> None:
    """White where the mask is: no view of the masked picture shows anything beyond that of the mask."""
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 8:20, 4:30] = 1
    noise = Noise(5, (0,))
    picture = extended(noise, 7, PIXELS[:1] * mask, 8)
    shown = extended(noise, 7, mask, 8)
    assert (picture.abs().sum(dim=2, keepdim=True)[shown == 0] == 0).all()
    assert (shown[:, 1:].mean(dim=(2, 3, 4)) != shown[:, :1].mean()).sum() > 3


def test_lookups_are_those_of_grid_sample() -> None:
    maps = views._maps(torch.rand(2, 1, 13, generator=torch.Generator().manual_seed(1)).double())[:, 0]
    cells = (torch.arange(32).double() + 0.5) / 32
    plane = torch.stack([cells[None].expand(32, 32), cells[:, None].expand(32, 32), torch.ones(32, 32).double()], -1)
    places = torch.einsum("bij,yxj->byxi", maps, plane)
    grid = places[..., :2] / places[..., 2:] * 2 - 1
    expected = torch.nn.functional.grid_sample(PIXELS.double(), grid, align_corners=False)
    assert torch.allclose(views._warped(PIXELS.double(), maps), expected, atol=1e-12)


def test_tilting_brings_each_corner_inwards() -> None:
    drawn = torch.rand(8, generator=torch.Generator().manual_seed(1)).double()
    tilted = views._tilted(drawn)
    for corner, (x, y) in enumerate([(0, 0), (1, 0), (1, 1), (0, 1)]):
        there = tilted @ torch.tensor([x, y, 1.0]).double()
        inwards = 0.35 * drawn[2 * corner : 2 * corner + 2]
        expected = torch.where(torch.tensor([x, y]) == 1, 1 - inwards, inwards)
        assert torch.allclose(there[:2] / there[2], expected, atol=1e-12)


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_views_are_turned_and_tilted_by_chance(chance: float) -> None:
    drawn = torch.full((1, 1, 13), 0.9).double()
    drawn[..., [0, 4]] = chance
    (view,) = views._warped(PIXELS[:1].double(), views._maps(drawn)[:, 0])
    assert torch.allclose(view, PIXELS[0].double(), atol=1e-9) == (chance == 1.0)
