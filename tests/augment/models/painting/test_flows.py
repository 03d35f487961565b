"""Stable Diffusion 3 and FLUX: as diffusers' own schedulers and pipelines have it, and what is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    FluxFillPipeline,
    FluxTransformer2DModel,
    SD3ControlNetModel,
    SD3Transformer2DModel,
    StableDiffusion3ControlNetInpaintingPipeline,
    StableDiffusion3Pipeline,
)
from diffusers.pipelines.flux.pipeline_flux_fill import calculate_shift
from PIL import Image

from augment.diffusion.grids import Grid, trailing
from augment.diffusion.noise import Noise
from augment.diffusion.samplers import DDIM, State, sample
from augment.errors import RequestError
from augment.generate import Outpaint
from augment.models.packs import Component, Pack
from augment.models.painting.base import Canvas, Sampler, Sampling, Wording
from augment.models.painting.fit import Fit
from augment.models.painting.hub import open_hub, open_text_to_image
from augment.models.painting.latent_model import Condition, LatentModel
from augment.models.painting.levels import flow_levels_of, levels_of
from augment.models.pipelines import patterns
from augment.models.runtime import Runtime
from tests.flow_pipelines import LONG, tiny_flux_fill, tiny_sd3_controlnet, tiny_stable_diffusion_3, without
from tests.pipelines import tiny_controlnet, tiny_pipeline

CPU = Runtime("cpu", batch=2)
PROMPT, NEGATIVE = "a blue wooden table", "a white wall"
SIDES = {"height": 48, "width": 80}
CELLS = (12, 20)
FROM_NOISE, LATER = trailing(999, 5), trailing(799, 4)
tolerances = pytest.mark.parametrize(
    ("grid", "tolerance"),
    # at the last level a tenth of a thousandth of the picture is left (LEAST_SIGNAL), of which diffusers knows nothing
    [(FROM_NOISE, 2e-3), (LATER, 5e-5)],
    ids=["from noise", "from a level"],
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("flows")
    return {
        "sd3": tiny_stable_diffusion_3(root / "sd3"),
        "short": tiny_stable_diffusion_3(root / "short", long=False),
        "flux": tiny_flux_fill(root / "flux"),
        "control": tiny_sd3_controlnet(root / "control"),
    }


def opened(folder: Path, pixels: dict[str, int] = SIDES) -> LatentModel:
    return open_hub({"base": folder}, CPU).base.sized(*pixels.values())


def start(seed: int = 0) -> torch.Tensor:
    return torch.randn(1, 4, *CELLS, generator=torch.Generator().manual_seed(seed))


def picture() -> tuple[Image.Image, Image.Image, Canvas]:
    """A picture and a mask of what is painted, for pipelines; both, for us."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (*SIDES.values(), 3), dtype=np.uint8)
    keep = np.zeros(tuple(SIDES.values()), np.float32)
    keep[10:30, 20:60] = 1
    return Image.fromarray(pixels), Image.fromarray(((1 - keep) * 255).astype(np.uint8)), Canvas(pixels, keep)


def shown(canvas: Canvas) -> tuple[torch.Tensor, torch.Tensor]:
    fit = Fit.of(*canvas.keep.shape, SIDES["height"], 8)
    return fit.into([canvas.picture]), fit.masks([canvas.keep])


def ours(base: LatentModel, grid: Grid, guidance: float, condition: Condition | None, beside: Any) -> torch.Tensor:
    with torch.inference_mode():
        words, negative = (base.words([text]) for text in (PROMPT, NEGATIVE))
        denoise = base.denoiser(words, negative, guidance, condition, beside)
        return sample(DDIM(), base.levels, denoise, State(start(), grid[0]), grid, Noise(0, (0,))).x


def theirs(pipeline: Any, grid: Grid, **asked: Any) -> torch.Tensor:
    """Latents of a pipeline that visits the same levels."""
    pipeline.set_progress_bar_config(disable=True)
    told = {
        "sigmas": [(level + 1) / 1000 for level in grid[:-1]],
        "num_inference_steps": len(grid) - 1,
        "output_type": "latent",
        "return_dict": False,
        **SIDES,
    }
    return pipeline(PROMPT, **told, **asked)[0]


def written(scheduler: FlowMatchEulerDiscreteScheduler) -> dict[str, Any]:
    """Its configuration as a folder has it."""
    return dict(json.loads(scheduler.to_json_string()))


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max() / other.std())


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_levels_are_those_of_diffusers(shift: float) -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    found = flow_levels_of(written(scheduler), "here")(1)
    scheduler.set_timesteps(sigmas=[1.0, 0.8, 0.25])
    assert found.noise[[999, 799, 249]] == pytest.approx(scheduler.sigmas[:-1].numpy(), abs=1e-7)


@pytest.mark.parametrize("kind", ["exponential", "linear"])
@pytest.mark.parametrize(("height", "width"), [(1024, 1024), (512, 512), (768, 1360)])
def test_levels_shift_with_the_pictures_size_as_those_of_diffusers(kind: str, height: int, width: int) -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True, time_shift_type=kind)
    tokens = (height // 16) * (width // 16)
    found = flow_levels_of(written(scheduler), "here")(tokens)
    scheduler.set_timesteps(sigmas=[1.0, 0.8, 0.25], mu=calculate_shift(tokens))
    assert found.noise[[999, 799, 249]] == pytest.approx(scheduler.sigmas[:-1].numpy(), abs=1e-7)


@pytest.mark.parametrize("name", ["sd3", "short"])
@pytest.mark.parametrize("guidance", [1.0, 4.5])
@tolerances
def test_stable_diffusion_3_denoises_as_its_pipeline(
    folders: dict[str, Path], name: str, guidance: float, grid: Grid, tolerance: float
) -> None:
    missing = {} if name == "sd3" else {"text_encoder_3": None, "tokenizer_3": None}
    pipeline = StableDiffusion3Pipeline.from_pretrained(folders[name], **missing)
    longest = {} if missing else {"max_sequence_length": LONG}
    expected = theirs(pipeline, grid, latents=start(), negative_prompt=NEGATIVE, guidance_scale=guidance, **longest)
    found = ours(opened(folders[name]), grid, guidance, None, None)
    assert apart(found, expected) < tolerance
    assert apart(start(), expected) > 0.1


@tolerances
def test_its_controlnet_says_what_it_says_in_its_pipeline(
    folders: dict[str, Path], grid: Grid, tolerance: float
) -> None:
    network = SD3ControlNetModel.from_pretrained(folders["control"])
    pipeline = StableDiffusion3ControlNetInpaintingPipeline.from_pretrained(folders["sd3"], controlnet=network)
    image, mask, canvas = picture()
    asked = {"control_image": image, "control_mask": mask, "controlnet_conditioning_scale": 0.7}
    expected = theirs(
        pipeline,
        grid,
        latents=start(),
        negative_prompt=NEGATIVE,
        guidance_scale=4.5,
        max_sequence_length=LONG,
        **asked,
    )
    painter = open_hub({"base": folders["sd3"], "controlnet": folders["control"]}, CPU)
    assert painter.control is not None
    base = painter.base.sized(*SIDES.values())
    with torch.inference_mode():
        condition = painter.control.condition(base, *shown(canvas), 0.7)
    assert apart(ours(base, grid, 4.5, condition, None), expected) < tolerance
    assert apart(ours(base, grid, 4.5, None, None), expected) > 0.05


@tolerances
def test_flux_fill_denoises_as_its_pipeline(folders: dict[str, Path], grid: Grid, tolerance: float) -> None:
    pipeline = FluxFillPipeline.from_pretrained(folders["flux"])
    image, mask, canvas = picture()
    tokens = pipeline._pack_latents(start(), 1, 4, *CELLS)
    expected = theirs(
        pipeline, grid, latents=tokens, image=image, mask_image=mask, guidance_scale=30.0, max_sequence_length=LONG
    )
    expected = pipeline._unpack_latents(expected, *SIDES.values(), 4)
    base = opened(folders["flux"])
    with torch.inference_mode():
        beside = base.beside(*shown(canvas))
        other = base.beside(*shown(replace(canvas, keep=1 - canvas.keep)))
    found = ours(base, grid, 30.0, None, beside)
    assert apart(found, expected) < tolerance
    for wrong in (ours(base, grid, 3.0, None, beside), ours(base, grid, 30.0, None, other)):
        assert apart(wrong, expected) > 0.01


def test_flux_hears_no_negative_words(folders: dict[str, Path]) -> None:
    painter = open_hub({"base": folders["flux"]}, CPU)
    made = [painter([picture()[2]], Wording(PROMPT, negative), Sampling(steps=2), 7)[0] for negative in ("", NEGATIVE)]
    assert np.array_equal(*made)


def test_what_no_reader_reads_is_cut(folders: dict[str, Path]) -> None:
    long = " ".join(["table"] * 60)
    for name, tokens in (("short", 22), ("sd3", LONG - 1), ("flux", LONG - 1)):
        painter = open_hub({"base": folders[name]}, CPU)
        assert painter.cut(PROMPT) == ""
        assert painter.cut(long).split() == ["table"] * (60 - tokens)
        words = [painter.base.words([" ".join(["table"] * count)]).hidden for count in (60, tokens, tokens - 1)]
        assert torch.equal(words[0], words[1])
        assert not torch.equal(words[1], words[2])


def test_samplers_of_diffusion_alone_are_refused(folders: dict[str, Path]) -> None:
    painter = open_hub({"base": folders["sd3"]}, CPU)
    with pytest.raises(RequestError, match=r"sampler=few_step is for .*; .* take sampler=ddim"):
        painter([picture()[2]], Wording(PROMPT), Sampling(sampler=Sampler.FEW_STEP, steps=2), 7)
    pack = Pack("mine", base=Component("stable_diffusion_3", str(folders["sd3"])))
    Outpaint(pack=pack, runtime=CPU).check()
    with pytest.raises(RequestError, match="sampler=few_step is for"):
        Outpaint(pack=pack, runtime=CPU, sampler="few_step").check()


def test_pictures_that_are_too_wide_are_refused(folders: dict[str, Path]) -> None:
    painter = open_hub({"base": folders["sd3"]}, CPU)
    wide = Canvas(np.zeros((20, 80, 3), np.uint8), np.zeros((20, 80), np.float32))
    with pytest.raises(RequestError, match=r"256 x 64 pixels, .* it knows at most 192 on a side"):
        painter([wide], Wording(PROMPT), Sampling(steps=2), 7)


def rewrite(folder: Path, file: str, **changed: Any) -> None:
    path = folder / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


SCHEDULER = "scheduler/scheduler_config.json"
BREAKS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], object], str]] = {
    "diffusion": (
        tiny_stable_diffusion_3,
        lambda folder: rewrite(folder, SCHEDULER, _class_name="DDIMScheduler"),
        r"a scheduler of diffusion \(DDIMScheduler\); .* need FlowMatchEulerDiscreteScheduler",
    ),
    "karras": (
        tiny_stable_diffusion_3,
        lambda folder: rewrite(folder, SCHEDULER, use_karras_sigmas=True),
        "use_karras_sigmas=True is not known here",
    ),
    "shift": (
        tiny_flux_fill,
        lambda folder: rewrite(folder, SCHEDULER, time_shift_type="cubic"),
        "unknown time_shift_type=cubic; known: exponential, linear",
    ),
    "tokenizer": (
        tiny_stable_diffusion_3,
        lambda folder: without(folder, "tokenizer_3"),
        "tokenizer_3/tokenizer.json is missing",
    ),
    "encoder": (
        tiny_stable_diffusion_3,
        lambda folder: without(folder, "text_encoder_3"),
        "text_encoder_3 holds no T5EncoderModel",
    ),
    "class": (
        tiny_flux_fill,
        lambda folder: rewrite(folder, "transformer/config.json", _class_name="PixArtTransformer2DModel"),
        "a base of class PixArtTransformer2DModel; known: UNet2DConditionModel, SD3Transformer2DModel, Flux",
    ),
    "scale": (
        tiny_flux_fill,
        lambda folder: rewrite(folder, "vae/config.json", scaling_factor=0),
        "scaling_factor=0; it has to be a number above 0",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_folders_that_cannot_be_painted_with_are_refused(name: str, tmp_path: Path) -> None:
    make, spoil, message = BREAKS[name]
    folder = make(tmp_path)
    spoil(folder)
    with pytest.raises(RequestError, match=message):
        open_hub({"base": folder}, CPU)


def test_a_transformer_whose_channels_do_not_fit_is_refused(tmp_path: Path) -> None:
    folder = tiny_flux_fill(tmp_path)
    FluxTransformer2DModel(
        in_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        axes_dims_rope=(4, 6, 6),
    ).save_pretrained(folder / "transformer")
    with pytest.raises(RequestError, match=r"takes 64 channels, the vae gives 4; 16, or 96 to fill, fit together"):
        open_hub({"base": folder}, CPU)


def test_text_encoders_of_another_model_are_refused(tmp_path: Path, folders: dict[str, Path]) -> None:
    folder = tiny_stable_diffusion_3(tmp_path)
    SD3Transformer2DModel(in_channels=4, out_channels=4, num_layers=1, pos_embed_max_size=16).save_pretrained(
        folder / "transformer"
    )
    with pytest.raises(RequestError, match="the transformer has pooled_projection_dim=2048, the text encoders 48"):
        open_hub({"base": folder}, CPU)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"qk_norm": None}, "this ControlNet has qk_norm=None, the base rms_norm"),
        ({"num_attention_heads": 4, "caption_projection_dim": 64}, "num_attention_heads=4, the base 2"),
        ({"extra_conditioning_channels": 0}, "is shown 0 channels beside latents; 1, the mask, is known"),
    ],
)
def test_controlnets_that_do_not_fit_are_refused(
    folders: dict[str, Path], tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    control = tiny_sd3_controlnet(tmp_path, **changed)
    with pytest.raises(RequestError, match=message):
        open_hub({"base": folders["sd3"], "controlnet": control}, CPU)


def test_the_published_controlnet_does_not_say_how_much_it_is_shown(folders: dict[str, Path], tmp_path: Path) -> None:
    control = tiny_sd3_controlnet(tmp_path)
    said = json.loads((control / "config.json").read_text())
    del said["extra_conditioning_channels"]
    (control / "config.json").write_text(json.dumps(said))
    made = [
        open_hub({"base": folders["sd3"], "controlnet": folder}, CPU)(
            [picture()[2]], Wording(PROMPT), Sampling(steps=2), 7
        )
        for folder in (control, folders["control"])
    ]
    assert np.array_equal(*made)


def test_what_is_not_made_for_a_class_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="control: no controlnet is known for a base of class FluxTransformer2DM"):
        open_hub({"base": folders["flux"], "controlnet": folders["control"]}, CPU)
    with pytest.raises(RequestError, match=r"no policy is known for .* SD3Transformer2DModel; models.policy=null"):
        open_hub({"base": folders["sd3"], "policy": tmp_path}, CPU)
    unets = tiny_controlnet(tmp_path / "unets")
    with pytest.raises(RequestError, match="is of no SD3ControlNetModel"):
        open_hub({"base": folders["sd3"], "controlnet": unets}, CPU)


def test_a_unet_with_a_scheduler_of_flows_is_refused(tmp_path: Path) -> None:
    folder = tiny_pipeline(tmp_path)
    FlowMatchEulerDiscreteScheduler().save_pretrained(folder / "scheduler")
    with pytest.raises(RequestError, match=r"a scheduler of flows .*; a U-Net needs one of diffusion"):
        open_text_to_image(folder, CPU)
    with pytest.raises(RequestError, match="a scheduler of flows"):
        levels_of(written(FlowMatchEulerDiscreteScheduler()), "here")


def test_packs_know_their_kinds(folders: dict[str, Path]) -> None:
    base = Component("stable_diffusion_3", str(folders["sd3"]))
    control = Component("sd3_controlnet", str(folders["control"]))
    Pack("mine", base=base, controlnet=control).check()
    Pack("mine", base=replace(base, source=str(folders["short"]))).check()
    Pack("mine", base=Component("flux", str(folders["flux"]))).check()
    with pytest.raises(RequestError, match=r"models.controlnet: sd3_controlnet .* not made for a base of kind=flux"):
        Pack("mine", base=Component("flux", str(folders["flux"])), controlnet=control).check()
    with pytest.raises(RequestError, match="is of a network of type StableDiffusion3Pipeline; expected Flux"):
        Pack("mine", base=Component("flux", str(folders["sd3"]))).check()


def test_weights_in_pieces_are_examined_and_read(tmp_path: Path) -> None:
    folder = tiny_stable_diffusion_3(tmp_path / "sd3")
    pack = Pack("mine", base=Component("stable_diffusion_3", str(folder)))
    whole = opened(folder)
    transformer = folder / "transformer"
    whole.network.save_pretrained(tmp_path / "cut", max_shard_size="40KB")
    (transformer / "diffusion_pytorch_model.safetensors").unlink()
    for path in (tmp_path / "cut").iterdir():
        path.rename(transformer / path.name)
    pack.check()
    again = opened(folder)
    states = (base.network.state_dict() for base in (whole, again))
    for one, other in zip(*(state.values() for state in states), strict=True):
        assert torch.equal(one, other)
    for path in folder.glob("*/*.safetensors*"):
        assert any(fnmatch(str(path.relative_to(folder)), pattern) for pattern in patterns()), "or it is not fetched"
    piece = max(transformer.glob("*-of-*.safetensors"))
    piece.unlink()
    with pytest.raises(RequestError, match=f"{piece.name} is missing"):
        pack.check()


@pytest.mark.parametrize(
    ("make", "weights"),
    [
        # 4.94 GB in bfloat16, as published, of which 0.45 are positions
        (
            lambda: SD3Transformer2DModel(
                num_layers=24,
                num_attention_heads=24,
                caption_projection_dim=1536,
                pos_embed_max_size=384,
                dual_attention_layers=tuple(range(13)),
                qk_norm="rms_norm",
            ),
            2_469_663_936,
        ),
        # 4.16 GB in float16, as published
        (
            lambda: SD3ControlNetModel(
                num_layers=23,
                num_attention_heads=24,
                caption_projection_dim=1536,
                pos_embed_max_size=192,
                extra_conditioning_channels=1,
            ),
            2_080_241_664,
        ),
        # 23.8 GB in bfloat16; published is "about 24 GB"
        (
            lambda: FluxTransformer2DModel(in_channels=384, out_channels=64, guidance_embeds=True),
            11_902_391_360,
        ),
    ],
    ids=["sd35", "control", "fill"],
)
def test_full_sizes_are_as_published(make: Callable[[], Any], weights: int) -> None:
    with torch.device("meta"):
        assert sum(values.numel() for values in make().state_dict().values()) == weights
