"""What painters promise, by the real networks at a tiny size."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from augment.errors import PaintError, RequestError
from augment.models.doors import open_painter
from augment.models.packs import Component, Pack
from augment.models.painting.base import Canvas, Painter, Sampler, Sampling, Start, Wording
from augment.models.painting.hub import open_controlnet, open_hub, open_text_to_image
from augment.models.painting.latent_model import LatentModel, Words
from augment.models.painting.painter import LatentPainter
from augment.models.runtime import Runtime
from tests.flow_pipelines import tiny_flux_fill, tiny_sd3_controlnet, tiny_stable_diffusion_3
from tests.pipelines import tiny_controlnet, tiny_pipeline

WORDS = Wording("a blue wooden table", "a white wall")
BRIEF = Sampling(steps=3, guidance=2.0)
CPU = Runtime("cpu", batch=2)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pack")
    return {
        "base": tiny_pipeline(root / "base"),
        "controlnet": tiny_controlnet(root / "control"),
        "sd3": tiny_stable_diffusion_3(root / "sd3"),
        "sd3_controlnet": tiny_sd3_controlnet(root / "sd3_control"),
        "flux": tiny_flux_fill(root / "flux"),
    }


@pytest.fixture(scope="module", params=["base", "sd3", "flux"])
def painter(folders: dict[str, Path], request: pytest.FixtureRequest) -> LatentPainter:
    """One of each family, for what all of them promise."""
    return open_hub({"base": folders[request.param]}, CPU)


def canvas(height: int = 64, width: int = 64, number: int = 0) -> Canvas:
    rng = np.random.default_rng(3)
    keep = np.zeros((height, width), np.float32)
    keep[height // 4 : height // 2, width // 4 : width // 2] = 1
    keep[height // 2] = 0.5
    return Canvas(rng.integers(0, 256, (height, width, 3), dtype=np.uint8), keep, number)


@pytest.mark.parametrize("sampler", [Sampler.MULTISTEP, Sampler.DDIM, Sampler.ANCESTRAL])
@pytest.mark.parametrize("start", [Start.NOISE, Start.PICTURE])
@pytest.mark.parametrize(("height", "width"), [(64, 64), (45, 91)])
def test_what_is_kept_stays_exactly(
    painter: LatentPainter, sampler: Sampler, start: Start, height: int, width: int
) -> None:
    asked = canvas(height, width)
    (made,) = painter([asked], WORDS, replace(BRIEF, sampler=sampler, start=start), 7)
    assert made.shape == asked.picture.shape
    kept = asked.keep == 1
    assert np.array_equal(made[kept], asked.picture[kept])
    assert np.abs(made[asked.keep == 0].astype(int) - asked.picture[asked.keep == 0]).mean() > 5


@pytest.mark.parametrize("sampler", [Sampler.MULTISTEP, Sampler.DDIM, Sampler.ANCESTRAL])
def test_with_all_to_paint_blending_changes_nothing_and_with_nothing_the_picture_comes_back(
    painter: LatentPainter, sampler: Sampler
) -> None:
    sampling, nothing, whole = (
        replace(BRIEF, sampler=sampler),
        *(np.full((64, 64), keep, np.float32) for keep in (0, 1)),
    )
    blended, plain = (
        painter([replace(canvas(), keep=nothing)], WORDS, replace(sampling, blend=blend), 7)[0]
        for blend in (True, False)
    )
    assert np.array_equal(blended, plain)
    assert np.array_equal(painter([replace(canvas(), keep=whole)], WORDS, sampling, 7)[0], canvas().picture)


def test_few_steps_of_networks_that_were_distilled(folders: dict[str, Path]) -> None:
    painter, asked = open_hub({"base": folders["base"]}, CPU), canvas()
    (made,) = painter([asked], WORDS, replace(BRIEF, sampler=Sampler.FEW_STEP), 7)
    assert np.array_equal(made[asked.keep == 1], asked.picture[asked.keep == 1])
    assert np.abs(made[asked.keep == 0].astype(int) - asked.picture[asked.keep == 0]).mean() > 5


def coded(painter: LatentPainter, level: int) -> np.ndarray:
    """What the autoencoder makes of a plain picture."""
    with torch.no_grad():
        decoded = painter.base.decode(painter.base.encode(torch.full((1, 3, 64, 64), level / 127.5 - 1)))
    return ((decoded[0].clamp(-1, 1) + 1) * 127.5).permute(1, 2, 0).numpy()


def test_soft_parts_are_painted_in_their_last_share_of_the_steps(painter: LatentPainter) -> None:
    """Nearer to the picture than if they were painted from the start, even before they are mixed with it."""
    picture, sampling = np.full((64, 64, 3), 200, np.uint8), replace(BRIEF, steps=10, guidance=1.0, blur=0.0)

    def departs(keep: float) -> float:
        right = np.concatenate([np.zeros((64, 32)), np.full((64, 32), keep)], axis=1).astype(np.float32)
        (made,) = painter([Canvas(picture, right)], WORDS, sampling, 7)
        painted = (made - keep * picture) / (1 - keep)
        return float(np.abs(painted - coded(painter, 200))[:, 40:].mean())

    assert departs(0.7) < 0.85 * departs(0.0)


def test_a_canvas_is_painted_alike_whatever_else_is_asked(painter: LatentPainter) -> None:
    asked = [canvas(number=number) for number in range(3)]
    together = painter(asked, WORDS, BRIEF, 7)
    alone = replace(painter, batch=1)(asked[2:], WORDS, BRIEF, 7)
    assert np.array_equal(together[2], alone[0])
    first = replace(painter, batch=1)(asked[:1], WORDS, BRIEF, 7)[0]
    assert np.abs(first.astype(int) - together[0]).max() <= 2  # sums of other lengths round otherwise
    assert not np.array_equal(together[0], together[1])


def test_key_words_and_number_decide_the_noise(painter: LatentPainter) -> None:
    (made,) = painter([canvas()], WORDS, BRIEF, 7)
    for other in (
        painter([canvas()], WORDS, BRIEF, 8),
        painter([canvas(number=1)], WORDS, BRIEF, 7),
        painter([canvas()], Wording("a white wall"), BRIEF, 7),
    ):
        assert not np.array_equal(made, other[0])
    assert np.array_equal(made, painter([canvas()], WORDS, BRIEF, 7)[0])


def test_a_picture_that_is_started_from_without_blur_is_nearly_kept_by_few_levels(painter: LatentPainter) -> None:
    asked = replace(canvas(), picture=np.full((64, 64, 3), 200, np.uint8), keep=np.zeros((64, 64), np.float32))

    def distance(level: float) -> float:
        sampling = replace(BRIEF, start=Start.PICTURE, blur=0.0, level=level, guidance=1.0)
        started = painter([asked], WORDS, sampling, 7)[0].astype(float)
        return float(np.abs(started - coded(painter, 200)).mean())

    assert distance(0.003) < 3 < distance(0.9)


@pytest.mark.parametrize(("base", "control"), [("base", "controlnet"), ("sd3", "sd3_controlnet")])
def test_a_controlnet_changes_what_is_painted_by_its_strength(
    folders: dict[str, Path], base: str, control: str
) -> None:
    controlled = open_hub({"base": folders[base], "controlnet": folders[control]}, CPU)
    (without,) = open_hub({"base": folders[base]}, CPU)([canvas()], WORDS, BRIEF, 7)
    assert np.array_equal(controlled([canvas()], WORDS, replace(BRIEF, control=0.0), 7)[0], without)
    assert not np.array_equal(controlled([canvas()], WORDS, BRIEF, 7)[0], without)


def test_a_controlnet_for_another_base_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    from augment.models.small_diffusion import small_unet

    other = open_text_to_image(folders["base"], CPU)
    other = replace(other, unet=small_unet((16, 16, 32)))
    with pytest.raises(RequestError, match="block_out_channels"):
        open_controlnet(folders["controlnet"], other)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [({"prediction_type": "sample"}, None), ({"beta_schedule": "linear"}, None)],
)
def test_the_scheduler_says_how_noise_is_meant(tmp_path: Path, schedule: dict[str, str], message: str | None) -> None:
    base = open_text_to_image(tiny_pipeline(tmp_path, **schedule), CPU)
    assert base.prediction == schedule.get("prediction_type", "v_prediction")
    assert len(base.levels) == 1000


def test_schedulers_that_are_not_known_are_refused(tmp_path: Path) -> None:
    folder = tiny_pipeline(tmp_path)
    config = folder / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace('"v_prediction"', '"w_prediction"'))
    with pytest.raises(RequestError, match=r"unknown prediction_type=w_prediction; known: epsilon"):
        open_text_to_image(folder, CPU)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer"])
def test_parts_that_are_missing_are_named(tmp_path: Path, part: str) -> None:
    folder = tiny_pipeline(tmp_path)
    (folder / part).rename(tmp_path / f"no_{part}")
    component = Component("stable_diffusion", str(folder))
    with pytest.raises(RequestError, match=f"{part}/.* is missing"):
        Pack("mine", base=component).check()
    with pytest.raises(RequestError, match=part):
        open_text_to_image(folder, CPU)


def test_a_pack_is_opened_once(folders: dict[str, Path]) -> None:
    pack = Pack(
        "mine",
        base=Component("stable_diffusion", str(folders["base"])),
        controlnet=Component("controlnet", str(folders["controlnet"])),
    )
    pack.check()
    opened: Painter = open_painter(pack, CPU)
    assert isinstance(opened, LatentPainter)
    assert opened is open_painter(pack, CPU)
    assert opened.control is not None


def test_without_a_policy_there_is_nothing_to_start_from(painter: LatentPainter) -> None:
    with pytest.raises(RequestError, match="start=policy needs an initialization policy"):
        painter([canvas()], WORDS, replace(BRIEF, start=Start.POLICY), 7)


@pytest.mark.parametrize("base", ["base", "sd3", "flux"])
def test_values_that_are_no_numbers_are_turned_down_after_float32(folders: dict[str, Path], base: str) -> None:
    painter = open_hub({"base": folders[base]}, replace(CPU, precision="bfloat16"))
    with torch.no_grad():
        next(painter.base.network.parameters()).fill_(float("nan"))
    with pytest.raises(PaintError, match="in float32 too"):
        painter([canvas()], WORDS, BRIEF, 7)


@pytest.mark.parametrize(
    ("base", "control"),
    [("base", None), ("base", "controlnet"), ("sd3", None), ("sd3", "sd3_controlnet"), ("flux", None)],
)
def test_halves_that_overflow_are_done_again_in_float32(
    folders: dict[str, Path], base: str, control: str | None
) -> None:
    roles = {"base": folders[base]} | ({"controlnet": folders[control]} if control else {})
    painter = open_hub(roles, replace(CPU, precision="float16"))
    with torch.no_grad():
        entries = {"base": "conv_in", "sd3": "proj_out", "flux": "x_embedder"}
        painter.base.network.get_submodule(entries[base]).weight.mul_(2e5)
    with pytest.raises(FloatingPointError):
        painter.attempt([canvas()], WORDS, BRIEF, 7, floats=False)
    (made,) = painter([canvas()], WORDS, BRIEF, 7)
    assert np.isfinite(made).all()


def test_too_little_memory_halves_the_batch(painter: LatentPainter, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [canvas(number=number) for number in range(2)]
    expected = painter(asked, WORDS, BRIEF, 7)
    encode = type(painter.base).encode

    def scarce(self: object, pixels: torch.Tensor) -> torch.Tensor:
        if len(pixels) > 1:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return encode(self, pixels)

    monkeypatch.setattr(type(painter.base), "encode", scarce)
    made = painter(asked, WORDS, BRIEF, 7)
    for one, other in zip(made, expected, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 2


def test_a_prompt_that_is_too_long_is_cut_and_what_is_cut_is_known(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    painter = open_hub({"base": folders["base"]}, CPU)
    (reader,) = painter.base.readers
    long = " ".join(["table"] * 30)
    assert reader.cut("a blue table") == painter.cut("a blue table") == ""
    assert reader.cut(long).split() == ["table"] * 8
    assert not caplog.records, "the library's own remark speaks of an error"
    assert torch.equal(reader([long])[0], reader([" ".join(["table"] * 22)])[0])


class Grey:
    """A policy that composes nothing but the mean brightness of what it is shown."""

    start = 800

    def __call__(self, base: LatentModel, words: Words, kept: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        return base.encode(kept.mean(dim=(1, 2, 3), keepdim=True).expand_as(kept).contiguous())

    def in_float32(self) -> "Grey":
        return self


@pytest.mark.parametrize("batch", [1, 3])
def test_a_canvas_takes_over_the_composition_of_its_lead(painter: LatentPainter, batch: int) -> None:
    led = replace(painter, policy=Grey(), batch=batch)
    sampling = replace(BRIEF, start=Start.POLICY, level=0.5, blend=False)
    dark, bright = (
        replace(canvas(), picture=np.full((64, 64, 3), level, np.uint8), keep=np.ones((64, 64), np.float32))
        for level in (20, 235)
    )
    nothing = np.zeros((64, 64), np.float32)
    first = led([replace(canvas(), lead=bright)], WORDS, sampling, 7)[0]
    other = led([replace(canvas(), lead=dark)], WORDS, sampling, 7)[0]
    assert np.abs(first.astype(int) - other)[canvas().keep == 0].mean() > 3
    together = led([replace(canvas(), lead=bright), replace(canvas(), keep=nothing, lead=dark)], WORDS, sampling, 7)
    assert np.abs(together[0].astype(int) - first).max() <= 2


@pytest.mark.parametrize("base", ["base", "sd3", "flux"])
def test_one_picture_that_is_too_large_is_coded_in_tiles(
    folders: dict[str, Path], base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    painter = open_hub({"base": folders[base]}, CPU)
    encode = type(painter.base).encode

    def scarce(self: LatentModel, pixels: torch.Tensor) -> torch.Tensor:
        if not self.vae.use_tiling:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return encode(self, pixels)

    monkeypatch.setattr(type(painter.base), "encode", scarce)
    assert painter([canvas()], WORDS, BRIEF, 7)[0].shape == (64, 64, 3)

    def none(self: LatentModel, pixels: torch.Tensor) -> torch.Tensor:
        raise torch.cuda.OutOfMemoryError("out of memory")

    monkeypatch.setattr(type(painter.base), "encode", none)
    with pytest.raises(PaintError, match="memory does not suffice for one picture of 64 x 64 pixels"):
        painter([canvas()], WORDS, BRIEF, 7)
