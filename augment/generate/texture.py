"""Procedural scenes: a material on the wall, and one in perspective on the support, where a support is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from augment.errors import RequestError
from augment.generate.base import Generator
from augment.generate.patterns import PATTERNS
from augment.images import box_blur, resize
from augment.types import Role, SceneView

SUPERSAMPLING = 2
HORIZON_MARGIN = 0.15  # of the height: how far the horizon lies above the support's far edge


@dataclass(frozen=True)
class Texture(Generator):
    """Materials with random colours, sizes and light. Needs no weights and no files."""

    families: tuple[str, ...] = tuple(PATTERNS)
    """Kinds of material to choose from."""
    saturation: float = 0.55
    """Strongest colours, 0 (greys) to 1."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {
            "backdrop": self._draw_material(rng),
            "support": self._draw_material(rng),
            "light": {
                "angle": round(float(rng.uniform(0, 2 * np.pi)), 4),
                "contrast": round(float(rng.uniform(0.05, 0.35)), 4),
            },
        }

    def check(self) -> None:
        unknown = sorted(set(self.families) - set(PATTERNS))
        if unknown or not self.families:
            raise RequestError(f"families={list(self.families)}: choose at least one of {', '.join(PATTERNS)}")

    def __call__(
        self, choices: Mapping[str, Any], scene: SceneView, picture: UInt8[np.ndarray, "h w 3"]
    ) -> UInt8[np.ndarray, "h w 3"]:
        x, y = _pixel_grid(scene)
        colours = _paint(choices["backdrop"], x, y)
        support = scene.region(Role.SUPPORT)
        if support.any():
            top = float(np.flatnonzero(support.any(axis=1))[0]) / scene.height
            plane = _paint(choices["support"], *_on_plane(x, y, top - HORIZON_MARGIN))
            covered = np.repeat(np.repeat(support, SUPERSAMPLING, axis=0), SUPERSAMPLING, axis=1)
            weight = box_blur(covered.astype(np.float32), SUPERSAMPLING)[..., None]
            colours = colours * (1 - weight) + plane * weight
        colours = colours * _light(choices["light"], x, y)
        large = np.rint(np.clip(colours, 0, 1) * 255).astype(np.uint8)
        return resize(large, scene.height, scene.width)

    def _draw_material(self, rng: np.random.Generator) -> dict[str, Any]:
        family = str(rng.choice(list(self.families)))
        hue = rng.uniform(0, 1)
        dark, bright = rng.uniform(0.12, 0.5), rng.uniform(0.55, 0.95)
        colours = [
            _rgb((hue + rng.uniform(-0.06, 0.06)) % 1, rng.uniform(0, self.saturation), value)
            for value in (dark, (dark + bright) / 2, bright)
        ]
        return {
            "family": family,
            "colours": [[round(float(channel), 4) for channel in colour] for colour in colours],
            "scale": round(float(np.exp(rng.uniform(np.log(3), np.log(9)))), 4),
            "angle": round(float(rng.normal(0, 0.05)), 4),
            "seed": int(rng.integers(1 << 31)),
        }


def _pixel_grid(scene: SceneView) -> tuple[Float32[np.ndarray, "H W"], Float32[np.ndarray, "H W"]]:
    """Supersampled pixel centres in units of the picture's height, x from its middle, y from its top."""
    step = 1 / (scene.height * SUPERSAMPLING)
    y = (np.arange(scene.height * SUPERSAMPLING, dtype=np.float32) + 0.5) * step
    x = (np.arange(scene.width * SUPERSAMPLING, dtype=np.float32) + 0.5) * step - scene.width / scene.height / 2
    grid_x, grid_y = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    return grid_x, grid_y


def _on_plane(
    x: Float32[np.ndarray, "H W"], y: Float32[np.ndarray, "H W"], horizon: float
) -> tuple[Float32[np.ndarray, "H W"], Float32[np.ndarray, "H W"]]:
    """Where the ray through a pixel meets a level plane; the picture's lower edge is at distance 1."""
    below = np.maximum(y - np.float32(horizon), np.float32(1e-3))
    distance = np.float32(1 - horizon) / below
    return x * distance, distance


def _paint(
    material: Mapping[str, Any], u: Float32[np.ndarray, "H W"], v: Float32[np.ndarray, "H W"]
) -> Float32[np.ndarray, "H W 3"]:
    """Colours in [0, 1] of a material over a surface."""
    cos, sin = np.float32(np.cos(material["angle"])), np.float32(np.sin(material["angle"]))
    scale = np.float32(material["scale"])
    values = PATTERNS[material["family"]](scale * (cos * u - sin * v), scale * (sin * u + cos * v), material["seed"])
    ramp = np.array(material["colours"], dtype=np.float32)
    stops = np.linspace(0, 1, len(ramp))
    return np.stack([np.interp(values, stops, ramp[:, channel]) for channel in range(3)], axis=-1).astype(np.float32)


def _light(
    light: Mapping[str, Any], x: Float32[np.ndarray, "H W"], y: Float32[np.ndarray, "H W"]
) -> Float32[np.ndarray, "H W 1"]:
    """A soft fall-off towards one side."""
    along = np.float32(np.cos(light["angle"])) * x + np.float32(np.sin(light["angle"])) * (y - 0.5)
    return np.asarray(1 - light["contrast"] * (along + 0.5), dtype=np.float32)[..., None]


def _rgb(hue: float, saturation: float, value: float) -> tuple[float, float, float]:
    """HSV to RGB, all in [0, 1]."""
    offsets = (0.0, 2 / 3, 1 / 3)
    ramp = [min(max(abs(((hue + offset) % 1) * 6 - 3) - 1, 0.0), 1.0) for offset in offsets]
    red, green, blue = (value * (1 - saturation * (1 - level)) for level in ramp)
    return red, green, blue
