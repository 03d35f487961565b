"""Ways to make a new plate, by name."""

from augment.generate.base import Generator
from augment.generate.photo import Photo
from augment.generate.texture import Texture

GENERATORS: dict[str, type[Generator]] = {"texture": Texture, "photo": Photo}

__all__ = ["GENERATORS", "Generator", "Photo", "Texture"]
