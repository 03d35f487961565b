"""Noise levels, against diffusers' schedulers and the figures of the specification."""

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, FlowMatchEulerDiscreteScheduler

from augment.diffusion.levels import (
    CLEAN,
    LEAST_SIGNAL,
    Levels,
    from_betas,
    from_cumulative,
    linear,
    rectified_flow,
    scaled_linear,
    squared_cosine,
    zero_terminal,
)
from augment.errors import RequestError
from tests.augment.diffusion.toys import SD


@pytest.mark.parametrize(
    ("betas", "theirs"),
    [
        (linear(), DDPMScheduler()),
        (scaled_linear(), DDPMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)),
        (squared_cosine(), DDPMScheduler(beta_schedule="squaredcos_cap_v2")),
    ],
)
def test_betas_are_those_of_diffusers(betas, theirs):
    np.testing.assert_allclose(np.square(from_betas(betas).signal), theirs.alphas_cumprod.numpy(), rtol=2e-4)
    np.testing.assert_allclose(betas, theirs.betas.numpy(), rtol=2e-6)


def test_stable_diffusion_has_the_figures_of_the_specification():
    kept = np.square(SD.signal)
    for level, share in ((999, 0.00466), (900, 0.01415), (800, 0.03687), (700, 0.0825), (600, 0.1608), (500, 0.2763)):
        assert kept[level] == pytest.approx(share, rel=2e-3)
    np.testing.assert_allclose(kept + np.square(SD.noise), 1, atol=1e-15)


def test_without_noise_is_level_minus_one():
    assert SD.at(CLEAN) == (1.0, 0.0)
    assert SD.at(999) == (SD.signal[-1], SD.noise[-1])


@pytest.mark.parametrize("level", [-2, 1000])
def test_levels_that_there_are_not_are_refused(level):
    with pytest.raises(RequestError, match=f"noise level {level}; .* 0 to 999"):
        SD.at(level)
    with pytest.raises(RequestError, match=f"noise level {level}"):
        SD.of(torch.tensor([5, level]), torch.zeros(2, 1))


def test_every_picture_may_have_its_own_level():
    signal, noise = SD.of(torch.tensor([0, 999, CLEAN]), torch.zeros(3, 2, 4, 4, dtype=torch.float64))
    assert signal.shape == noise.shape == (3, 1, 1, 1)
    for number, level in enumerate((0, 999, CLEAN)):
        assert (float(signal[number]), float(noise[number])) == SD.at(level)


def test_zero_terminal_is_that_of_diffusers_but_for_the_least_signal():
    theirs = DDIMScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, rescale_betas_zero_snr=True
    )
    ours = zero_terminal(SD)
    np.testing.assert_allclose(np.square(ours.signal[:-1]), theirs.alphas_cumprod.numpy()[:-1], rtol=1e-3, atol=1e-9)
    assert theirs.alphas_cumprod[-1] == 0
    assert ours.at(999) == (min(LEAST_SIGNAL, ours.signal[998] / 2), 1.0)
    assert ours.at(0) == pytest.approx(SD.at(0), abs=1e-15)


@pytest.mark.parametrize("shift", [1.0, 3.0, 12.0])
def test_a_flows_levels_are_those_of_diffusers(shift):
    theirs = FlowMatchEulerDiscreteScheduler(shift=shift).sigmas.numpy()[::-1]
    ours = rectified_flow(shift=shift)
    np.testing.assert_allclose(ours.noise, theirs, rtol=1e-5)
    np.testing.assert_allclose(ours.signal[:-1], 1 - ours.noise[:-1], atol=0)
    assert ours.at(999) == (min(LEAST_SIGNAL, ours.signal[998] / 2), 1.0)


def test_the_same_noise_level_of_a_flow():
    assert SD.ratio(800) == pytest.approx(5.11, abs=0.01)
    assert SD.sigma(800) == pytest.approx(0.836, abs=1e-3)
    flow = rectified_flow()
    assert flow.sigma(499) == pytest.approx(flow.noise[499])
    assert flow.nearest(SD.ratio(800)) == 835  # sigma 0.836
    assert all(SD.nearest(SD.ratio(level)) == level for level in (CLEAN, 0, 1, 500, 998, 999))


@pytest.mark.parametrize("signal", [[0.9, 0.9], [0.5, 0.6], [0.5, 0.0], [1.2, 0.5], [], [0.5, np.nan]])
def test_levels_that_make_no_sense_are_refused(signal):
    signal = np.array(signal, dtype=np.float64)
    with pytest.raises(RequestError, match="signal must fall"):
        Levels(signal, np.linspace(0.1, 0.9, len(signal)))


def test_noise_that_falls_is_refused():
    with pytest.raises(RequestError, match="noise must not fall"):
        Levels(np.array([0.9, 0.5]), np.array([0.5, 0.4]))


def test_levels_of_a_scheduler():
    theirs = DDPMScheduler().alphas_cumprod.double().numpy()
    np.testing.assert_allclose(from_cumulative(theirs).noise, np.sqrt(1 - theirs))
