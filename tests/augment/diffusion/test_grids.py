"""Which levels samplers visit, against diffusers' schedulers."""

import itertools

import pytest
from diffusers import DDIMScheduler, LCMScheduler
from hypothesis import given
from hypothesis import strategies as st

from augment.diffusion import grids
from augment.diffusion.grids import Span
from augment.diffusion.levels import CLEAN
from augment.errors import RequestError


def lawful(grid, start):
    falls = all(above > below for above, below in itertools.pairwise(grid))
    return falls and grid[-1] == CLEAN and grid[0] == start


@pytest.mark.parametrize("steps", [4, 20, 30, 50, 100, 1000])
@pytest.mark.parametrize("spacing", ["trailing", "linspace", "leading"])
def test_grids_are_those_of_diffusers(spacing, steps):
    theirs = DDIMScheduler(timestep_spacing=spacing, steps_offset=0)
    theirs.set_timesteps(steps)
    ours = grids.leading(999, steps, 0) if spacing == "leading" else getattr(grids, spacing)(999, steps)
    assert ours == (*theirs.timesteps.tolist(), CLEAN)


@given(st.integers(0, 999), st.integers(1, 1000))
def test_grids_start_where_they_are_told_and_fall_to_the_picture(start, steps):
    steps = min(steps, start + 1)
    for grid in (grids.trailing(start, steps), grids.linspace(start, steps)):
        assert lawful(grid, start)
        assert len(grid) == steps + 1


def test_stable_diffusions_own_grid_does_not_hold_800():
    leading = grids.leading(999, 100)
    assert leading[:2] == (991, 981)
    assert 800 not in leading
    begun = grids.begin(leading, 800)
    assert begun[:3] == (800, 791, 781)
    assert lawful(begun, 800)


def test_strides_of_ten_from_800_are_80_steps():
    grid = grids.strided(800, 10)
    assert grid == (*range(800, 0, -10), CLEAN)
    assert len(grid) - 1 == 80
    assert grids.strided(0, 10) == (0, CLEAN)


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_few_steps_are_those_of_lcm(steps):
    theirs = LCMScheduler()
    theirs.set_timesteps(steps, original_inference_steps=50)
    assert grids.every(grids.trailing(999, 50), steps) == (*theirs.timesteps.tolist(), CLEAN)


@given(st.integers(1, 999), st.integers(1, 50), st.sampled_from(Span), st.data())
def test_the_rewards_grid(start, steps, span, data):
    steps = min(steps, start)
    stride = grids.reward_stride(start, steps, span)
    first = data.draw(st.integers(1, stride))
    grid = grids.reward_grid(start, steps, stride, first)
    assert lawful(grid, start)
    assert len(grid) - 1 <= steps + 1
    assert len(grid) == 2 or grid[0] - grid[1] == first


def test_the_rewards_strides():
    assert grids.reward_stride(800, 10) == 80
    assert grids.reward_stride(800, 10, Span.SOURCE) == 20
    assert grids.reward_grid(800, 10, 80, 80) == (*range(800, 0, -80), CLEAN)
    assert grids.reward_grid(800, 10, 20, 20) == (*range(800, 599, -20), CLEAN)  # the source's ends at 600


def test_strides_that_there_are_not_are_refused():
    with pytest.raises(RequestError, match="steps of 0 levels"):
        grids.strided(800, 0)


@pytest.mark.parametrize("first", [0, 81])
def test_a_first_step_that_is_too_long_is_refused(first):
    with pytest.raises(RequestError, match="1 to the stride, 80"):
        grids.reward_grid(800, 10, 80, first)


@pytest.mark.parametrize(("start", "steps"), [(-1, 1), (9, 0), (9, 11)])
def test_grids_that_there_are_not_are_refused(start, steps):
    for make in (grids.trailing, grids.linspace, grids.leading):
        with pytest.raises(RequestError, match=f"{steps} steps from level {start}"):
            make(start, steps)
