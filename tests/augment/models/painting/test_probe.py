"""A configuration that is possible, but not that of the weights, is noticed."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

import augment
from augment.diffusion.predictions import Prediction
from augment.models.painting.base import Sampling
from augment.models.painting.hub import open_hub
from augment.models.painting.latent_model import LatentModel, Words
from augment.models.painting.painter import LatentPainter
from augment.models.painting.probe import remarks, share_of_noise, spread
from augment.models.runtime import Runtime
from tests.flow_pipelines import tiny_flux_fill, tiny_stable_diffusion_3
from tests.pipelines import tiny_pipeline

SHIPPED = Path(augment.__file__).parent / "models" / "packs" / "tabletop" / "base"
SCHEDULER, CODER = Path("scheduler", "scheduler_config.json"), Path("vae", "config.json")
DIFFUSION = (Prediction.NOISE, Prediction.VELOCITY, Prediction.PICTURE)


def opened(folder: Path, precision: str = "float32") -> LatentPainter:
    return open_hub({"base": folder}, Runtime("cpu", precision=precision))


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """A copy of the pack that ships, whose networks are trained."""
    return copytree(SHIPPED, tmp_path / "shipped")


def rewrite(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | change(config)))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_is_right_is_not_remarked(precision: str) -> None:
    painter = opened(SHIPPED, precision)
    assert painter.remarks(Sampling()) == []
    assert abs(share_of_noise(painter.base)) < 0.1
    assert 0.8 < spread(painter.base) < 1.25


def test_another_prediction_than_the_weights_was_trained_for(shipped: Path) -> None:
    rewrite(shipped / SCHEDULER, lambda config: {"prediction_type": "epsilon"})
    (said,) = opened(shipped).remarks(Sampling())
    assert said.startswith("scheduler_config.json says prediction_type=epsilon, but shown noise alone ")
    assert "says 0.06 of it" in said
    assert "say prediction_type=v_prediction or sample in the base's scheduler/scheduler_config.json" in said


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_another_scale_than_the_weights_was_trained_with(shipped: Path, factor: float) -> None:
    rewrite(shipped / CODER, lambda config: {"scaling_factor": factor * config["scaling_factor"]})
    (said,) = opened(shipped).remarks(Sampling())
    assert f"spread by {1.19 * factor:.2g}, " in said
    assert "into the base's vae/config.json (about 0.87 would make it 1)" in said


@pytest.mark.parametrize("said", DIFFUSION)
@pytest.mark.parametrize("meant", DIFFUSION)
def test_networks_that_say_noise_and_others_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Prediction, meant: Prediction
) -> None:
    """By the best answer that there is, for pictures of noise of deviation 1/2."""
    base = opened(tiny_pipeline(tmp_path, prediction_type=str(said), rescale_betas_zero_snr=False)).base

    def answer(self: LatentModel, x: Tensor, t: int, words: Words) -> Tensor:
        signal, noise = self.levels.at(t)
        picture = x * signal * 0.25 / (0.25 * signal**2 + noise**2)
        e = (x - signal * picture) / noise
        return {"epsilon": e, "sample": picture, "v_prediction": signal * e - noise * picture}[meant]

    monkeypatch.setattr(LatentModel, "run", answer)
    assert bool(remarks(base)) == ((said is Prediction.NOISE) != (meant is Prediction.NOISE))


def test_a_probe_is_one_step_and_one_picture_encoded_once(tmp_path: Path) -> None:
    painter, calls, state = opened(tiny_pipeline(tmp_path)), list[str](), torch.get_rng_state()
    parts = {"unet": painter.base.network, "encoder": painter.base.vae.encoder, "decoder": painter.base.vae.decoder}
    for name, part in parts.items():
        part.register_forward_hook(lambda *_, name=name: calls.append(name))
    assert painter.remarks(Sampling()) == painter.remarks(Sampling())
    assert sorted(calls) == ["encoder", "unet"]
    assert torch.equal(state, torch.get_rng_state()), "the state of torch's own generator is left alone"


def test_inpainting_networks_are_shown_that_nothing_is_kept(tmp_path: Path) -> None:
    folder = tiny_pipeline(tmp_path, prediction_type="epsilon")
    config = UNet2DConditionModel.load_config(folder / "unet")
    UNet2DConditionModel.from_config({**config, "in_channels": 9}).save_pretrained(folder / "unet")
    (said,) = opened(folder).remarks(Sampling())
    assert "prediction_type=epsilon" in said


@pytest.mark.parametrize("make", [tiny_stable_diffusion_3, tiny_flux_fill])
def test_flows_have_one_prediction_and_a_scale(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    folder = make(tmp_path)
    base = opened(folder).base
    rewrite(folder / CODER, lambda config: {"scaling_factor": 20 * config["scaling_factor"] / spread(base)})
    (said,) = opened(folder).remarks(Sampling())
    assert "spread by 20, " in said


@pytest.mark.parametrize("trouble", ["memory", "numbers"])
def test_what_painting_says_itself_is_no_remark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    painter = opened(tiny_pipeline(tmp_path, prediction_type="epsilon"))

    def fail(*_: Any) -> Tensor:
        if trouble == "memory":
            raise torch.cuda.OutOfMemoryError("out of memory")
        return torch.full((1, 4, 16, 16), float("nan"))

    monkeypatch.setattr(LatentModel, "encode", fail)
    monkeypatch.setattr(LatentModel, "run", fail)
    assert painter.remarks(Sampling()) == []
