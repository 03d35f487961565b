"""The variational bound: divergences as torch.distributions has them, probabilities of 256 colours, its gradients."""

from math import log

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from augment.diffusion.hybrid import bound, surprise
from augment.diffusion.levels import from_betas, linear
from augment.diffusion.maps import clean, posterior_mean, posterior_variance, renoise, transition_variance
from augment.diffusion.predictions import Reverse
from augment.errors import RequestError
from tests.augment.diffusion.toys import normal

LEVELS = from_betas(linear())
X0 = ((normal(3, 3, 8, 8).clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1
E = normal(3, 3, 8, 8, seed=1)
T = torch.tensor([1, 400, 999])
X = renoise(LEVELS, X0, T, E)


def test_who_knows_noise_and_variance_is_not_off_at_all() -> None:
    assert torch.allclose(bound(LEVELS, X0, X, T, Reverse(E, -torch.ones_like(E))), torch.zeros(3).double(), atol=1e-9)


def test_terms_are_divergences() -> None:
    guess, fraction = E + 0.3 * normal(3, 3, 8, 8, seed=2), normal(3, 3, 8, 8, seed=3).tanh()
    for number, t in enumerate(T.tolist()):
        one = slice(number, number + 1)
        small, large = posterior_variance(LEVELS, t, t - 1), transition_variance(LEVELS, t, t - 1)
        share = (fraction[one] + 1) / 2
        true = Normal(posterior_mean(LEVELS, X[one], t, t - 1, X0[one]), small**0.5)
        x0 = clean(LEVELS, X[one], t, guess[one])
        said = Normal(posterior_mean(LEVELS, X[one], t, t - 1, x0), (large**share * small ** (1 - share)) ** 0.5)
        expected = kl_divergence(true, said).mean() / log(2)
        assert bound(LEVELS, X0, X, T, Reverse(guess, fraction))[number].item() == pytest.approx(expected.item())


def test_the_colours_of_a_pixel_have_a_probability_of_one() -> None:
    colours = torch.arange(256).double() / 127.5 - 1
    for mean, deviation in ((0.0, 0.5), (0.98, 0.1), (-1.2, 0.01), (0.3, 0.002)):
        spread = torch.full((256,), deviation).double().log()
        total = (-surprise(colours, torch.full((256,), mean).double(), spread)).exp().sum()
        assert total.item() == pytest.approx(1, abs=1e-6)


def test_at_level_0_the_picture_should_be_likely() -> None:
    t = torch.zeros(3, dtype=torch.long)
    x, fraction = renoise(LEVELS, X0, t, E), torch.zeros_like(E)
    right, wrong = (bound(LEVELS, X0, x, t, Reverse(noise, fraction)) for noise in (E, E + 1))
    assert (right < wrong).all()
    assert (right >= 0).all()


def test_only_the_variance_learns() -> None:
    noise, fraction = E.clone().requires_grad_(), torch.zeros_like(E).requires_grad_()
    bound(LEVELS, X0, X, T, Reverse(noise * 1.1, fraction)).sum().backward()
    assert noise.grad is None
    assert fraction.grad is not None
    assert (fraction.grad[:2] != 0).all()


def test_the_best_variance_is_the_true_one_and_the_square_of_what_the_mean_is_off() -> None:
    t, guess = torch.full((3,), 2), E + 0.7
    x = renoise(LEVELS, X0, t, E)
    small, large = posterior_variance(LEVELS, 2, 1), transition_variance(LEVELS, 2, 1)
    right, off = (posterior_mean(LEVELS, x, 2, 1, clean(LEVELS, x, 2, noise)) for noise in (E, guess))
    best = (small + (right - off).square()).log()
    wish = 2 * (best - log(small)) / (log(large) - log(small)) - 1
    least, below, above = (bound(LEVELS, X0, x, t, Reverse(guess, wish + step)) for step in (0, -0.05, 0.05))
    assert (least < below).all()
    assert (least < above).all()
    assert (wish > -0.9).all()


def test_without_a_variance_there_is_no_bound() -> None:
    with pytest.raises(RequestError, match="says no variance"):
        bound(LEVELS, X0, X, T, Reverse(E))
