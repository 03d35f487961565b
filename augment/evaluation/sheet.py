"""Pictures for people: masks drawn over frames, and rows of frames on one sheet."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image, ImageDraw, ImageFont

from augment.images import grow, resize
from augment.types import Role

ROLE_COLOURS = {
    Role.ROBOT: (255, 80, 60),
    Role.OBJECT: (60, 220, 90),
    Role.GOAL: (80, 150, 255),
    Role.SUPPORT: (250, 200, 60),
    Role.OTHER: (220, 90, 230),
}
ALPHA_COLOUR = (0, 235, 255)
TINT = 0.35
LABEL_HEIGHT = 18
GAP = 4
CELL_HEIGHT = 160


def overlay(
    frames: UInt8[np.ndarray, "t h w 3"],
    masks: Mapping[Role, Bool[np.ndarray, "t h w"]],
    alpha: UInt8[np.ndarray, "t h w"] | None = None,
) -> UInt8[np.ndarray, "t h w 3"]:
    """Frames with every mask tinted and outlined in the colour of its role, and soft alpha the bolder the greater."""
    drawn = frames.astype(np.float32)
    for role, mask in masks.items():
        colour = np.array(ROLE_COLOURS[role], dtype=np.float32)
        drawn[mask] += TINT * (colour - drawn[mask])
        drawn[mask & grow(~mask, 1)] = colour
    if alpha is not None:
        drawn += (alpha[..., None] / np.float32(255)) * (np.array(ALPHA_COLOUR, dtype=np.float32) - drawn)
    return np.rint(drawn).astype(np.uint8)


def contact_sheet(rows: Sequence[tuple[str, Sequence[UInt8[np.ndarray, "h w 3"]]]]) -> UInt8[np.ndarray, "H W 3"]:
    """Labelled rows of pictures, each brought to one cell height."""
    cells = [(label, [_cell(picture) for picture in pictures]) for label, pictures in rows]
    width = max(sum(cell.shape[1] + GAP for cell in row) for _, row in cells) + GAP
    sheet = Image.new("RGB", (width, len(cells) * (LABEL_HEIGHT + CELL_HEIGHT + GAP) + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=13)
    top = GAP
    for label, row in cells:
        draw.text((GAP, top), label, fill="black", font=font)
        left = GAP
        for cell in row:
            sheet.paste(Image.fromarray(cell), (left, top + LABEL_HEIGHT))
            left += cell.shape[1] + GAP
        top += LABEL_HEIGHT + CELL_HEIGHT + GAP
    return np.asarray(sheet)


def _cell(picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "cell_height cell_width 3"]:
    height, width = picture.shape[:2]
    if height < CELL_HEIGHT:  # whole multiples keep small pictures crisp
        factor = max(1, CELL_HEIGHT // height)
        picture = np.repeat(np.repeat(picture, factor, axis=0), factor, axis=1)
    return resize(picture, CELL_HEIGHT, round(CELL_HEIGHT * width / height))
