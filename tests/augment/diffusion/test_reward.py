"""The diffusion reward's gradient: the surrogate, autograd and the closed form are one."""

import itertools

import pytest
import torch

from augment.diffusion import grids
from augment.diffusion.guidance import classifier_free
from augment.diffusion.levels import CLEAN, rectified_flow
from augment.diffusion.maps import affine, clean, ddim, renoise
from augment.diffusion.predictions import Prediction, denoiser, target
from augment.diffusion.reward import denoised, reward
from tests.augment.diffusion.toys import SD, normal, smooth, unet

SIGNAL, NOISE, PICTURE = (normal(2, 4, 8, 8, seed=seed) for seed in range(3))
GRID = grids.reward_grid(800, 10, 80, 33)
FLOW = rectified_flow()


def held(denoise):
    return lambda x, t: denoise(x, t).detach()


def guided(x, t):
    return classifier_free(smooth(4)(x, t), smooth(4)(0.5 * x, t), 7.0)


def by_autograd(levels, denoise, grid=GRID):
    """The gradient of the mean squared error, through whatever of the chain carries one."""
    signal = SIGNAL.clone().requires_grad_()
    made = denoised(levels, denoise, signal, NOISE, grid)
    (gradient,) = torch.autograd.grad((made - PICTURE).square().mean(), signal)
    return gradient, made.detach()


def by_surrogate(levels, denoise, grid=GRID):
    signal = SIGNAL.clone().requires_grad_()
    rewarded = reward(levels, denoise, signal, NOISE, PICTURE, grid)
    (gradient,) = torch.autograd.grad(rewarded.loss, signal)
    return gradient, rewarded


def off(one, other):
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize("levels", [SD, FLOW], ids=["diffusion", "flow"])
@pytest.mark.parametrize("denoise", [unet(), smooth(4), guided], ids=["unet", "smooth", "guided"])
@pytest.mark.parametrize("stride", [80, 20], ids=["full", "source"])
def test_the_surrogate_is_autograd_is_the_closed_form(levels, denoise, stride):
    grid = grids.reward_grid(800, 10, stride, 7)
    ours, rewarded = by_surrogate(levels, denoise, grid)
    chain, made = by_autograd(levels, held(denoise), grid)
    assert off(ours, chain) < 1e-10
    assert off(ours, 2 * (made - PICTURE) / PICTURE.numel()) < 1e-10
    assert torch.equal(rewarded.picture, made)
    assert float(rewarded.value) == pytest.approx(float((made - PICTURE).square().mean()), rel=1e-14)


def test_the_full_gradient_is_another():
    ours, _ = by_surrogate(SD, smooth(4))
    full, _ = by_autograd(SD, smooth(4))
    assert off(ours, full) > 1e-2
    assert torch.cosine_similarity(ours.flatten(), full.flatten(), dim=0) < 0.9999


def test_steps_with_the_noise_held_multiply_to_one_over_the_starts_signal():
    product = torch.tensor([affine(SD, t, s)[0] for t, s in itertools.pairwise(GRID)], dtype=torch.float64).prod()
    assert float(product) == pytest.approx(1 / SD.signal[800], rel=1e-13)
    assert float(product) == pytest.approx(5.208, abs=1e-3)


def test_finite_differences_of_the_map_with_held_noise_agree():
    said = []

    def remember(x, t):
        said.append(smooth(4)(x, t))
        return said[-1]

    made = denoised(SD, remember, SIGNAL, NOISE, GRID)
    step = 1e-3 * normal(2, 4, 8, 8, seed=5)
    replay = iter(said)
    moved = denoised(SD, lambda x, t: next(replay), SIGNAL + step, NOISE, GRID)
    assert off(moved - made, step) < 1e-9


def velocity(levels, kind, denoise):
    """A network of that prediction, which knows what a denoiser knows."""

    def network(x, t):
        e = denoise(x, t)
        return target(levels, kind, clean(levels, x, t, e), t, e)

    return network


def test_velocity_networks_are_held_by_their_noise():
    network = velocity(SD, Prediction.VELOCITY, smooth(4))
    ours, _ = by_surrogate(SD, denoiser(SD, Prediction.VELOCITY, network))
    right, made = by_autograd(SD, held(denoiser(SD, Prediction.VELOCITY, network)))
    assert off(ours, right) < 1e-10
    wrong, _ = by_autograd(SD, denoiser(SD, Prediction.VELOCITY, held(network)))
    factor = 1.0
    for t, s in itertools.pairwise(GRID):
        (a, b), (a_new, b_new) = SD.at(t), SD.at(s)
        factor *= a * a_new + b * b_new
    assert factor < 0.95  # rather than 5.208
    assert off(wrong, factor * SD.signal[800] * 2 * (made - PICTURE) / PICTURE.numel()) < 1e-10
    assert off(wrong, right) > 0.5


def test_flow_networks_are_held_by_their_noise():
    network = velocity(FLOW, Prediction.FLOW, smooth(4))
    ours, _ = by_surrogate(FLOW, denoiser(FLOW, Prediction.FLOW, network))
    assert off(by_autograd(FLOW, held(denoiser(FLOW, Prediction.FLOW, network)))[0], ours) < 1e-10
    wrong, _ = by_autograd(FLOW, denoiser(FLOW, Prediction.FLOW, held(network)))
    assert off(wrong, FLOW.signal[800] * ours) < 1e-10


def test_the_sources_schedule_does_not_reach_a_picture():
    """It reads the picture out at level 600."""
    grid = grids.reward_grid(800, 10, grids.reward_stride(800, 10, grids.Span.SOURCE), 20)
    assert grid[-2:] == (600, CLEAN)
    x = renoise(SD, SIGNAL, 800, NOISE)
    for t, s in itertools.pairwise(grid[:-1]):
        x = ddim(SD, x, t, s, smooth(4)(x, t))
    assert torch.equal(denoised(SD, smooth(4), SIGNAL, NOISE, grid), clean(SD, x, 600, smooth(4)(x, 600)))


def test_no_gradient_reaches_the_frozen_network_nor_the_picture():
    weight = torch.ones((), dtype=torch.float64, requires_grad=True)
    signal, picture = SIGNAL.clone().requires_grad_(), PICTURE.clone().requires_grad_()
    reward(SD, lambda x, t: weight * smooth(4)(x, t), signal, NOISE, picture, GRID).loss.backward()
    assert signal.grad is not None
    assert weight.grad is None
    assert picture.grad is None


def test_half_precision_is_rewarded_in_float32():
    signal = SIGNAL.half().requires_grad_()
    rewarded = reward(SD, lambda x, t: 0.1 * x, signal, NOISE.half(), PICTURE.half(), GRID)
    assert rewarded.loss.dtype == rewarded.value.dtype == torch.float32
    rewarded.loss.backward()
    assert signal.grad.isfinite().all()
