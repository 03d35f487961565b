"""Ways to make a new plate, by name."""

from augment.generate.base import Generator
from augment.generate.blended import Blended
from augment.generate.outpaint import Outpaint
from augment.generate.painted import Painted
from augment.generate.photo import Photo
from augment.generate.texture import Texture

GENERATORS: dict[str, type[Generator]] = {"texture": Texture, "photo": Photo, "outpaint": Outpaint, "blended": Blended}

__all__ = ["GENERATORS", "Blended", "Generator", "Outpaint", "Painted", "Photo", "Texture"]
