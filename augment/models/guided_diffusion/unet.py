"""The U-Net of guided diffusion (Dhariwal and Nichol 2021), whose tensors have the names of OpenAI's checkpoints."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from augment.models.guided_diffusion.architectures import Architecture

GROUPS = 32  # of channels that are normalised together
PERIOD = 10000.0  # of the slowest wave by which the network is told a level
COLOURS = 3


class UNet(nn.Module):  # type: ignore[misc]  # torch is Any
    """Says of pictures which noise they contain, and between which bounds its variance lies."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        width, told = architecture.channels, 4 * architecture.channels
        self.time_embed = nn.Sequential(nn.Linear(width, told), nn.SiLU(), nn.Linear(told, told))
        self.input_blocks, skipped = _way_down(architecture, told)
        self.middle_block = _middle(skipped[-1], told, architecture)
        self.output_blocks, last = _way_up(architecture, told, skipped)
        self.out = nn.Sequential(_Norm(GROUPS, last), nn.SiLU(), _silent(nn.Conv2d(last, 2 * COLOURS, 3, padding=1)))

    def forward(self, x: Float[Tensor, "b 3 h w"], t: Int[Tensor, " b"]) -> Float[Tensor, "b 6 h w"]:
        """The noise, then the learned variance (-1..1, as in `Reverse`), of pictures at levels t."""
        waves = level_waves(t, self.architecture.channels)
        told = self.time_embed(waves.to(self.time_embed[0].weight.dtype))
        kept = []
        for block in self.input_blocks:
            x = block(x, told)
            kept.append(x)
        x = self.middle_block(x, told)
        for block in self.output_blocks:
            x = block(torch.cat([x, kept.pop()], dim=1), told)
        said: Tensor = self.out(x)
        return said


def level_waves(t: Int[Tensor, " b"], count: int) -> Float[Tensor, "b {count}"]:
    """Cosines, then sines, of levels at geometric frequencies, in float32."""
    half = count // 2
    frequencies = PERIOD ** (-torch.arange(half, device=t.device, dtype=torch.float32) / half)
    angles = t[:, None].float() * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class _Told(nn.Sequential):  # type: ignore[misc]  # torch is Any
    """Layers of which the residual blocks are told the level."""

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        for layer in self:
            x = layer(x, told) if isinstance(layer, _Residual) else layer(x)
        return x


class _Norm(nn.GroupNorm):  # type: ignore[misc]  # torch is Any
    """In float32, whatever the precision of the rest."""

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.weight.float(), self.bias.float()
        return functional.group_norm(x.float(), self.num_groups, weight, bias, self.eps).to(x.dtype)


class _Residual(nn.Module):  # type: ignore[misc]  # torch is Any
    """Two convolutions, scaled and shifted by the level; `scale` 2 doubles the resolution, 0.5 halves it."""

    def __init__(self, channels: int, told: int, out: int, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.in_layers = nn.Sequential(_Norm(GROUPS, channels), nn.SiLU(), nn.Conv2d(channels, out, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(told, 2 * out))
        last = _silent(nn.Conv2d(out, out, 3, padding=1))
        self.out_layers = nn.Sequential(_Norm(GROUPS, out), nn.SiLU(), nn.Dropout(0.0), last)
        self.skip_connection = nn.Identity() if channels == out else nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        norm, bend, convolve = self.in_layers
        inner = convolve(self._resized(bend(norm(x))))
        factor, shift = self.emb_layers(told)[..., None, None].chunk(2, dim=1)
        inner = self.out_layers[1:](self.out_layers[0](inner) * (1 + factor) + shift)
        added: Tensor = self.skip_connection(self._resized(x)) + inner
        return added

    def _resized(self, x: Tensor) -> Tensor:
        if self.scale > 1:
            return functional.interpolate(x, scale_factor=self.scale, mode="nearest")
        return functional.avg_pool2d(x, round(1 / self.scale)) if self.scale < 1 else x


class _Attention(nn.Module):  # type: ignore[misc]  # torch is Any
    """Cells look at each other. Queries, keys and values lie together by head, as in the checkpoints."""

    def __init__(self, channels: int, head_channels: int) -> None:
        super().__init__()
        self.heads = channels // head_channels
        self.norm = _Norm(GROUPS, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = _silent(nn.Conv1d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        cells = x.flatten(2)
        heads = self.qkv(self.norm(cells)).unflatten(1, (self.heads, -1))
        query, key, value = heads.chunk(3, dim=2)
        strength = query.shape[2] ** -0.25  # on both sides, so that halves do not overflow
        likeness = torch.einsum("bhcq,bhck->bhqk", query * strength, key * strength)
        shares = likeness.float().softmax(dim=-1).to(value.dtype)
        seen = torch.einsum("bhqk,bhck->bhcq", shares, value).flatten(1, 2)
        return x + self.proj_out(seen).view_as(x)


def _way_down(architecture: Architecture, told: int) -> tuple[nn.ModuleList, list[int]]:
    """The blocks, and the channels that each gives."""
    width = architecture.channels
    blocks, given = [_Told(nn.Conv2d(COLOURS, width, 3, padding=1))], [width]
    for depth, multiplier in enumerate(architecture.multipliers):
        for _ in range(architecture.blocks):
            out = multiplier * architecture.channels
            blocks.append(_Told(_Residual(width, told, out), *_attention(out, depth, architecture)))
            width = out
            given.append(width)
        if depth + 1 < len(architecture.multipliers):
            blocks.append(_Told(_Residual(width, told, width, scale=0.5)))
            given.append(width)
    return nn.ModuleList(blocks), given


def _middle(width: int, told: int, architecture: Architecture) -> _Told:
    attention = _Attention(width, architecture.head_channels)
    return _Told(_Residual(width, told, width), attention, _Residual(width, told, width))


def _way_up(architecture: Architecture, told: int, given: list[int]) -> tuple[nn.ModuleList, int]:
    """The blocks, each of which takes besides what a block on the way down gave, and the channels of the last."""
    blocks, width, waiting = [], given[-1], list(given)
    for depth, multiplier in reversed(list(enumerate(architecture.multipliers))):
        out = multiplier * architecture.channels
        for number in range(architecture.blocks + 1):
            layers = [_Residual(width + waiting.pop(), told, out), *_attention(out, depth, architecture)]
            if depth and number == architecture.blocks:
                layers.append(_Residual(out, told, out, scale=2.0))
            blocks.append(_Told(*layers))
            width = out
    return nn.ModuleList(blocks), width


def _attention(channels: int, depth: int, architecture: Architecture) -> list[Any]:
    looks = architecture.size // 2**depth in architecture.attention
    return [_Attention(channels, architecture.head_channels)] if looks else []


def _silent(layer: Any) -> Any:
    """A layer that says nothing before it is trained, so that blocks start as what they add to."""
    for values in layer.parameters():
        nn.init.zeros_(values)
    return layer
