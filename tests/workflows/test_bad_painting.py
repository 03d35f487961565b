"""What painting does with pictures, masks, checkpoints and machines that do not suit it, through the front door."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image
from safetensors.torch import load_file, save_file

from augment.models.painting.latent_model import LatentModel
from tests.pipelines import tiny_clip, tiny_pipeline, tiny_pixels
from workflows.cli import main

LENGTH = 6
WORDS = "prompt=a blue wooden table"


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What to say for each recipe."""
    root = tmp_path_factory.mktemp("packs")
    base = [
        "models=sd15",
        "models.controlnet=null",
        f"models.base.source={tiny_pipeline(root / 'base')}",
        "models.device=cpu",
    ]
    pixels = [f"models.pixels.source={tiny_pixels(root / 'pixels')}", f"models.clip.source={tiny_clip(root / 'clip')}"]
    whole = ["models.pixels.file=null", "models.pixels.architecture=null", "models.pixels.revision=null"]
    return {
        "outpaint": asked("outpaint", base),
        "blended": asked("blended", base),
        "blended_pixel": [
            *asked("blended_pixel", ["models=blended_pixel_256", *pixels, *whole, "models.device=cpu"]),
            "recipe.steps.edit.views=2",
        ],
    }


def asked(recipe: str, pack: list[str]) -> list[str]:
    step = "recipe.steps.background" if recipe == "outpaint" else "recipe.steps.edit"
    return [f"recipe={recipe}", *pack, f"{step}.steps=2", f"{step}.candidates=2", f"{step}.{WORDS}"]


def recording(path: Path, height: int = 48, width: int = 64, mask: bool | None = None) -> Path:
    """A square crosses a smooth wall; `mask`: of its robot, the same everywhere."""
    rng, side = np.random.default_rng(0), max(2, min(height, width) // 5)
    coarse = rng.integers(30, 220, (max(2, height // 5), max(2, width // 5), 3)).astype(np.uint8)
    wall = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    frames, masks = np.repeat(wall[None], LENGTH, axis=0), np.zeros((LENGTH, height, width), np.bool_)
    for index, left in enumerate(np.linspace(0, width - side, LENGTH).astype(int)):
        masks[index, (height - side) // 2 :, left : left + side][:side] = True
    frames[masks] = (240, 40, 40)
    with h5py.File(path, "w") as file:
        demo = file.create_group("data/demo_0")
        demo.attrs["num_samples"] = LENGTH
        demo["actions"] = np.zeros((LENGTH, 7))
        demo["obs/front"] = frames
        demo["masks/front/robot"] = masks if mask is None else np.full_like(masks, mask)
        file["data"].attrs["total"] = LENGTH
    return path


def support(folder: Path, height: int = 48, width: int = 64, top: float = 0.5) -> str:
    """The picture below `top`, painted as what things stand on."""
    painted = np.zeros((height, width), np.uint8)
    painted[round(top * height) :] = 255
    folder.mkdir()
    Image.fromarray(painted).save(folder / "front.support.png")
    return f"segment.keep_always={folder}"


def augment(source: Path, out: Path, *words: str) -> int:
    fixed = [f"dataset.path={source}", f"output.path={out}", "segment=recorded", "executor=serial"]
    return main(["augment", *fixed, *words])


def fate(out: Path) -> str:
    record = json.loads((out.with_name(f"{out.name}.restage") / "summary.json").read_text())
    (said,) = record["cameras"]["front"]
    return str(said)


def frames(path: Path, demo: str) -> np.ndarray:
    with h5py.File(path) as file:
        return np.asarray(file[f"data/{demo}/obs/front"][()])


@pytest.mark.parametrize(
    ("recipe", "height", "width"),
    [
        ("outpaint", 45, 61),
        ("outpaint", 20, 24),
        ("outpaint", 8, 8),
        ("outpaint", 12, 200),
        ("blended", 20, 25),
        ("blended_pixel", 21, 24),
    ],
)
def test_pictures_of_any_size_are_painted(
    packs: dict[str, list[str]], tmp_path: Path, recipe: str, height: int, width: int
) -> None:
    """No multiples of 8, tiny, narrow: as large as before, what is kept exact, the rest another."""
    source, out = recording(tmp_path / "in.hdf5", height, width), tmp_path / "out.hdf5"
    table = [] if recipe == "outpaint" else [support(tmp_path / "painted", height, width)]
    assert augment(source, out, *packs[recipe], *table, "check=none") == 0
    assert fate(out) == "restaged"
    before, after = frames(out, "demo_0"), frames(out, "demo_1")
    with h5py.File(source) as file:
        kept = file["data/demo_0/masks/front/robot"][()]
    assert after.shape == before.shape
    assert np.array_equal(after[kept], before[kept])
    kept[:, : 0 if recipe == "outpaint" else height // 2] = True
    assert (after != before).any(axis=-1)[~kept].mean() > 0.9


@pytest.mark.parametrize(
    ("mask", "reason"), [(False, "keep mask is empty (0.000% <"), (True, "keep mask is full (100.0% >")]
)
def test_masks_that_keep_nothing_or_all(packs: dict[str, list[str]], tmp_path: Path, mask: bool, reason: str) -> None:
    """Refused by the check; without it all is painted, or nothing."""
    source, out = recording(tmp_path / "in.hdf5", mask=mask), tmp_path / "out.hdf5"
    assert augment(source, out, *packs["outpaint"]) == 3
    assert fate(out).startswith(f"as recorded: {reason}")
    assert augment(source, tmp_path / "any.hdf5", *packs["outpaint"], "check=none") == 0
    before, after = (frames(tmp_path / "any.hdf5", demo) for demo in ("demo_0", "demo_1"))
    changed = (after != before).any(axis=-1).mean()
    assert changed == 0 if mask else changed > 0.9


@pytest.mark.parametrize("top", [None, 1.0])
def test_a_region_that_is_nowhere(packs: dict[str, list[str]], tmp_path: Path, top: float | None) -> None:
    """Nobody painted it, or it was painted empty."""
    source, out = recording(tmp_path / "in.hdf5"), tmp_path / "out.hdf5"
    painted = [] if top is None else [support(tmp_path / "painted", top=top)]
    assert augment(source, out, *packs["blended"], *painted) == 3
    assert fate(out).startswith("as recorded: keep mask is full (100.0% > 98.0%): nothing is left to change; ")
    assert "paint the region that is edited (segment.keep_always)" in fate(out)


def test_a_region_that_is_everywhere(packs: dict[str, list[str]], tmp_path: Path) -> None:
    source, out = recording(tmp_path / "in.hdf5"), tmp_path / "out.hdf5"
    assert augment(source, out, *packs["blended"], support(tmp_path / "painted", top=0.0)) == 0
    before, after = frames(out, "demo_0"), frames(out, "demo_1")
    assert (after != before).any(axis=-1).mean() > 0.8


def rewrite(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def rebuilt(folder: Path, network: type, **values: object) -> None:
    """The same architecture but for these, with new weights."""
    network.from_config({**network.load_config(folder), **values}).save_pretrained(folder)


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "prediction": (
        lambda base: rewrite(base / "scheduler" / "scheduler_config.json", prediction_type="noise"),
        "unknown prediction_type=noise; known: epsilon, v_prediction",
    ),
    "taken": (
        lambda base: rebuilt(base / "unet", UNet2DConditionModel, in_channels=5),
        "takes 5 channels, the vae gives 4",
    ),
    "given": (
        lambda base: rebuilt(base / "unet", UNet2DConditionModel, out_channels=8),
        "gives 8 channels, for a vae of 4 it has to be 4",
    ),
    "latents": (
        lambda base: rebuilt(base / "vae", AutoencoderKL, latent_channels=8),
        "takes 4 channels, the vae gives 8",
    ),
    "colours": (
        lambda base: rebuilt(base / "vae", AutoencoderKL, in_channels=4, out_channels=4),
        "the vae codes pictures of 4 channels",
    ),
    "words": (
        lambda base: rebuilt(base / "unet", UNet2DConditionModel, cross_attention_dim=48),
        "reads words of 48 numbers, the text encoders give 64",
    ),
    **{
        f"scale {value}": (
            lambda base, value=value: rewrite(base / "vae" / "config.json", scaling_factor=value),
            "scaling_factor",
        )
        for value in (0, None, -0.18, float("nan"), "1.03")
    },
}


@pytest.mark.parametrize("name", BAD)
def test_checkpoints_that_cannot_paint_are_refused(
    packs: dict[str, list[str]], tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before an episode is opened."""
    spoil, message = BAD[name]
    spoil(tiny_pipeline(tmp_path / "base"))
    words = [*packs["outpaint"], f"models.base.source={tmp_path / 'base'}"]
    assert augment(recording(tmp_path / "in.hdf5"), tmp_path / "out.hdf5", *words) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))


def test_checkpoints_that_look_wrong_are_remarked_and_painted_with(
    packs: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line for each thing, before the run; the result is the check's affair."""
    source, words = recording(tmp_path / "in.hdf5"), [*packs["outpaint"], "check=none"]

    def said(base: Path) -> list[str]:
        out = tmp_path / f"{base.name}.hdf5"
        assert augment(source, out, *words, f"models.base.source={base}") == 0
        assert fate(out) == "restaged"
        lines = capsys.readouterr().err.splitlines()
        return [line for line in lines if line.startswith("recipe.steps.background: ") and "too long" not in line]

    assert said(tiny_pipeline(tmp_path / "right")) == []
    base = tiny_pipeline(tmp_path / "wrong")
    rewrite(base / "scheduler" / "scheduler_config.json", prediction_type="epsilon")
    rewrite(base / "vae" / "config.json", scaling_factor=100.0)
    latents, noise = said(base)
    assert "vae/config.json says scaling_factor=100, " in latents
    assert "scheduler_config.json says prediction_type=epsilon, " in noise


def no_numbers(path: Path, name: str) -> None:
    weights = load_file(path)
    weights[name] = torch.full_like(weights[name], float("nan"))
    save_file(weights, path, metadata={"format": "pt"})


WEIGHTS = {
    "unet": ("diffusion_pytorch_model.safetensors", "conv_in.weight"),
    "text_encoder": ("model.safetensors", "final_layer_norm.weight"),
    "vae": ("diffusion_pytorch_model.safetensors", "decoder.conv_out.weight"),
}


@pytest.mark.parametrize("part", WEIGHTS)
def test_what_is_no_number_is_never_written(packs: dict[str, list[str]], tmp_path: Path, part: str) -> None:
    """Whichever network says it; the camera stays as recorded."""
    file, name = WEIGHTS[part]
    weights = tiny_pipeline(tmp_path / "base") / part / file
    name = next(known for known in load_file(weights) if known.endswith(name))
    no_numbers(weights, name)
    source, out = recording(tmp_path / "in.hdf5"), tmp_path / "out.hdf5"
    words = [*packs["outpaint"], f"models.base.source={tmp_path / 'base'}", "check=none"]
    assert augment(source, out, *words) == 3
    assert fate(out) == "as recorded: the networks painted values that are no numbers, in float32 too"
    with h5py.File(out) as file:
        assert list(file["data"]) == ["demo_0"]


@pytest.mark.parametrize(
    ("fits", "code", "said"),
    [
        (lambda model, pixels: len(pixels) == 1, 0, "restaged"),
        (lambda model, pixels: len(pixels) == 1 and model.vae.use_tiling, 0, "restaged"),
        (
            lambda model, pixels: False,
            3,
            "as recorded: the GPU's memory does not suffice for one picture of 64 x 48 pixels: out of memory",
        ),
    ],
    ids=["halved", "tiled", "refused"],
)
def test_memory_that_does_not_suffice(
    packs: dict[str, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fits: Callable[[LatentModel, torch.Tensor], bool],
    code: int,
    said: str,
) -> None:
    encode = LatentModel.encode

    def scarce(self: LatentModel, pixels: torch.Tensor) -> torch.Tensor:
        if not fits(self, pixels):
            raise torch.cuda.OutOfMemoryError("out of memory")
        return encode(self, pixels)

    monkeypatch.setattr(LatentModel, "encode", scarce)
    source, out = recording(tmp_path / "in.hdf5"), tmp_path / "out.hdf5"
    assert augment(source, out, *packs["outpaint"], "models.batch=2", "check=none") == code
    assert fate(out) == said


def test_pictures_that_cannot_be_extended_stop_no_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, photos = tiny_pipeline(tmp_path / "base"), tmp_path / "photos"
    photos.mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (32, 32), (90, 60, 30)).save(photos / f"{name}.png")
    words = [f"pictures.path={photos}", f"output.path={tmp_path / 'wide'}", f"models.base.source={base}", WORDS]
    words += ["models=sd21", "models.device=cpu", "steps=2", "candidates=1"]
    weights = base / "unet" / "diffusion_pytorch_model.safetensors"
    good = weights.read_bytes()
    no_numbers(weights, "conv_in.weight")
    assert main(["extend", *words, f"negative={'a red wall ' * 10}"]) == 3
    said = capsys.readouterr().err
    assert "negative is too long, and is read without: " in said
    for name in ("a", "b"):
        assert f"{photos / name}.png: the networks painted values that are no numbers" in said
    assert not list((tmp_path / "wide").iterdir())
    weights.write_bytes(good)
    assert main(["extend", *words]) == 0, "the same command makes what is missing"
    assert {path.name for path in (tmp_path / "wide").iterdir()} == {"a.png", "b.png"}
