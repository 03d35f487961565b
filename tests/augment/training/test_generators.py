"""Autoencoders, base models and ControlNets: what is trained, and what comes out."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline

from augment.diffusion.levels import from_betas, scaled_linear, zero_terminal
from augment.diffusion.predictions import Prediction
from augment.errors import RequestError
from augment.models.painting.control import Control, hint
from augment.models.painting.latent_model import Words
from augment.models.painting.levels import levels_of
from augment.models.painting.text_to_image import TextToImage
from augment.training import train
from augment.training.autoencoder import Autoencoder
from augment.training.base import Base, min_snr
from augment.training.base_model import ZERO_TERMINAL, open_base
from augment.training.controlnet import ControlNet, Lesson, around, controlnet_loss, foreground_controlnet
from augment.training.crops import Crops, pictures_of
from augment.training.method import Task, Training, save_half
from tests.augment.training.worlds import SHOWN, SIZE, data, scenes, tiny_model, tiny_unet, workshop

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_model(tmp_path_factory.mktemp("base"))


def opened(base: str | Path) -> TextToImage:
    return open_base(str(base), CPU).networks


def lesson() -> Lesson:
    rng = torch.Generator().manual_seed(0)
    crops = Crops(scenes(), SIZE, 1, 0)
    pictures, keep = pictures_of([crops[0], crops[1]], CPU)
    latents, noise = torch.randn(2, 2, 4, 4, 4, generator=rng)
    words = Words(torch.randn(2, 24, 64, generator=rng))
    return Lesson(latents, words, hint(pictures, keep, 4), torch.tensor([100, 700]), noise)


@torch.no_grad()
def test_a_new_controlnet_changes_nothing(base: str) -> None:
    model, about = opened(base), lesson()
    network = foreground_controlnet(model, 0)
    x, words = about.latents, about.words
    down, middle = network(x, 500, words.hidden, controlnet_cond=about.hint, return_dict=False)
    assert all(not residual.any() for residual in (*down, middle))
    condition = Control(network).condition(model, about.hint[:, :3] * 2 - 1, about.hint[:, 3:], 1.0)
    said = model.denoiser(words, words, 1.0, condition, None)(x, 500)
    torch.testing.assert_close(said, model.denoiser(words, words, 1.0, None, None)(x, 500), rtol=0, atol=0)


def test_only_the_controlnet_learns(base: str, tmp_path: Path) -> None:
    """What it is trained over stays as it is, and its own first layers hear of the loss once they are heard."""
    model = opened(base)
    before = {name: weight.clone() for name, weight in model.unet.state_dict().items()}
    network = foreground_controlnet(model, 0)
    task = Task(network, controlnet_loss(model, lambda _: lesson()), save_half)
    options = Training(steps=3, warmup=0, learning_rate=1e-2)
    seen: list[float] = []
    trained = train(task, options, workshop(tmp_path, options), lambda _, terms: seen.append(terms["v_prediction"]))
    assert seen[-1] < seen[0]
    assert all(torch.equal(before[name], weight) for name, weight in model.unet.state_dict().items())
    assert trained.controlnet_cond_embedding.conv_out.weight.abs().max() > 0


def test_the_ring_is_just_outside() -> None:
    keep = torch.zeros(1, 1, 7, 7)
    keep[..., 3, 3], keep[..., 3, 4] = 1, 0.25
    ring = around(keep, 1)[0, 0]
    assert ring[3, 3] == 0
    assert ring[3, 4] == 0.75
    assert ring.sum() == 10.75  # of 3 x 4 cells, all but these two in full
    assert not around(torch.zeros(1, 1, 7, 7), 2).any()


@torch.no_grad()
def test_errors_in_the_ring_count_more(base: str) -> None:
    """The weighted mean, spelt out; without a ring, the mean."""
    model, about = opened(base), lesson()
    network = foreground_controlnet(model, 0)
    signal, noise = model.levels.of(about.times, about.latents)
    seen, wanted = signal * about.latents + noise * about.noise, signal * about.noise - noise * about.latents
    wrong = (model.unet(seen, about.times, about.words.hidden).sample - wanted).square()
    weight = 1 + 3 * around(torch.nn.functional.avg_pool2d(about.hint[:, 3:], 4), 1).expand_as(wrong)
    assert 0 < float((weight - 1).mean()) < 3
    plain, ringed = (controlnet_loss(model, lambda _: about, ring)(network, 0) for ring in (0.0, 3.0))
    torch.testing.assert_close(plain["v_prediction"], wrong.mean())
    torch.testing.assert_close(ringed["v_prediction"], (weight * wrong).sum() / weight.sum())


def test_a_base_model_opens_as_a_pipeline(tmp_path: Path) -> None:
    """All three steps: an autoencoder, a base model over it, a picture of that by diffusers."""
    method = Autoencoder(size=SIZE, steps=2, batch=2)
    place = workshop(tmp_path / "first", method)
    task = method.build(data(), place)
    task.save(train(task, method, place, lambda *_: None), place.folder)
    over = Base(size=SIZE, steps=2, batch=2, crops=1, autoencoder=str(place.folder), review_every=2, precision="bf16")
    over.check()
    second = workshop(tmp_path / "second", over)
    task = over.build(data(), second)
    observed = {}
    trained = train(task, over, second, lambda _, terms: observed.update(terms))
    task.save(trained, second.folder)
    assert {"v_prediction", "held-out v_prediction", "gradient"} == set(observed)
    model = opened(second.folder)
    assert model.prediction is Prediction.VELOCITY
    with torch.no_grad():
        crops = Crops(scenes(SHOWN[:-2]), SIZE, 1, 0)
        latents = model.encode(pictures_of([crops[number] for number in range(len(crops))], CPU)[0])
    assert 0.9 < float(latents.std()) < 1.1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipeline = StableDiffusionPipeline.from_pretrained(second.folder)
    pipeline.set_progress_bar_config(disable=True)
    drawn = pipeline(SHOWN[0].caption, height=SIZE, width=SIZE, num_inference_steps=2, output_type="np").images
    assert drawn.shape == (1, SIZE, SIZE, 3)
    assert np.isfinite(drawn).all()
    assert str(tmp_path) not in "".join(path.read_text() for path in second.folder.rglob("*.json"))


def test_a_base_model_is_trained_further(base: str, tmp_path: Path) -> None:
    method = Base(size=SIZE, steps=1, batch=2, crops=1, base=base, learning_rate=1e-9, average=0.0)
    place = workshop(tmp_path, method)
    task = method.build(data(), place)
    task.save(train(task, method, place, lambda *_: None), tmp_path)
    weights = (opened(of).unet.conv_in.weight for of in (base, tmp_path))
    torch.testing.assert_close(*weights, rtol=2e-3, atol=1e-6)  # as half precision keeps them


@pytest.mark.parametrize("options", [{}, {"base": "a", "autoencoder": "b"}])
def test_a_base_model_has_one_beginning(options: dict[str, str]) -> None:
    with pytest.raises(RequestError, match="takes either"):
        Base(**options).check()


def test_min_snr_counts_all_predictions_alike() -> None:
    """Errors of noise e, velocity v and picture x0 that are one and the same weigh the same."""
    levels = from_betas(scaled_linear())
    times, off = torch.tensor([0, 300, 999]), torch.randn(3, 1, 2, 2)
    signal, noise = levels.of(times, off)
    errors = {Prediction.PICTURE: off, Prediction.NOISE: off * signal / noise, Prediction.VELOCITY: off / noise}
    weighed = [min_snr(levels, kind, times, off) * error.square() for kind, error in errors.items()]
    torch.testing.assert_close(weighed[0], weighed[1])
    torch.testing.assert_close(weighed[0], weighed[2])


@pytest.mark.parametrize("schedule", ["linear", "scaled_linear", "squaredcos_cap_v2"])
def test_levels_are_those_of_the_library(schedule: str) -> None:
    scheduler = DDIMScheduler(beta_schedule=schedule, beta_start=0.001, beta_end=0.013, num_train_timesteps=500)
    ours = levels_of(scheduler.config, "here")
    np.testing.assert_allclose(ours.signal**2, scheduler.alphas_cumprod.numpy(), rtol=2e-5)


def test_small_models_begin_at_noise_alone() -> None:
    ours = levels_of(ZERO_TERMINAL, "here")
    np.testing.assert_array_equal(ours.signal, zero_terminal(from_betas(scaled_linear())).signal)
    options = {name: value for name, value in ZERO_TERMINAL.items() if not name.startswith("_")}
    theirs = DDIMScheduler(**options).alphas_cumprod.numpy()
    np.testing.assert_allclose(ours.signal[:-1] ** 2, theirs[:-1], rtol=1e-3, atol=1e-6)


def _broken(folder: Path, name: str) -> str:
    """A model with something wrong."""
    scheduler = {"prediction": {"prediction_type": "guess"}, "schedule": {"beta_schedule": "steep"}}
    tiny_model(folder, **scheduler.get(name, {}))
    if name == "channels":
        network = tiny_unet()
        network.register_to_config(in_channels=9)
        network.conv_in = torch.nn.Conv2d(9, 8, 3, padding=1)
        network.save_pretrained(folder / "unet")
    if name == "missing":
        (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    if name == "damaged":
        (folder / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"0" * 64)
    if name == "class":
        config = json.loads((folder / "unet" / "config.json").read_text())
        (folder / "unet" / "config.json").write_text(json.dumps({**config, "cross_attention_dim": 32}))
    return str(folder)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("prediction", "prediction_type=guess; known: epsilon"),
        ("schedule", "beta_schedule=steep"),
        ("channels", "is one for inpainting"),
        ("missing", "diffusion_pytorch_model.safetensors is missing"),
        ("damaged", "vae/diffusion_pytorch_model.safetensors"),
        ("class", "no UNet2DConditionModel that can be opened"),
    ],
)
def test_models_with_something_wrong_are_refused(name: str, message: str, tmp_path: Path) -> None:
    method = ControlNet(base=_broken(tmp_path / "model", name), size=SIZE, crops=1, batch=2)
    with pytest.raises(RequestError, match=message):
        method.build(data(), workshop(tmp_path / "out"))
