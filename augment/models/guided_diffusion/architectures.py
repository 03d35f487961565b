"""Sizes of the U-Nets of guided diffusion (Dhariwal and Nichol 2021); imports no torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    """One size: unconditional, with learned variance, and residual blocks that change the resolution."""

    size: int
    """Pixels of the side of pictures that it is trained with."""
    channels: int
    """At that size."""
    multipliers: tuple[int, ...]
    """Of the channels, at each halving of the size."""
    blocks: int
    """Residual blocks at each size on the way down; one more on the way up."""
    attention: tuple[int, ...]
    """Cells of the side of the feature maps that attend to themselves, for pictures of that size."""
    head_channels: int
    """Of an attention head."""

    @property
    def multiple(self) -> int:
        """What the sides of pictures have to be multiples of."""
        return int(2 ** (len(self.multipliers) - 1))


ARCHITECTURES = {
    "uncond_256": Architecture(256, 256, (1, 1, 2, 2, 4, 4), 2, (32, 16, 8), 64),  # 256x256_diffusion_uncond.pt
    "small_64": Architecture(64, 64, (1, 2, 3), 1, (16,), 32),
    "tiny_32": Architecture(32, 32, (1, 2), 1, (16,), 16),
}
"""All of them learned 1000 levels whose betas grow evenly from 0.0001 to 0.02."""
