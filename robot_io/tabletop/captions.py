"""What a rendered scene looks like in words, for models that learn what words look like."""

from colorsys import rgb_to_hsv

import numpy as np
from jaxtyping import Float32

from robot_io.tabletop.materials import Texture
from robot_io.tabletop.scene import Scene, sample_scene
from robot_io.tabletop.spec import TabletopSpec

SURFACES = {
    "wood": "wooden table", "checker": "chequered tablecloth", "stone": "stone table", "plain": "plain table",
    "striped cloth": "striped tablecloth", "paint": "painted wall", "striped paper": "striped wallpaper",
    "tiles": "tiled wall", "panels": "panelled wall",
}  # fmt: skip
GREYS = (("dark grey", 0.35), ("grey", 0.62), ("light grey", 0.82), ("white", 1.01))
"""Names of colours without a hue, and below which brightness (0..1, sRGB) each is used."""
HUES = (("red", 20), ("orange", 45), ("yellow", 70), ("green", 165), ("blue", 260), ("purple", 320), ("red", 361))
"""Names of hues, and below which angle each is used."""
PALE = 0.12
"""Saturation below which a colour has no hue."""


def describe_scene(scene: Scene, empty: bool = False) -> str:
    """Its surroundings: what robot and object leave unsaid. `empty`: of the scene without them."""
    place = f"a {_called(scene.table)} before a {_called(scene.wall)}"
    return place if empty else f"a robot arm at {place}"


def describe_dataset(spec: TabletopSpec, empty: bool = False) -> dict[str, str]:
    """Caption by name of the episode. `empty`: of the scenes without robot and things."""
    return {f"demo_{index}": describe_scene(sample_scene(spec.random(index)), empty) for index in range(spec.episodes)}


def _called(texture: Texture) -> str:
    return f"{colour_name(texture.mean)} {SURFACES[texture.kind]}"


def colour_name(colour: Float32[np.ndarray, "3"]) -> str:
    """A common name of a linear RGB colour, 0..1."""
    encoded = np.clip(colour, 0, 1) ** (1 / 2.2)
    hue, saturation, brightness = rgb_to_hsv(*map(float, encoded))
    if saturation < PALE:
        return next(name for name, below in GREYS if brightness < below)
    name = next(name for name, below in HUES if 360 * hue < below)
    if name in ("orange", "red") and saturation < 0.62:  # what wood, clay and linen are
        return "beige" if brightness > 0.74 else "brown" if brightness > 0.45 else "dark brown"
    return name
