"""Samplers: against diffusers' own, stopped and continued, truncated, and where the answer is known."""

import itertools

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, LCMScheduler
from diffusers.schedulers import scheduling_ddpm, scheduling_lcm

from augment.diffusion import grids
from augment.diffusion.levels import CLEAN, from_cumulative, rectified_flow, zero_terminal
from augment.diffusion.maps import clean, ddim, renoise
from augment.diffusion.noise import Noise
from augment.diffusion.predictions import Prediction, Reverse, denoiser
from augment.diffusion.samplers import DDIM, STREAM, Ancestral, FewStep, Multistep, State, sample
from augment.errors import RequestError
from tests.augment.diffusion.toys import SD, gaussian, gaussian_flow, normal, smooth, unet

STABLE = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "clip_sample": False}
SAMPLERS = [DDIM(), DDIM(0.5), Ancestral(), Ancestral(large=True), Multistep(), FewStep()]
NOISE = Noise(11, (0, 1))
START = normal(2, 4, 8, 8)
all_samplers = pytest.mark.parametrize("sampler", SAMPLERS, ids=str)


def close(ours, theirs, tolerance):
    assert (ours - theirs).abs().max() <= tolerance * theirs.abs().max()


def theirs_by(scheduler, steps, x, **options):
    """Diffusers' own loop, and the levels that it has in float64."""
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
    scheduler.set_timesteps(steps)
    for t in scheduler.timesteps.tolist():
        x = scheduler.step(unet()(x, t), t, x, **options).prev_sample
    return x, from_cumulative(scheduler.alphas_cumprod.numpy())


def test_ddim_is_that_of_diffusers():
    theirs, levels = theirs_by(DDIMScheduler(**STABLE, timestep_spacing="trailing"), 10, START)
    ours = sample(DDIM(), levels, unet(), State(START, 999), grids.trailing(999, 10), NOISE)
    assert ours.level == CLEAN
    close(ours.x, theirs, 1e-9)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_multistep_is_that_of_diffusers():
    scheduler = DPMSolverMultistepScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, timestep_spacing="trailing"
    )
    scheduler.set_timesteps(timesteps=[800, 640, 480, 300, 150, 20])  # it computes in float32
    x = START
    for t in scheduler.timesteps:
        x = scheduler.step(unet()(x.double(), int(t)), t, x).prev_sample
    grid = (800, 640, 480, 300, 150, 20, CLEAN)
    ours = sample(Multistep(), SD, unet(), State(START, 800), grid, NOISE).x
    close(ours, x.double(), 2e-5)
    close_to_first_order = sample(DDIM(), SD, unet(), State(START, 800), grid, NOISE).x
    assert (ours - close_to_first_order).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["fixed_small", "fixed_large", "learned_range"])
def test_ancestral_is_that_of_diffusers(kind, monkeypatch):
    scheduler = DDPMScheduler(variance_type=kind, clip_sample=False, timestep_spacing="trailing")
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
    levels = from_cumulative(scheduler.alphas_cumprod.numpy())
    scheduler.set_timesteps(10)
    grid = grids.trailing(999, 10)
    fraction = 2 * torch.sigmoid(normal(2, 4, 8, 8, seed=4)) - 1
    ours, theirs = State(START, 999), START
    learned = kind == "learned_range"
    for t, s in itertools.pairwise(grid[:-1]):  # at the end theirs, unlike the paper's, adds noise if steps are few
        added = NOISE(STREAM, s, START)
        monkeypatch.setattr(scheduling_ddpm, "randn_tensor", lambda *_, added=added, **__: added)
        e = unet()(theirs, t)
        theirs = scheduler.step(torch.cat([e, fraction], 1) if learned else e, t, theirs).prev_sample
        said = (lambda x, t: Reverse(unet()(x, t), fraction)) if learned else unet()
        ours = sample(Ancestral(large=kind == "fixed_large"), levels, said, ours, grid, NOISE, stop=s)
        close(ours.x, theirs, 1e-9)
        theirs = ours.x


def test_few_steps_are_those_of_diffusers(monkeypatch):
    scheduler = LCMScheduler(**STABLE)
    scheduler.set_timesteps(4, original_inference_steps=50)
    grid = grids.every(grids.trailing(999, 50), 4)
    theirs = START
    for t, s in zip(scheduler.timesteps.tolist(), grid[1:], strict=True):
        added = NOISE(STREAM, s, START)
        monkeypatch.setattr(scheduling_lcm, "randn_tensor", lambda *_, added=added, **__: added)
        theirs = scheduler.step(unet()(theirs, t), t, theirs).prev_sample
    close(sample(FewStep(), SD, unet(), State(START, 999), grid, NOISE).x, theirs, 1e-5)


def nudge(x, s):
    """A hook that changes half of the picture."""
    return torch.cat([x[..., :4] * 0.9, x[..., 4:]], -1)


@all_samplers
@pytest.mark.parametrize(
    ("denoise", "hook", "steps"),
    [(unet(), None, 3), (smooth(4), None, 6), (smooth(4), nudge, 6)],
    ids=["unet", "plain", "hooked"],
)
def test_stopped_and_continued_it_is_the_same_to_the_bit(sampler, denoise, hook, steps):
    grid = grids.trailing(800, steps)
    whole = sample(sampler, SD, denoise, State(START, 800), grid, NOISE, hook)
    for stop in grid[1:-1]:
        half = sample(sampler, SD, denoise, State(START, 800), grid, NOISE, hook, stop)
        assert half.level == stop
        assert torch.equal(sample(sampler, SD, denoise, half, grid, NOISE, hook).x, whole.x)


@all_samplers
def test_single_pictures_come_out_as_in_a_batch(sampler):
    grid = grids.trailing(800, 4)
    together = sample(sampler, SD, smooth(4), State(START, 800), grid, NOISE).x
    alone = sample(sampler, SD, smooth(4), State(START[1:], 800), grid, Noise(11, (1,))).x
    close(alone, together[1:], 1e-12)


@all_samplers
def test_any_start_is_a_start(sampler):
    """From a level that the grid does not have: the grid below it, and no level above."""
    asked = []

    def denoise(x, t):
        asked.append(t)
        return smooth(4)(x, t)

    sample(sampler, SD, denoise, State(START, 743), grids.trailing(999, 5), NOISE)
    assert asked == [743, 599, 399, 199]


@pytest.mark.parametrize("denoise", [unet(), smooth(4)], ids=["unet", "smooth"])
def test_truncation_is_exact_under_two_conditions_and_not_otherwise(denoise):
    """ "t_s = T and no signal" against sampling from pure noise (methods.md 1.11, test 3)."""
    grid, signal = grids.trailing(999, 10), torch.zeros_like(START)

    def made(levels, x):
        return sample(DDIM(), levels, denoise, State(x, 999), grid, NOISE).x

    plain = made(SD, START)
    rescaled = made(SD, renoise(SD, signal, 999, START / SD.noise[999]))
    assert (rescaled - plain).abs().max() < 1e-12 * plain.abs().max()
    zero = zero_terminal(SD)
    assert torch.equal(made(zero, renoise(zero, signal, 999, START)), made(zero, START))
    assert 1 - SD.noise[999] == pytest.approx(0.00233, abs=1e-5)
    assert (made(SD, renoise(SD, signal, 999, START)) - plain).norm() > 1e-3 * plain.norm()


def test_noise_decides_the_details_where_the_signal_is_given():
    """In a world of coarse, strong and fine, weak detail whose posterior mean is known (methods.md 1.11, test 7).

    Of what pictures differ by there, the share b / sqrt(a^2 S + b^2) is left to the noise: little of what is coarse.
    """
    side, level = 64, 800
    frequency = torch.hypot(torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side)[None]).double()
    power = 100 * torch.exp(-((frequency / 0.08) ** 2)) + 0.05

    def denoise(x, t):
        (a, b), spectrum = SD.at(t), torch.fft.rfft2(x)
        x0 = torch.fft.irfft2(spectrum * a * power / (a**2 * power + b**2), s=(side, side))
        return (x - a * x0) / b

    def share(difference, where):
        spectrum = torch.fft.rfft2(difference).abs().square() / (2 * side**2 * power)
        return float(spectrum[..., where].mean().sqrt())

    policy, noise = normal(1, 1, side, side, seed=5).expand(8, -1, -1, -1), Noise(0, tuple(range(8)))
    start = State(renoise(SD, policy, level, noise("start", level, policy)), level)
    made = sample(DDIM(), SD, denoise, start, grids.strided(level, 1), noise).x
    difference = made[::2] - made[1::2]
    coarse, fine = frequency < 0.06, frequency > 0.3
    assert share(difference, fine) == pytest.approx(1, rel=0.05), "as different as pictures of this world can be"
    assert 0.1 < share(difference, coarse) < 0.75 * share(difference, fine)
    a, b = SD.at(level)
    expected = (b**2 / (a**2 * power + b**2))[coarse].mean().sqrt()
    assert share(difference, coarse) == pytest.approx(float(expected), rel=0.15)


@pytest.mark.parametrize("levels", [SD, rectified_flow()], ids=["diffusion", "flow"])
@pytest.mark.parametrize(("sampler", "order"), [(DDIM(), 1), (Multistep(), 2)])
def test_errors_fall_with_the_order_of_the_sampler(levels, sampler, order):
    denoise, start = gaussian(levels, 0.3, 0.5), normal(1, 1, 8, 8)
    exact = gaussian_flow(levels, 0.3, 0.5, start, 900, 100)
    errors = []
    for stride in (40, 20, 10):
        ended = sample(
            sampler, levels, denoise, State(start, 900), grids.strided(900, stride), Noise(0, (0,)), stop=100
        )
        errors.append(float((ended.x - exact).norm()))
    for coarse, fine in itertools.pairwise(errors):
        assert coarse / fine > 0.8 * 2**order
    assert order == 2 or coarse / fine < 3


@pytest.mark.parametrize("sampler", [DDIM(1.0), Ancestral(), Ancestral(large=True), FewStep()], ids=str)
def test_what_is_drawn_has_the_spread_of_the_world(sampler):
    levels, mean, spread = SD, 0.4, 0.3
    noise = Noise(3, (0,))
    start = noise("start", 999, torch.zeros(1, 1, 128, 128, dtype=torch.float64))
    grid = grids.trailing(999, 250)
    if isinstance(sampler, FewStep):  # of a perfect consistency function

        def denoise(x, t):
            a, b = levels.at(t)
            return (x - a * gaussian_flow(levels, mean, spread, x, t, CLEAN)) / b
    else:
        denoise = gaussian(levels, mean, spread)
    made = sample(sampler, levels, denoise, State(start, 999), grid, noise).x
    assert float(made.mean()) == pytest.approx(mean, abs=0.02)
    assert float(made.std()) == pytest.approx(spread, rel=0.05)


def test_a_learned_variance_lies_between_the_two():
    small, large = (
        sample(Ancestral(kind), SD, smooth(4), State(START, 800), (800, 700, CLEAN), NOISE, stop=700).x
        for kind in (False, True)
    )
    for said, fixed in ((-1.0, small), (1.0, large)):
        reverse = lambda x, t, said=said: Reverse(smooth(4)(x, t), torch.full_like(x, said))  # noqa: E731
        learned = sample(Ancestral(), SD, reverse, State(START, 800), (800, 700, CLEAN), NOISE, stop=700).x
        close(learned, fixed, 1e-13)


def test_a_multistep_sampler_starts_and_ends_at_first_order():
    state = sample(Multistep(), SD, smooth(4), State(START, 800), (800, 600, 400, CLEAN), NOISE, stop=600)
    close(state.x, ddim(SD, START, 800, 600, smooth(4)(START, 800)), 1e-13)
    state = sample(Multistep(), SD, smooth(4), state, (800, 600, 400, CLEAN), NOISE, stop=400)
    ended = sample(Multistep(), SD, smooth(4), state, (800, 600, 400, CLEAN), NOISE)
    close(ended.x, clean(SD, state.x, 400, smooth(4)(state.x, 400)), 1e-13)


def test_what_a_hook_changed_goes_on_at_first_order_and_what_it_left_at_second():
    grid = (800, 600, 400, CLEAN)
    state = sample(Multistep(), SD, smooth(4), State(START, 800), grid, NOISE, nudge, stop=600)
    hooked = sample(Multistep(), SD, smooth(4), state, grid, NOISE, stop=400).x
    first = ddim(SD, state.x, 600, 400, smooth(4)(state.x, 600))
    whole = State(state.x, 600, state.past._replace(holds=torch.ones_like(state.past.holds)))
    second = sample(Multistep(), SD, smooth(4), whole, grid, NOISE, stop=400).x
    close(hooked[..., :4], first[..., :4], 1e-13)
    assert torch.equal(hooked[..., 4:], second[..., 4:])
    assert (first - second).abs().max() > 1e-3


@all_samplers
def test_a_hook_that_changes_nothing_is_none(sampler):
    grid = grids.trailing(800, 4)
    plain, hooked = (
        sample(sampler, SD, smooth(4), State(START, 800), grid, NOISE, hook).x for hook in (None, lambda x, s: 1 * x)
    )
    assert torch.equal(plain, hooked)


@all_samplers
def test_half_precision_stays_at_the_door(sampler):
    state = sample(sampler, SD, lambda x, t: (0.1 * x).half(), State(START.half(), 800), (800, 400, CLEAN), NOISE)
    assert state.x.dtype == torch.float32


def test_a_flow_is_sampled_by_the_same_code():
    """Of a straight flow one step is enough, by any sampler."""
    flow, mean = rectified_flow(), 0.7
    network = lambda x, t: (x - mean) / flow.noise[t]  # noqa: E731  # the velocity towards a single picture
    for sampler in (DDIM(), Multistep(), FewStep(), Ancestral()):
        made = sample(
            sampler, flow, denoiser(flow, Prediction.FLOW, network), State(START, 835), (835, 400, CLEAN), NOISE
        )
        close(made.x, torch.full_like(START, mean), 1e-10)


@pytest.mark.parametrize("eta", [-0.1, 1.1])
def test_eta_out_of_range_is_refused(eta):
    with pytest.raises(RequestError, match="no randomness"):
        DDIM(eta)


def test_levels_beyond_the_models_are_refused():
    with pytest.raises(RequestError, match="noise level 1000"):
        sample(DDIM(), SD, smooth(4), State(START, 1000), grids.trailing(999, 4), NOISE)
