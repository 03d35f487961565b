"""U-Nets of guided diffusion: their checkpoints' names and shapes, their function, and what is refused."""

from pathlib import Path

import pytest
import torch
from diffusers import UNet2DModel

from augment.diffusion.samplers import Ancestral, State, sample
from augment.errors import RequestError
from augment.models.doors import export_hub, export_original
from augment.models.guided_diffusion.architectures import ARCHITECTURES
from augment.models.guided_diffusion.hub import PixelDiffusion, open_hub, open_original
from augment.models.guided_diffusion.unet import UNet, level_waves
from augment.models.runtime import Runtime
from tests.augment.diffusion.toys import normal
from tests.pipelines import tiny_pixels

CPU = Runtime("cpu")

# of 256x256_diffusion_uncond.pt: by number of the block, channels in and out, whether it attends, and whether a block
# that doubles the resolution follows; 3, 6, 9, 12 and 15 on the way down halve it
DOWN = {
    1: (256, 256, 0), 2: (256, 256, 0), 3: (256, 256, 0), 4: (256, 256, 0), 5: (256, 256, 0), 6: (256, 256, 0),
    7: (256, 512, 0), 8: (512, 512, 0), 9: (512, 512, 0), 10: (512, 512, 1), 11: (512, 512, 1), 12: (512, 512, 0),
    13: (512, 1024, 1), 14: (1024, 1024, 1), 15: (1024, 1024, 0), 16: (1024, 1024, 1), 17: (1024, 1024, 1),
}  # fmt: skip
UP = {
    0: (2048, 1024, 1, 0), 1: (2048, 1024, 1, 0), 2: (2048, 1024, 1, 1),
    3: (2048, 1024, 1, 0), 4: (2048, 1024, 1, 0), 5: (1536, 1024, 1, 1),
    6: (1536, 512, 1, 0), 7: (1024, 512, 1, 0), 8: (1024, 512, 1, 1),
    9: (1024, 512, 0, 0), 10: (1024, 512, 0, 0), 11: (768, 512, 0, 1),
    12: (768, 256, 0, 0), 13: (512, 256, 0, 0), 14: (512, 256, 0, 1),
    15: (512, 256, 0, 0), 16: (512, 256, 0, 0), 17: (512, 256, 0, 0),
}  # fmt: skip
PUBLISHED = 552_814_086  # parameters


def pair(name: str, *shape: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def residual(name: str, channels: int, out: int) -> dict[str, tuple[int, ...]]:
    return {
        **pair(f"{name}.in_layers.0", channels),
        **pair(f"{name}.in_layers.2", out, channels, 3, 3),
        **pair(f"{name}.emb_layers.1", 2 * out, 1024),
        **pair(f"{name}.out_layers.0", out),
        **pair(f"{name}.out_layers.3", out, out, 3, 3),
        **(pair(f"{name}.skip_connection", out, channels, 1, 1) if channels != out else {}),
    }


def attention(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    return {
        **pair(f"{name}.norm", channels),
        **pair(f"{name}.qkv", 3 * channels, channels, 1),
        **pair(f"{name}.proj_out", channels, channels, 1),
    }


def published() -> dict[str, tuple[int, ...]]:
    names = {**pair("time_embed.0", 1024, 256), **pair("time_embed.2", 1024, 1024)}
    names |= pair("input_blocks.0.0", 256, 3, 3, 3)
    for number, (channels, out, attends) in DOWN.items():
        names |= residual(f"input_blocks.{number}.0", channels, out)
        names |= attention(f"input_blocks.{number}.1", out) if attends else {}
    names |= residual("middle_block.0", 1024, 1024) | attention("middle_block.1", 1024)
    names |= residual("middle_block.2", 1024, 1024)
    for number, (channels, out, attends, doubles) in UP.items():
        names |= residual(f"output_blocks.{number}.0", channels, out)
        names |= attention(f"output_blocks.{number}.1", out) if attends else {}
        names |= residual(f"output_blocks.{number}.{1 + attends}", out, out) if doubles else {}
    return names | pair("out.0", 256) | pair("out.2", 6, 256, 3, 3)


def test_names_and_shapes_are_those_of_the_published_checkpoint() -> None:
    with torch.device("meta"):
        network = UNet(ARCHITECTURES["uncond_256"])
    assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == published()
    assert sum(value.numel() for value in network.parameters()) == PUBLISHED


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_pixels(tmp_path_factory.mktemp("pixels"))


@pytest.fixture(scope="module")
def opened(folder: Path) -> PixelDiffusion:
    return open_hub(folder, CPU)


RESIDUAL = {
    "in_layers.0": "norm1", "in_layers.2": "conv1", "emb_layers.1": "time_emb_proj", "out_layers.0": "norm2",
    "out_layers.3": "conv2", "skip_connection": "conv_shortcut",
}  # fmt: skip
PARTS = {
    "time_embed.0": "time_embedding.linear_1", "time_embed.2": "time_embedding.linear_2",
    "input_blocks.0.0": "conv_in", "out.0": "conv_norm_out", "out.2": "conv_out",
}  # fmt: skip
RESIDUALS = {
    "input_blocks.1.0": "down_blocks.0.resnets.0", "input_blocks.2.0": "down_blocks.0.downsamplers.0",
    "input_blocks.3.0": "down_blocks.1.resnets.0", "middle_block.0": "mid_block.resnets.0",
    "middle_block.2": "mid_block.resnets.1", "output_blocks.0.0": "up_blocks.0.resnets.0",
    "output_blocks.1.0": "up_blocks.0.resnets.1", "output_blocks.1.2": "up_blocks.0.upsamplers.0",
    "output_blocks.2.0": "up_blocks.1.resnets.0", "output_blocks.3.0": "up_blocks.1.resnets.1",
}  # fmt: skip
ATTENTIONS = {
    "input_blocks.3.1": "down_blocks.1.attentions.0", "middle_block.1": "mid_block.attentions.0",
    "output_blocks.0.1": "up_blocks.0.attentions.0", "output_blocks.1.1": "up_blocks.0.attentions.1",
}  # fmt: skip


def diffusers_twin(own: UNet) -> UNet2DModel:
    """The library's network with the same weights."""
    twin = UNet2DModel(
        sample_size=32, out_channels=6, layers_per_block=1, block_out_channels=(32, 64), attention_head_dim=16,
        down_block_types=("ResnetDownsampleBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "ResnetUpsampleBlock2D"), downsample_type="resnet", upsample_type="resnet",
        resnet_time_scale_shift="scale_shift", attn_norm_num_groups=32, flip_sin_to_cos=True, freq_shift=0,
        norm_eps=1e-5,
    )  # fmt: skip
    state = own.state_dict()
    renamed = {}
    names = PARTS | {f"{a}.{c}": f"{b}.{d}" for a, b in RESIDUALS.items() for c, d in RESIDUAL.items()}
    for suffix in ("weight", "bias"):
        renamed |= {f"{b}.{suffix}": state[f"{a}.{suffix}"] for a, b in names.items() if f"{a}.{suffix}" in state}
        for mine, theirs in ATTENTIONS.items():
            renamed[f"{theirs}.group_norm.{suffix}"] = state[f"{mine}.norm.{suffix}"]
            renamed[f"{theirs}.to_out.0.{suffix}"] = state[f"{mine}.proj_out.{suffix}"].squeeze(-1)
            by_head = state[f"{mine}.qkv.{suffix}"].squeeze(-1).unflatten(0, (-1, 3, 16))
            for number, letter in enumerate("qkv"):
                renamed[f"{theirs}.to_{letter}.{suffix}"] = by_head[:, number].flatten(0, 1)
    twin.load_state_dict(renamed)
    return twin.eval()


def test_it_computes_what_diffusers_computes(opened: PixelDiffusion) -> None:
    with torch.random.fork_rng(devices=[]):
        twin = diffusers_twin(opened.network)
    x, t = normal(2, 3, 32, 64).float(), torch.tensor([3, 981])
    with torch.no_grad():
        ours, theirs = opened.network(x, t), twin(x, t).sample
    assert ours.std() > 0.01
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_halves_come_close(opened: PixelDiffusion, folder: Path) -> None:
    half = open_hub(folder, Runtime("cpu", precision="bfloat16"))
    x = normal(1, 3, 32, 32).float()
    with torch.no_grad():
        exact, rough = opened(x, 500), half(x, 500)
    assert rough.noise.dtype == torch.float32
    assert half.dtype == torch.bfloat16
    assert (exact.noise - rough.noise).abs().max() < 0.05 * exact.noise.abs().max()
    assert torch.equal(half.in_float32()(x, 500).noise.isfinite(), torch.ones_like(x, dtype=torch.bool))


def test_pictures_have_their_own_levels(opened: PixelDiffusion) -> None:
    x = normal(2, 3, 32, 32).float()
    with torch.no_grad():
        together = opened.network(x, torch.tensor([10, 900]))
        alone = opened.network(x[1:], torch.tensor([900]))
        other = opened.network(x[1:], torch.tensor([10]))
    assert torch.allclose(together[1:], alone, atol=1e-5)
    assert not torch.allclose(together[1:], other, atol=1e-3)


def test_levels_are_told_by_cosines_then_sines() -> None:
    waves = level_waves(torch.tensor([0, 7]), 8)
    assert torch.equal(waves[0], torch.tensor([1.0] * 4 + [0.0] * 4))
    assert waves[1, 4] == torch.tensor(7.0).sin()
    assert waves[1, 7] == pytest.approx(7 * 10000**-0.75, rel=1e-4)


def test_the_learned_variance_decides_how_much_noise_steps_add(opened: PixelDiffusion) -> None:
    from augment.diffusion.maps import posterior_variance, transition_variance
    from augment.diffusion.noise import Noise

    class Silent(Noise):
        def __call__(self, stream: str, step: int, like: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(like)

    x = normal(1, 3, 32, 32).float()
    with torch.no_grad():
        loud, mean = (
            sample(Ancestral(), opened.levels, opened, State(x, 600), (600, 400, -1), noise, stop=400).x
            for noise in (Noise(1, (0,)), Silent(1, (0,)))
        )
        share = (opened(x, 600).fraction + 1) / 2
    drawn = Noise(1, (0,))("step", 400, x)
    small, large = (of(opened.levels, 600, 400) for of in (posterior_variance, transition_variance))
    expected = small ** (1 - share) * large**share
    assert share.std() > 0.001
    assert torch.allclose((loud - mean) / drawn, expected.sqrt(), atol=1e-3)


def test_checkpoints_and_folders_turn_into_each_other(folder: Path, opened: PixelDiffusion, tmp_path: Path) -> None:
    checkpoint, again = tmp_path / "tiny.pt", tmp_path / "again"
    export_original(folder, checkpoint)
    export_hub(checkpoint, "tiny_32", None, again)
    for network in (open_original(checkpoint, "tiny_32", CPU).network, open_hub(again, CPU).network):
        for name, value in network.state_dict().items():
            assert torch.equal(value, opened.network.state_dict()[name])


def test_what_does_not_fit_is_named(folder: Path, opened: PixelDiffusion, tmp_path: Path) -> None:
    state = opened.network.state_dict()
    checkpoint = tmp_path / "tiny.pt"
    torch.save(state, checkpoint)
    with pytest.raises(RequestError, match="does not fit this UNet: it lacks input_blocks"):
        open_original(checkpoint, "small_64", CPU)
    torch.save({name: value for name, value in state.items() if name != "out.2.bias"}, checkpoint)
    with pytest.raises(RequestError, match=r"it lacks out\.2\.bias; name the architecture"):
        open_original(checkpoint, "tiny_32", CPU)
    torch.save(state | {"out.2.bias": torch.zeros(3), "out.2.weight": torch.zeros(3, 32, 3, 3)}, checkpoint)
    with pytest.raises(RequestError, match=r"another shape out.2.weight \(3, 32, 3, 3\) instead of \(6, 32, 3, 3\)"):
        open_original(checkpoint, "tiny_32", CPU)
    torch.save({"state": opened}, checkpoint)
    with pytest.raises(RequestError, match="holds Python objects"):
        open_original(checkpoint, "tiny_32", CPU)
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    with pytest.raises(RequestError, match="is cut off"):
        open_original(checkpoint, "tiny_32", CPU)


def test_a_folder_says_which_architecture_it_holds(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "guided_diffusion", "architecture": "huge"}')
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(RequestError, match="unknown architecture=huge; known: uncond_256, small_64, tiny_32"):
        open_hub(tmp_path, CPU)
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(RequestError, match="is of a network of type clip; expected guided_diffusion"):
        open_hub(tmp_path, CPU)
