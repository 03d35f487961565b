"""Blending: exact outside at the right level, and the laws of its masks."""

import itertools

import pytest
import torch
from diffusers import DDIMScheduler

from augment.diffusion import grids
from augment.diffusion.blending import Blend, paste
from augment.diffusion.levels import CLEAN, from_cumulative, rectified_flow
from augment.diffusion.maps import renoise
from augment.diffusion.masks import gradual, in_cells, repaint, shrinking, steady
from augment.diffusion.noise import Noise
from augment.diffusion.samplers import DDIM, Ancestral, FewStep, Multistep, State, sample
from augment.errors import RequestError
from tests.augment.diffusion.toys import SD, gaussian, normal, smooth, unet

SOURCE = normal(2, 4, 16, 16).clamp(-1, 1)
NOISE = Noise(5, (0, 1))
GRID = grids.trailing(800, 8)
MASK = torch.zeros(1, 1, 16, 16, dtype=torch.float64)
MASK[..., 4:11, 6:14] = 1
OUTSIDE = (MASK == 0).expand_as(SOURCE)
SAMPLERS = [DDIM(), DDIM(1.0), Ancestral(), Multistep(), FewStep()]
all_samplers = pytest.mark.parametrize("sampler", SAMPLERS, ids=str)


def made(sampler, blend, denoise=None, levels=SD, hook=None):
    start = State(blend.background(GRID[0]), GRID[0])
    return sample(sampler, levels, denoise or smooth(4), start, GRID, NOISE, hook or blend).x


def blending(mask, fresh=False, levels=SD):
    return Blend(levels, SOURCE, steady(mask), NOISE, fresh)


@all_samplers
@pytest.mark.parametrize("levels", [SD, rectified_flow()], ids=["diffusion", "flow"])
@pytest.mark.parametrize("fresh", [False, True], ids=["fixed", "fresh"])
def test_outside_is_exact_before_any_paste(sampler, levels, fresh):
    result = made(sampler, blending(MASK, fresh, levels), levels=levels)
    assert torch.equal(result[OUTSIDE], SOURCE[OUTSIDE])
    assert (result - SOURCE)[~OUTSIDE].abs().max() > 0.1


@pytest.mark.parametrize("sampler", [DDIM(), Multistep()], ids=str)
def test_laws_hold_with_a_real_network(sampler):
    """Outside exact, one level off not; nothing to repaint gives the source; everything is no blending."""
    blend, whole = blending(MASK), blending(torch.ones_like(MASK))
    assert torch.equal(made(sampler, blend, unet())[OUTSIDE], SOURCE[OUTSIDE])
    assert (made(sampler, blend, unet(), hook=one_level_off(blend)) - SOURCE)[OUTSIDE].abs().max() > 0.05
    assert torch.equal(made(sampler, blending(0 * MASK), unet()), SOURCE)
    plain = sample(sampler, SD, unet(), State(whole.background(800), 800), GRID, NOISE).x
    assert torch.equal(made(sampler, whole, unet()), plain)


def one_level_off(blend):
    """The paper's algorithm and the authors' code: the background at the level from which the step came."""
    above = dict(zip(GRID[1:], GRID[:-1], strict=True))
    return lambda x, s: paste(x, blend.background(above[s]), blend.masks(s))


def test_one_level_off_is_caught_and_a_paste_hides_it():
    blend = blending(MASK)
    wrong = made(DDIM(), blend, hook=one_level_off(blend))
    assert (wrong - SOURCE)[OUTSIDE].abs().max() > 0.05
    assert torch.equal(paste(wrong, SOURCE, MASK)[OUTSIDE], SOURCE[OUTSIDE])
    right = made(DDIM(), blend)
    assert (paste(wrong, SOURCE, MASK) - right).abs().max() > 1e-3


@all_samplers
def test_nothing_to_repaint_gives_the_source(sampler):
    assert torch.equal(made(sampler, blending(0 * MASK)), SOURCE)


@all_samplers
def test_everything_to_repaint_is_no_blending(sampler):
    blend = blending(torch.ones_like(MASK))
    plain = sample(sampler, SD, smooth(4), State(blend.background(800), 800), GRID, NOISE).x
    assert torch.equal(made(sampler, blend), plain)


@pytest.mark.parametrize("fresh", [False, True], ids=["fixed", "fresh"])
@pytest.mark.parametrize("s", [800, 300, 20])
def test_the_background_has_its_levels_variance(fresh, s):
    flat = torch.full((1, 3, 256, 256), 0.25, dtype=torch.float64)
    background = Blend(SD, flat, steady(MASK), Noise(2, (0,)), fresh).background(s)
    a, b = SD.at(s)
    assert float(background.var()) == pytest.approx(b**2, rel=0.02)
    assert float(background.mean()) == pytest.approx(0.25 * a, abs=5 * b / flat.numel() ** 0.5)


def test_fixed_noise_is_the_same_at_all_levels_and_fresh_is_not():
    def noise_of(blend, s):
        a, b = SD.at(s)
        return (blend.background(s) - a * SOURCE) / b

    fixed, fresh = blending(MASK), blending(MASK, fresh=True)
    assert torch.allclose(noise_of(fixed, 800), noise_of(fixed, 200), atol=1e-10)
    one, other = noise_of(fresh, 800).flatten(), noise_of(fresh, 200).flatten()
    assert abs(torch.corrcoef(torch.stack([one, other]))[0, 1]) < 0.1


def test_what_the_model_would_make_anyway_is_kept():
    source = 0.3 + 0.01 * normal(2, 4, 16, 16, seed=8)
    blend = Blend(SD, source, steady(MASK), NOISE)
    assert (made(DDIM(), blend, gaussian(SD, 0.3, 0.01)) - source).abs().max() < 0.08


def test_it_is_the_blend_of_diffusers_inpainting():
    """Their loop, as StableDiffusionInpaintPipeline has it for networks of four channels."""
    scheduler = DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        clip_sample=False,
        timestep_spacing="trailing",
    )
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
    levels = from_cumulative(scheduler.alphas_cumprod.numpy())
    scheduler.set_timesteps(8)
    steps, blend = scheduler.timesteps, Blend(levels, SOURCE, steady(MASK), NOISE)
    noise = (blend.background(500) - levels.signal[500] * SOURCE) / levels.noise[500]
    x = theirs = blend.background(999)
    for number, t in enumerate(steps):
        theirs = scheduler.step(smooth(4)(theirs, int(t)), int(t), theirs).prev_sample
        proper = SOURCE
        if number < len(steps) - 1:
            proper = scheduler.add_noise(SOURCE, noise, torch.tensor([steps[number + 1]]))
        theirs = (1 - MASK) * proper + MASK * theirs
    grid = grids.trailing(999, 8)
    ours = sample(DDIM(), levels, smooth(4), State(x, 999), grid, NOISE, blend).x
    assert (ours - theirs).abs().max() < 1e-9


def test_stopped_and_continued_blending_is_the_same_to_the_bit():
    for sampler in SAMPLERS:
        blend = Blend(SD, SOURCE, shrinking(MASK, GRID), NOISE, fresh=True)
        start = State(blend.background(800), 800)
        whole = sample(sampler, SD, smooth(4), start, GRID, NOISE, blend).x
        half = sample(sampler, SD, smooth(4), start, GRID, NOISE, blend, stop=GRID[3])
        assert torch.equal(sample(sampler, SD, smooth(4), half, GRID, NOISE, blend).x, whole)


def test_inside_a_hard_mask_the_second_order_goes_on():
    blend = blending(MASK)
    state = sample(Multistep(), SD, smooth(4), State(blend.background(800), 800), GRID, NOISE, blend, stop=GRID[2])
    assert torch.equal(state.past.holds, ~OUTSIDE)


def test_a_soft_mask_mixes():
    soft = torch.full_like(MASK, 0.25)
    x = normal(2, 4, 16, 16, seed=4)
    blend = blending(soft)
    assert torch.allclose(blend(x, 300), 0.25 * x + 0.75 * blend.background(300), atol=1e-14)
    assert torch.equal(blend(x, CLEAN), 0.25 * x + 0.75 * SOURCE)


def test_thin_masks_shrink_over_four_quarters():
    dot = torch.zeros(1, 1, 16, 16)
    dot[..., 8, 5] = 1
    schedule = shrinking(dot, GRID)
    assert [int(schedule(s).sum()) for s in GRID[1:]] == [49, 49, 25, 25, 9, 9, 1, 1]
    assert torch.equal(schedule(CLEAN), dot)
    for s in GRID[1:]:
        assert (schedule(s) >= dot).all()
    few = (800, 400, CLEAN)
    assert [int(shrinking(dot, few)(s).sum()) for s in few[1:]] == [49, 9]


@pytest.mark.parametrize("schedule", [shrinking, gradual])
@pytest.mark.parametrize("s", [800, 799])
def test_masks_that_change_know_their_grid(schedule, s):
    with pytest.raises(RequestError, match=f"leads to level {s}; give"):
        schedule(MASK, GRID)(s)


def test_a_thin_line_is_painted_and_outside_is_exact():
    line = torch.zeros_like(MASK)
    line[..., 7, :] = 1
    result = made(DDIM(), Blend(SD, SOURCE, shrinking(line, GRID), NOISE))
    outside = (line == 0).expand_as(SOURCE)
    assert torch.equal(result[outside], SOURCE[outside])


def test_gradual_masks_are_hard_and_give_each_pixel_its_own_start():
    soft = torch.linspace(0, 1, 17, dtype=torch.float64)[:16].expand(1, 1, 16, 16)
    schedule = gradual(soft, GRID)
    shares = []
    for s in GRID[1:]:
        mask = schedule(s)
        assert ((mask == 0) | (mask == 1)).all()
        assert (mask[soft == 0] == 0).all()
        shares.append(mask)
    assert all((later >= earlier).all() for earlier, later in itertools.pairwise(shares))
    assert torch.equal(schedule(CLEAN), (soft > 0).double())
    steps = sum(shares)[0, 0, 0]
    assert ((steps / 8 - soft[0, 0, 0]).abs() <= 1 / 8).all()
    result = made(DDIM(), Blend(SD, SOURCE, schedule, NOISE))
    assert torch.equal(result[..., 0], SOURCE[..., 0])


def test_keep_turns_into_repaint_and_back():
    keep = torch.tensor([[[[0.0, 0.25, 1.0]]]])
    assert repaint(keep).flatten().tolist() == [1.0, 0.75, 0.0]
    assert torch.equal(repaint(repaint(keep)), keep)


def test_cells_lose_no_cable():
    keep = torch.zeros(1, 1, 16, 24)
    keep[..., 3] = 1
    keep[..., 8:16] = 1
    cells = in_cells(keep, 8)
    assert torch.equal(cells, torch.tensor([[[[0.125, 1.0, 0.0]] * 2]]).reshape(1, 1, 2, 3))
    with pytest.raises(RequestError, match="16 x 20 pixels; pad"):
        in_cells(keep[..., :20], 8)


def test_paste_is_exact_at_both_ends():
    x = normal(2, 4, 16, 16, seed=4)
    pasted = paste(x, SOURCE, MASK)
    assert torch.equal(pasted[OUTSIDE], SOURCE[OUTSIDE])
    assert torch.equal(pasted[~OUTSIDE], x[~OUTSIDE])
    assert paste(x.half(), SOURCE.half(), MASK.half()).dtype == torch.float32
    assert torch.equal(renoise(SD, SOURCE, CLEAN, x), SOURCE)
