"""Guidance: the prompt's by its formula, energies descend."""

import pytest
import torch

from augment.diffusion import grids
from augment.diffusion.guidance import classifier_free, steer, steer_mean
from augment.diffusion.levels import rectified_flow
from augment.diffusion.maps import clean, posterior_variance
from augment.diffusion.noise import Noise
from augment.diffusion.predictions import Reverse
from augment.diffusion.samplers import DDIM, Ancestral, Multistep, State, sample
from tests.augment.diffusion.toys import SD, gaussian, normal, smooth

X = normal(2, 3, 8, 8)
WISH = 1.0
GRID = grids.trailing(999, 20)
through = pytest.mark.parametrize("through", [True, False], ids=["through", "stopped"])


def energy(strength):
    """Quadratic, of each picture: far from the wish is wrong."""
    return lambda x0, t: strength * (x0 - WISH).square().mean((1, 2, 3))


def wrongness(x):
    return float((x - WISH).square().mean())


def test_classifier_free():
    one, two = normal(2, 3, 8, 8, seed=1), normal(2, 3, 8, 8, seed=2)
    assert torch.allclose(classifier_free(one, two, 1.0), one, atol=1e-15)
    assert torch.equal(classifier_free(one, two, 0.0), two)
    assert torch.allclose(classifier_free(one, two, 7.0), 7 * one - 6 * two, atol=1e-14)
    assert classifier_free(one.half(), two.half(), 7.0).dtype == torch.float32


@through
@pytest.mark.parametrize("sampler", [DDIM(), Multistep(), Ancestral()], ids=str)
@pytest.mark.parametrize("levels", [SD, rectified_flow()], ids=["diffusion", "flow"])
def test_samples_descend_the_energy(levels, sampler, through):
    denoise = gaussian(levels, 0.0, 0.5)
    start = State(X, 400)
    plain, down, up = (
        wrongness(sample(sampler, levels, guided, start, GRID, Noise(1, (0, 1))).x)
        for guided in (
            denoise,
            steer(levels, denoise, energy(60.0), through),
            steer(levels, denoise, energy(-60.0), through),
        )
    )
    assert down < 0.9 * plain < plain < up


@through
def test_the_mean_moves_down_the_energy(through):
    denoise, start = gaussian(SD, 0.0, 0.5), State(X, 999)
    plain, down, up = (
        wrongness(sample(Ancestral(), SD, guided, start, GRID, Noise(1, (0, 1))).x)
        for guided in (
            denoise,
            steer_mean(SD, denoise, energy(60.0), through),
            steer_mean(SD, denoise, energy(-60.0), through),
        )
    )
    assert down < 0.9 * plain < plain < up


def test_the_mean_moves_by_the_variance_times_the_gradient():
    guided = steer_mean(SD, smooth(), energy(5.0))
    plain, moved = (
        sample(Ancestral(), SD, denoise, State(X, 800), (800, 700, -1), Noise(1, (0, 1)), stop=700).x
        for denoise in (smooth(), guided)
    )
    expected = -posterior_variance(SD, 800, 700) * guided(X, 800).gradient
    assert torch.allclose(moved - plain, expected, atol=1e-13)


def test_gradients_are_autograds():
    t = 500
    a, b = SD.at(t)
    x = X.clone().requires_grad_()
    whole = torch.autograd.grad(energy(3.0)(clean(SD, x, t, smooth()(x, t)), t).sum(), x)[0]
    assert torch.allclose(steer(SD, smooth(), energy(3.0))(X, t), smooth()(X, t) + b * whole, atol=1e-13)

    x0 = clean(SD, X, t, smooth()(X, t)).requires_grad_()
    cheap = torch.autograd.grad(energy(3.0)(x0, t).sum(), x0)[0] / a
    assert torch.allclose(steer(SD, smooth(), energy(3.0), through=False)(X, t), smooth()(X, t) + b * cheap, atol=1e-13)
    assert (whole - cheap).norm() > 1e-3 * whole.norm()


def test_the_authors_energy_sees_a_mixture():
    t = 500
    _, b = SD.at(t)
    x = X.clone().requires_grad_()
    mixed = b * clean(SD, x, t, smooth()(x, t)) + (1 - b) * x
    gradient = torch.autograd.grad(energy(3.0)(mixed, t).sum(), x)[0]
    assert torch.allclose(steer_mean(SD, smooth(), energy(3.0), mixed=True)(X, t).gradient, gradient, atol=1e-14)


def test_pictures_of_a_batch_are_guided_each_by_its_own():
    guided = steer(SD, smooth(), energy(3.0))
    assert torch.allclose(guided(X, 500)[1:], guided(X[1:], 500), atol=1e-13)


def test_a_learned_variance_passes_through():
    fraction = normal(2, 3, 8, 8, seed=3)
    reverse = steer_mean(SD, lambda x, t: Reverse(smooth()(x, t), fraction), energy(1.0))(X, 500)
    assert torch.equal(reverse.fraction, fraction)
    assert torch.equal(reverse.noise, smooth()(X, 500))


@through
def test_it_works_where_gradients_are_off_and_leaves_no_graph(through):
    with torch.no_grad():
        off = steer(SD, smooth(), energy(3.0), through)(X, 500)
    on = steer(SD, smooth(), energy(3.0), through)(X, 500)
    assert torch.equal(on, off)
    assert not on.requires_grad
    assert not X.requires_grad
