"""The policy starts as the base model, is decided by what it is shown, and learns its labels."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from augment.diffusion.grids import trailing
from augment.diffusion.maps import clean
from augment.diffusion.reward import denoised
from augment.errors import RequestError
from augment.models.painting.latent_model import Words
from augment.models.painting.policy import InitializationPolicy, open_policy, scratch, widened
from augment.models.painting.text_to_image import TextToImage
from augment.training import train
from augment.training.base_model import open_base
from augment.training.crops import Crops
from augment.training.initialization_policy import Lesson, Policy, label, policy_loss, unguided
from augment.training.method import Task
from tests.augment.training.worlds import SHOWN, SIZE, data, scenes, tiny_model, tiny_unet, workshop


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_model(tmp_path_factory.mktemp("base"))


def opened(base: str) -> TextToImage:
    return open_base(base, torch.device("cpu")).networks


def untrained(model: TextToImage, start: int = 800, seed: int = 0) -> InitializationPolicy:
    """A policy for latents of 4 x 4 that looks at the foreground."""
    network = InitializationPolicy(
        widened(deepcopy(model.unet), 4), model.levels, model.prediction, start, seed, (4, 4)
    )
    with torch.no_grad():
        network.unet.conv_in.weight[:, 4:] = network.unet.conv_in.weight[:, :4].flip(0)
    return network


def policy(base: str, **options: object) -> Policy:
    numbers = {"size": SIZE, "batch": 4, "steps": 4, "warmup": 1, "inversion_steps": 3, "reward_steps": 2}
    return Policy(**{"base": base, **numbers, **options})


def build(method: Policy, folder: Path) -> Task:
    method.check()
    return method.build(data(), workshop(folder))


def shown(n: int = 2, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Foreground and words."""
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(n, 4, 4, 4, generator=rng), torch.randn(n, 24, 64, generator=rng)


@torch.no_grad()
def test_a_widened_input_changes_nothing_at_first() -> None:
    unet = tiny_unet()
    foreground, words = shown()
    x = torch.randn(2, 4, 4, 4)
    before = unet(x, 999, words).sample
    after = widened(deepcopy(unet), 4)(torch.cat([x, 100 * foreground], 1), 999, words).sample
    torch.testing.assert_close(after, before, rtol=0, atol=0)


def test_gradients_reach_the_new_weights(base: str) -> None:
    model = opened(base)
    unet = widened(model.unet, 4).requires_grad_(True)
    network = InitializationPolicy(unet, model.levels, model.prediction, 800, 0, (4, 4))
    network(*shown()).square().mean().backward()
    assert unet.conv_in.weight.grad[:, 4:].abs().max() > 0


@torch.no_grad()
def test_a_policy_read_from_its_folder_says_the_same(base: str, tmp_path: Path) -> None:
    model = opened(base)
    network = untrained(model, 700, 5).eval()
    network.save_pretrained(tmp_path)
    read = open_policy(tmp_path, model)
    assert read.network.unet.config.in_channels == 8
    assert (read.network.start, read.network.seed) == (700, 5)
    words = shown()[1]
    for scene in (SHOWN[0].picture[:16, :16], SHOWN[0].picture[:16, :24]):
        pictures = torch.from_numpy(np.stack([scene, scene])).permute(0, 3, 1, 2).float() / 127.5 - 1
        said = read(model, Words(words), pictures, torch.ones(2, 1, *scene.shape[:2]))
        torch.testing.assert_close(said, network(model.encode(pictures), words), rtol=1e-4, atol=1e-5)


def test_policies_of_other_bases_and_damaged_ones_are_refused(base: str, tmp_path: Path) -> None:
    untrained(opened(base)).save_pretrained(tmp_path / "policy")
    other = opened(tiny_model(tmp_path / "other", prediction_type="epsilon"))
    with pytest.raises(RequestError, match="this policy predicts v_prediction"):
        open_policy(tmp_path / "policy", other)
    (tmp_path / "policy" / "noise.safetensors").unlink()
    with pytest.raises(RequestError, match=r"noise.safetensors is missing"):
        open_policy(tmp_path / "policy", opened(base))


@torch.no_grad()
def test_what_a_policy_says_is_decided_by_what_it_is_shown(base: str) -> None:
    network = untrained(opened(base)).eval()
    foreground, words = shown()
    said = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        said.append(network(foreground, words))
    torch.testing.assert_close(said[0], said[1], rtol=0, atol=0)
    assert (network(foreground.flip(0), words) - said[0]).abs().max() > 1e-3
    assert (network(foreground, words.flip(0)) - said[0]).abs().max() > 1e-5


@torch.no_grad()
@pytest.mark.parametrize("prediction", ["v_prediction", "epsilon"])
def test_the_signal_is_computed_in_full_precision(tmp_path: Path, prediction: str) -> None:
    """(1.1) of the very output of the network: rounding it as the network does would cost much more."""
    model = opened(tiny_model(tmp_path, prediction_type=prediction, rescale_betas_zero_snr=False))
    network = untrained(model).eval()
    foreground, words = shown()
    with torch.autocast("cpu", torch.bfloat16):
        said = network(foreground, words)
        noise = network.noise.expand(2, -1, -1, -1)
        output = network.unet(torch.cat([noise, foreground], 1), torch.tensor([999, 999]), words).sample
    assert said.dtype == torch.float32
    a, b = model.levels.at(999)
    expected = clean(model.levels, noise, 999, output) if prediction == "epsilon" else a * noise - b * output.float()
    torch.testing.assert_close(said, expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_the_signal_is_that_of_the_formula(tmp_path: Path) -> None:
    """(1.1) in float64: sqrt(1 / ab) x_T - sqrt(1 / ab - 1) e, with e what the network says."""
    model = opened(tiny_model(tmp_path, prediction_type="epsilon", rescale_betas_zero_snr=False))
    network = untrained(model).eval().double()
    foreground, words = (values.double() for values in shown())
    noise = network.noise.expand(2, -1, -1, -1)
    e = network.unet(torch.cat([noise, foreground], 1), 999, words).sample
    kept = model.levels.signal[999] ** 2
    formula = (1 / kept) ** 0.5 * noise - (1 / kept - 1) ** 0.5 * e
    torch.testing.assert_close(network(foreground, words), formula, rtol=0, atol=1e-12 * float(formula.abs().max()))


def test_scratch_is_another_network(base: str) -> None:
    unet = opened(base).unet
    one, other, again = scratch(unet, 1), scratch(unet, 2), scratch(unet, 1)
    weights = [network.conv_in.weight for network in (one, other, again, unet)]
    torch.testing.assert_close(weights[0], weights[2], rtol=0, atol=0)
    assert all((weights[0] - weight).abs().max() > 1e-3 for weight in (weights[1], weights[3]))


def test_cached_labels_are_those_that_are_computed(base: str, tmp_path: Path) -> None:
    method, place = policy(base), workshop(tmp_path)
    model = open_base(base, place.machine.device)
    crops = Crops(scenes(), SIZE, 2, 0)
    kept = method.labels(model, crops, place)
    with torch.no_grad():
        computed = label(model.networks, [crops[3], crops[11]], trailing(800, 3), 2)
    np.testing.assert_allclose(kept[[3, 11]].astype(np.float32), computed.numpy(), rtol=2e-3, atol=2e-3)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}
    method.labels(model, crops, place)
    assert written == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}


def test_labels_put_together_are_the_end_of_the_inversion(base: str) -> None:
    """What is made from label and noise is the picture again, as far as three steps go."""
    model = opened(base)
    grid = trailing(800, 3)
    with torch.no_grad():
        latents, _, signal, noise = label(model, [Crops(scenes(), SIZE, 1, 0)[0]], grid, 6).unbind(1)
        denoise = unguided(model, model.words([SHOWN[0].caption]))
        made = denoised(model.levels, denoise, signal, noise, grid)
    torch.testing.assert_close(made, latents, rtol=0, atol=0.05 * float(latents.abs().max()))


def test_the_reward_moves_the_signal_by_what_is_wrong(base: str) -> None:
    """Its value is the error of what the model makes; the gradient of that by the signal is the error itself."""
    model = opened(base)
    rng = torch.Generator().manual_seed(0)
    latents, foreground, signal, noise = torch.randn(4, 2, 4, 4, 4, generator=rng)
    words, grid = Words(shown()[1]), trailing(800, 2)
    said = torch.randn(2, 4, 4, 4, generator=rng, requires_grad=True)
    lesson = Lesson(latents, foreground, signal, noise, words, grid)
    terms = policy_loss(model, lambda _: lesson, 0.5)(lambda *_: said, 0)
    with torch.no_grad():
        wrong = denoised(model.levels, unguided(model, words), said, noise, grid) - latents
    torch.testing.assert_close(terms["reward"].detach(), 0.5 * wrong.square().mean())
    (reward,) = torch.autograd.grad(terms["reward"], said)
    (from_label,) = torch.autograd.grad(terms["label"], said)
    torch.testing.assert_close(reward, 0.5 * 2 * wrong / wrong.numel())
    torch.testing.assert_close(terms["reward to label"], reward.norm() / from_label.norm())


def test_every_so_many_batches_are_rewarded(base: str, tmp_path: Path) -> None:
    task = policy(base, reward_every=2).build(data(), workshop(tmp_path))
    named = [set(task.loss(task.network, number)) for number in range(3)]
    assert named == [{"label", "reward", "reward to label"}, {"label"}, {"label", "reward", "reward to label"}]
    unrewarded = policy(base, reward_weight=0.0).build(data(), workshop(tmp_path / "b"))
    assert set(unrewarded.loss(unrewarded.network, 0)) == {"label"}


def test_a_policy_learns_the_label_of_one_picture(base: str, tmp_path: Path) -> None:
    model = opened(base)
    with torch.no_grad():
        labelled = label(model, [Crops(scenes(), SIZE, 1, 0)[0]], trailing(800, 3), 2)
        lesson = Lesson(*labelled.unbind(1), model.words([SHOWN[0].caption]), None)
    network = untrained(model).requires_grad_(True)
    options = policy(base, steps=60, learning_rate=1e-2, average=0.0)
    seen: list[float] = []
    task = Task(network, policy_loss(model, lambda _: lesson), lambda *_: None)
    train(task, options, workshop(tmp_path, options), lambda _, terms: seen.append(terms["label"]))
    assert seen[-1] < seen[0] / 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base": None}, "method.base is required"),
        ({"base": "/nowhere"}, "/nowhere is not a folder"),
        ({"start": 1000}, "levels 0 to 999"),
        ({"size": 20}, "multiple of 8"),
        ({"reward_span": "half"}, "known: full, source"),
        ({"initialisation": "vae"}, "known: unet, scratch"),
        ({"reward_weight": -1.0}, "at least 0"),
        ({"inversion_steps": 900}, "801 steps"),
    ],
)
def test_bad_options(base: str, tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        build(replace(policy(base), **options), tmp_path)
