"""Pixel diffusion with a learned variance: what its loss says, what is learned, and what comes out."""

from pathlib import Path

import numpy as np
import pytest
import torch

from augment.diffusion.levels import Levels, from_betas, linear
from augment.diffusion.maps import renoise
from augment.errors import RequestError
from augment.models.guided_diffusion.architectures import ARCHITECTURES
from augment.models.guided_diffusion.hub import open_hub
from augment.models.guided_diffusion.unet import UNet
from augment.models.runtime import Runtime
from augment.training import blended_pixel, train
from augment.training.blended_pixel import BlendedPixel, Lesson, hybrid_loss
from tests.augment.training.worlds import data, workshop

LEVELS = from_betas(linear())


@pytest.fixture(autouse=True)
def one_thread() -> None:
    Runtime("cpu").place()


class Knowing(torch.nn.Module):
    """Says the noise of one picture, and one fraction of the variance everywhere."""

    def __init__(self, levels: Levels, x0: torch.Tensor, fraction: float) -> None:
        super().__init__()
        self.levels, self.x0 = levels, x0
        self.fraction = torch.nn.Parameter(torch.tensor(fraction))

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        signal, noise = self.levels.of(t, x)
        return torch.cat([(x - signal * self.x0) / noise, self.fraction.expand_as(x)], dim=1)


def lesson(count: int = 4) -> Lesson:
    rng = torch.Generator().manual_seed(0)
    pictures = (torch.rand(count, 3, 32, 32, generator=rng) * 255).round() / 127.5 - 1
    noise = torch.randn(count, 3, 32, 32, generator=rng)
    return Lesson(pictures, torch.tensor([1, 200, 500, 999])[:count], noise)


def test_who_knows_the_picture_learns_the_least_variance() -> None:
    about = lesson()
    losses = {}
    for fraction in (-1.0, 0.0, 1.0):
        losses[fraction] = hybrid_loss(LEVELS, lambda _: about, 0.001)(Knowing(LEVELS, about.pictures, fraction), 0)
        assert losses[fraction]["epsilon"] < 1e-6
    assert losses[-1.0]["bound"].item() == pytest.approx(0, abs=1e-4)
    assert losses[-1.0]["bound"] < losses[0.0]["bound"] < losses[1.0]["bound"]


def test_without_the_bound_the_variance_does_not_learn() -> None:
    about = lesson(2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = UNet(ARCHITECTURES["tiny_32"])

    def gradients(weight: float) -> torch.Tensor:
        network.zero_grad()
        sum(hybrid_loss(LEVELS, lambda _: about, weight)(network, 0).values()).backward()
        return network.out[2].bias.grad.clone()

    without, with_bound = gradients(0.0), gradients(0.001)
    assert (without[3:] == 0).all()
    assert (with_bound[3:] != 0).all()
    assert torch.equal(without[:3], with_bound[:3])


def test_it_learns_and_comes_back_as_a_folder(tmp_path: Path) -> None:
    method = BlendedPixel(
        architecture="tiny_32", steps=15, batch=2, warmup=2, learning_rate=3e-3, average=0.5, clip=1.0
    )
    method.check()
    place = workshop(tmp_path, method)
    task = method.build(data(), place)
    assert task.held is not None
    with torch.no_grad():
        before = float(sum(task.held(task.network, 0).values()))
    terms: dict[str, float] = {}
    trained = train(task, method, place, lambda step, said: terms.update(said))
    with torch.no_grad():
        after = float(sum(task.held(trained, 0).values()))
    assert {"epsilon", "bound"} <= terms.keys()
    assert after < 0.7 * before
    task.save(trained, tmp_path / "made")
    opened = open_hub(tmp_path / "made", Runtime("cpu"))
    x = renoise(LEVELS, lesson(1).pictures, 300, lesson(1).noise)
    with torch.no_grad():
        assert torch.equal(opened(x, 300).noise, trained(x, torch.tensor([300]))[:, :3])


def test_samples_of_a_sheet_are_the_same_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blended_pixel, "STEPS", 4)
    task = BlendedPixel(architecture="tiny_32", batch=2).build(data(), workshop(tmp_path))
    assert task.sheet is not None
    with torch.no_grad():
        one, other = task.sheet(task.network.eval()), task.sheet(task.network)
    assert one.shape[2] == 3
    assert np.array_equal(one, other)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(RequestError, match=r"unknown method\.architecture=vast; known: uncond_256, small_64, tiny_32"):
        BlendedPixel(architecture="vast").check()
    with pytest.raises(RequestError, match=r"method\.bound=-1\.0; at least 0"):
        BlendedPixel(bound=-1.0).check()
