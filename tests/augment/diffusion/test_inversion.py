"""From pictures to the noise that makes them."""

import itertools

import pytest
import torch
from diffusers import DDIMInverseScheduler

from augment.diffusion import grids
from augment.diffusion.inversion import invert
from augment.diffusion.levels import CLEAN, from_cumulative, rectified_flow
from augment.diffusion.maps import renoise
from augment.diffusion.noise import Noise
from augment.diffusion.samplers import DDIM, State, sample
from tests.augment.diffusion.toys import SD, gaussian, gaussian_flow, normal, smooth, unet

PICTURE = normal(2, 4, 8, 8).clamp(-1, 1)
both = pytest.mark.parametrize("levels", [SD, rectified_flow()], ids=["diffusion", "flow"])


def error(denoise, steps, refinements, levels=SD):
    """Relative, of the picture that is made again."""
    grid, picture = grids.trailing(800, steps), PICTURE[:1]
    inverted = invert(levels, denoise, picture, grid, refinements)
    again = sample(DDIM(), levels, denoise, State(inverted.x, inverted.level), grid, Noise(0, (0,))).x
    return float((again - picture).norm() / picture.norm())


@both
@pytest.mark.parametrize("refinements", [0, 2])
def test_with_noise_that_never_changes_it_is_exact(levels, refinements):
    noise = normal(1, 4, 8, 8, seed=3)
    assert error(lambda x, t: noise, 10, refinements, levels) < 1e-12


@pytest.mark.parametrize("denoise", [unet(), smooth(4)], ids=["unet", "smooth"])
def test_errors_fall_strictly_with_steps(denoise):
    errors = [error(denoise, steps, 0) for steps in (5, 10, 20)]
    assert errors[0] > 1.4 * errors[1] > 2 * errors[2]


@pytest.mark.parametrize("strength", [1.0, 0.1])
def test_refinements_converge_with_a_real_network(strength):
    """Faster where the network changes less from step to step; one with random weights changes much."""
    errors = [error(lambda x, t: strength * unet()(x, t), 10, refinements) for refinements in (0, 1, 3)]
    assert all(after < before / 1.5 for before, after in itertools.pairwise(errors))
    assert strength == 1 or errors[-1] < 1e-4


def test_refinements_invert_even_few_steps():
    errors = [error(smooth(4), 10, refinements) for refinements in range(5)]
    assert all(after < before / 5 for before, after in itertools.pairwise(errors))
    assert errors[3] < 1e-4


def test_the_label_is_that_of_the_formula():
    """(1.2) with its root corrected: sqrt(1 / ab) x - sqrt(1 / ab - 1) e."""
    inverted = invert(SD, unet(), PICTURE, grids.trailing(800, 4))
    kept = SD.signal[800] ** 2
    formula = (1 / kept) ** 0.5 * inverted.x - (1 / kept - 1) ** 0.5 * inverted.noise
    assert (inverted.signal(SD) - formula).abs().max() < 1e-12 * formula.abs().max()
    assert torch.equal(inverted.noise, unet()(inverted.x, 800))


@pytest.mark.parametrize("denoise", [unet(), smooth(4)], ids=["unet", "smooth"])
@both
def test_it_says_where_it_is_and_what_is_there(levels, denoise):
    inverted = invert(levels, denoise, PICTURE, grids.trailing(800, 10))
    assert inverted.level == 800
    assert torch.equal(inverted.noise, denoise(inverted.x, 800))
    again = renoise(levels, inverted.signal(levels), 800, inverted.noise)
    assert (again - inverted.x).abs().max() < 1e-12


@both
def test_it_follows_the_flow_of_the_world(levels):
    """Backwards along the differential equation, not to a picture with noise drawn."""
    denoise = gaussian(levels, 0.3, 0.5)
    grid = grids.strided(800, 4)
    inverted = invert(levels, denoise, PICTURE, grid)
    exact = gaussian_flow(levels, 0.3, 0.5, PICTURE, -1, 800)
    assert (inverted.x - exact).norm() < 0.02 * exact.norm()


def test_without_refinement_steps_are_those_of_diffusers():
    theirs = DDIMInverseScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False)
    theirs.alphas_cumprod = theirs.alphas_cumprod.double()
    levels = from_cumulative(theirs.alphas_cumprod.numpy())
    theirs.set_timesteps(10)
    x, asked = PICTURE, []

    def denoise(x, t):
        asked.append(t)
        return unet()(x, t)

    grid = (400, 300, 200, 100, 0, CLEAN)
    inverted = invert(levels, denoise, PICTURE, grid, refinements=0)
    assert asked == [0, 0, 100, 200, 300, 400]
    for below, t in zip([0, 0, 100, 200, 300], grid[-2::-1], strict=True):
        x = theirs.step(unet()(x, below), t, x).prev_sample
    assert (inverted.x - x).abs().max() < 1e-10 * x.abs().max()


@pytest.mark.parametrize("refinements", [0, 2])
def test_it_calls_no_more_than_it_says(refinements):
    calls = []

    def denoise(x, t):
        calls.append(t)
        return smooth(4)(x, t)

    invert(SD, denoise, PICTURE, grids.trailing(800, 10), refinements)
    assert len(calls) == 10 * (1 + refinements) + 1
