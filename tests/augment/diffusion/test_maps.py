"""The elementary maps and what networks predict: identities, and diffusers' own steps."""

import numpy as np
import pytest
import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler, FlowMatchEulerDiscreteScheduler

from augment.diffusion.levels import CLEAN, from_cumulative, rectified_flow, zero_terminal
from augment.diffusion.maps import (
    affine,
    clean,
    ddim,
    posterior_mean,
    posterior_variance,
    precise,
    renoise,
    transition_variance,
)
from augment.diffusion.predictions import Prediction, denoiser, read, target
from tests.augment.diffusion.toys import SD, normal

FLOW = rectified_flow(shift=3.0)
STABLE = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "clip_sample": False}
PICTURE, NOISE, FRESH = (normal(2, 3, 8, 8, seed=seed) for seed in range(3))
both = pytest.mark.parametrize("levels", [SD, FLOW], ids=["diffusion", "flow"])


def close(ours, theirs, tolerance=1e-12):
    assert (ours - theirs).abs().max() <= tolerance * theirs.abs().max()


@both
@pytest.mark.parametrize("t", [0, 10, 800, 998])
def test_the_picture_comes_back_from_its_noise(levels, t):
    close(clean(levels, renoise(levels, PICTURE, t, NOISE), t, NOISE), PICTURE)


@both
def test_each_picture_at_its_own_level(levels):
    t = torch.tensor([800, 10])
    mixed = renoise(levels, PICTURE, t, NOISE)
    for number in range(2):
        one = slice(number, number + 1)
        assert torch.equal(mixed[one], renoise(levels, PICTURE[one], int(t[number]), NOISE[one]))
    close(clean(levels, mixed, t, NOISE), PICTURE)


@both
@pytest.mark.parametrize(("t", "s"), [(800, 720), (800, CLEAN), (10, 0), (0, CLEAN), (400, 800)])
def test_the_step_is_affine(levels, t, s):
    a, b = affine(levels, t, s)
    close(ddim(levels, PICTURE, t, s, NOISE), a * PICTURE - b * NOISE, 1e-14)


def test_affine_coefficients_of_diffusion():
    kept = np.square(SD.signal)
    for t, s in ((800, 720), (999, 998), (300, 20)):
        a, b = affine(SD, t, s)
        assert abs(a - np.sqrt(kept[s] / kept[t])) < 4e-15 * a
        assert abs(b - np.sqrt(kept[s]) * (np.sqrt(1 / kept[t] - 1) - np.sqrt(1 / kept[s] - 1))) < 4e-14
    assert affine(SD, 800, CLEAN)[0] == pytest.approx(5.208, abs=1e-3)


@pytest.mark.parametrize(("stride", "times"), [(1, 21), (10, 6.6)])
def test_the_sources_coefficient_is_far_too_large(stride, times):
    t = 800
    source = np.sqrt((SD.signal[t - stride] / SD.signal[t]) ** 2 - 1)
    assert source / affine(SD, t, t - stride)[1] == pytest.approx(times, rel=0.03)


def test_steps_of_a_flow_are_eulers():
    flow = rectified_flow()
    t, s = 800, 700
    velocity = NOISE - PICTURE
    x = renoise(flow, PICTURE, t, NOISE)
    _, e = read(flow, Prediction.FLOW, x, t, velocity)
    close(ddim(flow, x, t, s, e), x + (flow.noise[s] - flow.noise[t]) * velocity)
    theirs = FlowMatchEulerDiscreteScheduler()
    theirs.set_timesteps(sigmas=flow.noise[[t, s]].tolist())
    close(ddim(flow, x, t, s, e), theirs.step(velocity, theirs.timesteps[0], x).prev_sample, 1e-6)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("eta", [0.0, 0.7, 1.0])
def test_steps_are_those_of_diffusers(kind, eta):
    theirs = DDIMScheduler(**STABLE, prediction_type=kind, timestep_spacing="trailing")
    theirs.alphas_cumprod = theirs.alphas_cumprod.double()
    levels = from_cumulative(theirs.alphas_cumprod.numpy())
    theirs.set_timesteps(10)
    for t, s in ((999, 899), (499, 399), (99, CLEAN)):
        _, e = read(levels, Prediction(kind), PICTURE, t, NOISE)
        ours = ddim(levels, PICTURE, t, s, e, fresh=FRESH, eta=eta)
        close(ours, theirs.step(NOISE, t, PICTURE, eta=eta, variance_noise=FRESH).prev_sample, 1e-10)


def test_steps_up_are_those_of_diffusers():
    theirs = DDIMInverseScheduler(**STABLE, set_alpha_to_one=True)
    theirs.alphas_cumprod = theirs.alphas_cumprod.double()
    levels = from_cumulative(theirs.alphas_cumprod.numpy())
    theirs.set_timesteps(10)
    close(ddim(levels, PICTURE, 200, 300, NOISE), theirs.step(NOISE, 300, PICTURE).prev_sample)


@both
def test_all_noise_exchanged_is_ancestral(levels):
    for t, s in ((800, 720), (1, 0), (500, CLEAN)):
        mean = posterior_mean(levels, PICTURE, t, s, clean(levels, PICTURE, t, NOISE))
        drawn = mean + posterior_variance(levels, t, s) ** 0.5 * FRESH
        close(ddim(levels, PICTURE, t, s, NOISE, FRESH), drawn, 1e-9)


@both
def test_the_posterior_keeps_the_marginal(levels):
    """x[s] drawn from its posterior has signal a[s] and variance b[s]^2."""
    for t, s in ((800, 720), (30, 29), (999, 0)):
        ones = torch.ones(1, 1, dtype=torch.float64)
        of_x, of_x0 = (float(posterior_mean(levels, x, t, s, x0)) for x, x0 in ((ones, 0 * ones), (0 * ones, ones)))
        (a, b), (a_new, b_new) = levels.at(t), levels.at(s)
        assert of_x * a + of_x0 == pytest.approx(a_new, rel=1e-12)
        assert (of_x * b) ** 2 + posterior_variance(levels, t, s) == pytest.approx(b_new**2, rel=1e-11)


def test_between_neighbours_the_transition_is_beta():
    betas = 1 - np.square(SD.signal[1:] / SD.signal[:-1])
    ours = [transition_variance(SD, t, t - 1) for t in range(1, 1000)]
    np.testing.assert_allclose(ours, betas, rtol=1e-10)


@both
@pytest.mark.parametrize("kind", list(Prediction))
@pytest.mark.parametrize("t", [0, 500, 999])
def test_predictions_say_picture_and_noise(levels, kind, t):
    x = renoise(levels, PICTURE, t, NOISE)
    output = target(levels, kind, PICTURE, t, NOISE)
    for ours, truth in zip(read(levels, kind, x, t, output), (PICTURE, NOISE), strict=True):
        close(ours, truth, 1e-10)
    close(denoiser(levels, kind, lambda x, t: output)(x, t), NOISE, 1e-10)


def test_what_is_said_makes_up_the_sample_whatever_is_said():
    for kind in Prediction:
        x0, e = read(SD, kind, PICTURE, 300, FRESH)
        close(renoise(SD, x0, 300, e), PICTURE)


def test_without_signal_the_noise_still_tells_the_picture():
    """The last level of a rescaled schedule in float32, as a velocity network has it."""
    levels = zero_terminal(SD)
    picture, noise = PICTURE.float(), NOISE.float()
    x = renoise(levels, picture, 999, noise)
    _, e = read(levels, Prediction.VELOCITY, x, 999, target(levels, Prediction.VELOCITY, picture, 999, noise))
    assert (clean(levels, x, 999, e) - picture).abs().max() < 5e-3


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(half):
    picture, noise = PICTURE.to(half), NOISE.to(half)
    x = renoise(SD, picture, 999, noise)
    assert x.dtype == torch.float32
    assert torch.equal(x, renoise(SD, picture.float(), 999, noise.float()))
    for ours in (clean(SD, x.to(half), 999, noise), *read(SD, Prediction.VELOCITY, x.to(half), 999, noise)):
        assert ours.dtype == torch.float32
    assert precise(PICTURE).dtype == torch.float64
