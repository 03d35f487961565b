import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, JpegImagePlugin

from robot_io.codecs import decode, encode_like, image_size
from tests.robot_io.rlds_builder import jpeg, png, smooth_frames

OLD, NEW = smooth_frames(np.random.default_rng(5), 2, 40, 56)
TABLES = [list(range(1, 65)), list(range(2, 66)), list(range(3, 67))]


def settings(blob: bytes) -> tuple[object, ...]:
    picture = Image.open(io.BytesIO(blob))
    assert isinstance(picture, JpegImagePlugin.JpegImageFile)
    tables = [picture.quantization[table] for *_, table in picture.layer]
    return tables, JpegImagePlugin.get_sampling(picture), picture.mode, "progressive" in picture.info


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("how", [{"quality": 30}, {"quality": 92}, {"qtables": TABLES[:1]}, {"qtables": TABLES}])
def test_jpeg_keeps_its_settings(subsampling, progressive, how):
    source = jpeg(OLD, subsampling=subsampling, progressive=progressive, **how)
    new = encode_like(NEW, source)
    assert settings(new) == settings(source)
    other = jpeg(NEW, subsampling=subsampling, progressive=progressive, **how)
    assert np.array_equal(decode(new), decode(other))


def test_grey_jpeg_stays_grey():
    source = jpeg(OLD[..., 0])
    new = encode_like(NEW, source)
    assert settings(new) == settings(source)
    assert (np.ptp(decode(new), axis=-1) == 0).all()


def test_a_subsampling_pillow_cannot_write_becomes_none():
    source = bytearray(jpeg(OLD, subsampling=0))
    source[source.index(b"\xff\xc0") + 11] = 0x12  # 4:4:0
    assert JpegImagePlugin.get_sampling(Image.open(io.BytesIO(source))) == -1
    assert settings(encode_like(NEW, bytes(source)))[1] == 0


@pytest.mark.parametrize(("mode", "kept"), [(None, "RGB"), ("L", "L"), ("P", "RGB"), ("1", "L"), ("RGBA", "RGBA")])
def test_png_keeps_its_channels_and_loses_nothing(mode, kept):
    new = encode_like(NEW, png(OLD, mode))
    assert Image.open(io.BytesIO(new)).format == "PNG"
    assert Image.open(io.BytesIO(new)).mode == kept
    expected = np.asarray(Image.fromarray(NEW).convert("L").convert("RGB")) if kept == "L" else NEW
    assert np.array_equal(decode(new), expected)


def test_png_keeps_its_alpha():
    alpha = Image.fromarray(OLD[..., 0])
    source = Image.fromarray(OLD)
    source.putalpha(alpha)
    stored = io.BytesIO()
    source.save(stored, "PNG")
    new = Image.open(io.BytesIO(encode_like(NEW, stored.getvalue())))
    assert np.array_equal(np.asarray(new.getchannel("A")), np.asarray(alpha))


def test_same_pixels_come_back_close():
    source = jpeg(OLD, quality=90)
    recorded = decode(source).astype(float)
    error = np.mean((decode(encode_like(recorded.astype(np.uint8), source)) - recorded) ** 2)
    assert 10 * np.log10(255**2 / error) > 45


@given(height=st.integers(1, 70), width=st.integers(1, 70), progressive=st.booleans(), padding=st.integers(0, 3))
def test_size_is_read_from_the_header(height, width, progressive, padding):
    frame = np.zeros((height, width, 3), np.uint8)
    stored = jpeg(frame, progressive=progressive, comment=b"\xff\xc0" * 40)
    stored = stored[:2] + b"\xff" * padding + stored[2:]  # markers may be padded
    assert image_size(stored) == image_size(memoryview(png(frame))) == (height, width)
    assert decode(stored).shape == (height, width, 3)


@pytest.mark.parametrize("blob", [b"", b"\xff", b"GIF89a" + bytes(30), b"\xff\xd8\xff\xe0\x00", png(OLD)[:20]])
def test_what_has_no_size_is_refused(blob):
    with pytest.raises(ValueError, match="neither JPEG nor PNG"):
        image_size(blob)


@pytest.mark.parametrize(
    "blob",
    [jpeg(OLD)[:-200], png(OLD)[:-200], b"not a picture", png(OLD)[:60] + bytes(20) + png(OLD)[80:]],
    ids=["cut JPEG", "cut PNG", "text", "broken PNG"],
)
def test_what_cannot_be_decoded_is_refused(blob):
    with pytest.raises(ValueError, match="cannot be decoded"):
        decode(blob)


def test_sixteen_bits_are_refused():
    deep = png(np.zeros((4, 4), np.uint16))
    with pytest.raises(ValueError, match="I;16"):
        decode(deep)
    with pytest.raises(ValueError, match="I;16"):
        encode_like(NEW, deep)
