"""From any noise level down to the picture, in steps; stopped and continued, the result is the same to the bit."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import log
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from augment.diffusion.grids import Grid
from augment.diffusion.levels import CLEAN, Levels
from augment.diffusion.maps import (
    clean,
    ddim,
    learned_variance,
    posterior_mean,
    posterior_variance,
    precise,
    renoise,
    transition_variance,
)
from augment.diffusion.noise import Noise
from augment.diffusion.predictions import Denoiser, Reverse
from augment.errors import RequestError

STREAM = "step"
"""Of the noise that samplers add; its step is the level that they step to."""

Hook = Callable[[Tensor, int], Tensor]
"""After every step: of x at level s (CLEAN in the end), what to go on with, of the same shape and dtype. Blending."""


class Past(NamedTuple):
    """What a multistep sampler remembers of the step before."""

    level: int
    x0: Float[Tensor, "b *shape"]
    holds: Bool[Tensor, "b *shape"]
    """Where x still is what that step made of it, and the memory therefore of use."""


@dataclass(frozen=True, eq=False)
class State:
    """All that a sampler needs to go on. To start anywhere: State(x, level)."""

    x: Float[Tensor, "b *shape"]
    level: int
    past: Past | None = None


@runtime_checkable
class Sampler(Protocol):
    """One step."""

    def step(self, levels: Levels, denoise: Denoiser, state: State, s: int, noise: Noise) -> State:
        """From where the state is to level `s`, CLEAN in the end."""
        ...


def sample(
    sampler: Sampler,
    levels: Levels,
    denoise: Denoiser,
    state: State,
    grid: Grid,
    noise: Noise,
    hook: Hook | None = None,
    stop: int = CLEAN,
) -> State:
    """Step through all levels of the grid below the state's own, as far as `stop`.

    The state that is returned continues, with the same grid and noise, as if it had never been stopped. After each step
    `hook` may change x. Where it does, element by element, what a multistep sampler remembers is of another trajectory
    and is dropped: the next step is of first order there, and of second order where x was left as it was.
    """
    state = replace(state, x=precise(state.x))
    for s in grid:
        if stop <= s < state.level:
            state = sampler.step(levels, denoise, state, s, noise)
            state = state if hook is None else _hooked(state, hook)
    return state


def _hooked(state: State, hook: Hook) -> State:
    x = hook(state.x, state.level)
    past = state.past and state.past._replace(holds=state.past.holds & (x == state.x))
    return State(x, state.level, past)


@dataclass(frozen=True)
class DDIM:
    """(E3), without randomness unless `eta` is above 0 (Song et al. 2021)."""

    eta: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.eta <= 1:
            raise RequestError(f"eta={self.eta}; 0 (no randomness) to 1 (ancestral)")

    def step(self, levels: Levels, denoise: Denoiser, state: State, s: int, noise: Noise) -> State:
        """One step of (E3)."""
        e = denoise(state.x, state.level)
        fresh = noise(STREAM, s, state.x) if self.eta and s != CLEAN else None
        return State(ddim(levels, state.x, state.level, s, e, fresh, self.eta), s)


@dataclass(frozen=True)
class Ancestral:
    """DDPM, over whichever levels (Ho et al. 2020). Its denoiser says the noise, or a `Reverse`."""

    large: bool = False
    """Variance, where it is not learned: that of q(x[t] | x[s]) rather than of q(x[s] | x[t], x0)."""

    def step(self, levels: Levels, denoise: Denoiser, state: State, s: int, noise: Noise) -> State:
        """One draw from p(x[s] | x[t]); the last, to CLEAN, is its mean."""
        said = denoise(state.x, state.level)
        reverse = said if isinstance(said, Reverse) else Reverse(said)
        x0 = clean(levels, state.x, state.level, reverse.noise)
        if s == CLEAN:
            return State(x0, s)
        mean = posterior_mean(levels, state.x, state.level, s, x0)
        variance = self._variance(levels, state.level, s, reverse.fraction, like=mean)
        if reverse.gradient is not None:
            mean = mean - variance * precise(reverse.gradient)
        return State(mean + variance.sqrt() * noise(STREAM, s, mean), s)

    def _variance(self, levels: Levels, t: int, s: int, fraction: Tensor | None, like: Tensor) -> Tensor:
        if fraction is not None:
            return learned_variance(levels, t, s, fraction).exp()
        of = transition_variance if self.large else posterior_variance
        return like.new_tensor(of(levels, t, s))


@dataclass(frozen=True)
class Multistep:
    """DPM-Solver++ 2M (Lu et al. 2022): second order, at one call a step.

    First order, which is DDIM, where there is no past (first step, or what a hook changed) and in the step to CLEAN.
    """

    def step(self, levels: Levels, denoise: Denoiser, state: State, s: int, noise: Noise) -> State:
        """One step along half of the logarithm of the signal-to-noise ratio."""
        t, past = state.level, state.past
        x0 = clean(levels, state.x, t, denoise(state.x, t))
        believed = x0
        if past is not None and s != CLEAN:
            ahead, behind = log(levels.ratio(t) / levels.ratio(s)), log(levels.ratio(past.level) / levels.ratio(t))
            believed = x0 + torch.where(past.holds, ahead / (2 * behind) * (x0 - past.x0), 0)
        signal, noise_level = levels.at(s)
        kept = noise_level / levels.at(t)[1]
        x = kept * state.x + signal * (1 - levels.ratio(s) / levels.ratio(t)) * believed
        return State(x, s, Past(t, x0, torch.ones_like(x0, dtype=torch.bool)))


@dataclass(frozen=True)
class FewStep:
    """Of consistency models (LCM, Luo et al. 2023; Turbo, Lightning): predict the picture, add fresh noise, again.

    LCM's skip scaling, which is below 1e-7 at all levels of its grids, is left out.
    """

    def step(self, levels: Levels, denoise: Denoiser, state: State, s: int, noise: Noise) -> State:
        """The picture as seen from here, at level `s`."""
        x0 = clean(levels, state.x, state.level, denoise(state.x, state.level))
        return State(x0 if s == CLEAN else renoise(levels, x0, s, noise(STREAM, s, x0)), s)
