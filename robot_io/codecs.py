"""Pictures as the bytes that datasets store: JPEG and PNG.

A new picture is encoded the way the recorded one was, so that a restaged camera loses no more than it had already
lost: at a generic quality 75 it would.
"""

import io
import struct
import zlib

import numpy as np
from jaxtyping import UInt8
from PIL import Image, JpegImagePlugin

Blob = bytes | memoryview

JPEG_START = b"\xff\xd8"
PNG_START = b"\x89PNG\r\n\x1a\n"
FORMATS = ("JPEG", "PNG")
MODES = ("RGB", "L", "P", "RGBA", "LA", "1")

_SIZE_MARKERS = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD8)})
_BROKEN = (OSError, SyntaxError, ValueError, struct.error, zlib.error, Image.DecompressionBombError)


def image_size(blob: Blob) -> tuple[int, int]:
    """(height, width) in pixels, from the header alone. Raises ValueError where `blob` is neither JPEG nor PNG."""
    if blob[:8] == PNG_START and len(blob) >= 24:
        width, height = struct.unpack_from(">II", blob, 16)
        return height, width
    if blob[:2] == JPEG_START:
        at = 2
        while at + 9 <= len(blob) and blob[at] == 0xFF:
            marker = blob[at + 1]
            if marker in _SIZE_MARKERS:
                height, width = struct.unpack_from(">HH", blob, at + 5)
                return height, width
            if marker == 0xFF:  # padding
                at += 1
            else:
                at += 2 if marker in _BARE_MARKERS else 2 + struct.unpack_from(">H", blob, at + 2)[0]
    raise ValueError(f"{len(blob)} bytes starting with {bytes(blob[:4]).hex() or 'nothing'} are neither JPEG nor PNG")


def decode(blob: Blob) -> UInt8[np.ndarray, "h w 3"]:
    """The picture as RGB; alpha is dropped, grey repeated. Raises ValueError where it cannot be decoded."""
    try:
        picture = _open(blob)
        return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
    except _BROKEN as error:
        raise ValueError(f"the encoded picture ({len(blob)} bytes) cannot be decoded: {error}") from error


def encode_like(frame: UInt8[np.ndarray, "h w 3"], source: Blob) -> bytes:
    """`frame`, RGB, with the settings of the encoded picture `source`.

    JPEG keeps quantisation tables, chroma subsampling and progressive or baseline order (a subsampling that Pillow
    cannot write becomes none at all); PNG is lossless and keeps its channels, a palette becoming RGB and a recorded
    alpha staying as it is. Grey stays grey. Raises ValueError where `source` cannot be understood.
    """
    try:
        recorded = _open(source)
        encoded = io.BytesIO()
        if isinstance(recorded, JpegImagePlugin.JpegImageFile):
            _save_like_jpeg(frame, recorded, encoded)
        else:
            _like_png(frame, recorded).save(encoded, "PNG")
    except _BROKEN as error:
        raise ValueError(f"no frame can be encoded like the recorded one ({len(source)} bytes): {error}") from error
    return encoded.getvalue()


def _open(blob: Blob) -> Image.Image:
    picture = Image.open(io.BytesIO(blob), formats=FORMATS)
    if picture.mode not in MODES:
        raise ValueError(f"its pixels are {picture.mode}; expected 8-bit grey or RGB")
    return picture


def _like_png(frame: UInt8[np.ndarray, "h w 3"], recorded: Image.Image) -> Image.Image:
    picture = Image.fromarray(frame)
    if recorded.mode in ("RGB", "P"):
        return picture
    picture = picture.convert("RGB" if recorded.mode == "RGBA" else "L")
    if recorded.mode in ("RGBA", "LA"):
        picture.putalpha(recorded.getchannel("A"))
    return picture


def _save_like_jpeg(
    frame: UInt8[np.ndarray, "h w 3"], recorded: JpegImagePlugin.JpegImageFile, encoded: io.BytesIO
) -> None:
    tables = [recorded.quantization[table] for *_, table in recorded.layer]
    while len(tables) > 1 and tables[-1] == tables[-2]:  # the last one serves all further channels
        tables.pop()
    sampling = JpegImagePlugin.get_sampling(recorded)
    Image.fromarray(frame).convert(recorded.mode).save(
        encoded,
        "JPEG",
        qtables=tables,
        subsampling=max(sampling, 0),
        progressive="progressive" in recorded.info,
    )
