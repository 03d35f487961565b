"""`tf.train.Example` messages on protobuf's wire, so that what is not replaced keeps its very bytes and its place.

An Example holds `Features` (field 1), which holds map entries (field 1) of a key (1) and a `Feature` (2), which holds
one list: of bytes (1), float (2) or int64 (3). Unknown fields are kept.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float32, Int64

Values = list[memoryview] | Float32[np.ndarray, " n"] | Int64[np.ndarray, " n"]

# Tags: field number << 3 | wire type.
_FIRST, _SECOND, _THIRD = 0x0A, 0x12, 0x1A
_FIRST_VARINT, _FIRST_FIXED32 = 0x08, 0x0D
_FIXED_SIZES = {1: 8, 5: 4}


def entries(payload: bytes | memoryview) -> dict[str, memoryview]:
    """Key -> its map entry as stored, in the order of the record. Raises ValueError where `payload` is no Example."""
    return {
        _key(entry): entry
        for features in _messages(memoryview(payload), _FIRST)
        for entry in _messages(features, _FIRST)
    }


def values(entry: memoryview) -> Values:
    """The list that a map entry holds, empty where it holds none. Raises ValueError where it is malformed."""
    kind, lists = 0, list[memoryview]()
    for feature in _messages(entry, _SECOND):
        for tag, content, _ in _fields(feature):
            if tag in _DECODERS and isinstance(content, memoryview):
                if tag != kind:  # a `oneof`: the kind seen last counts
                    kind, lists = tag, []
                lists.append(content)
    return _DECODERS[kind](lists) if lists else []


def replace(payload: bytes, blobs: Mapping[str, Sequence[bytes]]) -> bytes:
    """`payload` with the lists at the keys of `blobs` replaced by lists of bytes."""

    def entry(stored: memoryview) -> bytes | None:
        key = _key(stored)
        if key not in blobs:
            return None
        return _field(_FIRST, key.encode()) + _field(_SECOND, bytes_feature(blobs[key]))

    return _changed(memoryview(payload), lambda features: _changed(features, entry))


def bytes_feature(blobs: Iterable[bytes]) -> bytes:
    """A `Feature` holding a list of bytes."""
    return _field(_FIRST, b"".join(_field(_FIRST, blob) for blob in blobs))


def _changed(message: memoryview, change: Callable[[memoryview], bytes | None]) -> bytes:
    """`message` with each of its fields number 1 passed through `change`; None leaves one as it is."""
    pieces: list[bytes | memoryview] = []
    for tag, content, stored in _fields(message):
        new = change(content) if tag == _FIRST and isinstance(content, memoryview) else None
        pieces.append(stored if new is None else _field(_FIRST, new))
    return b"".join(pieces)


def _key(entry: memoryview) -> str:
    keys = _messages(entry, _FIRST)
    return bytes(keys[-1]).decode() if keys else ""


def _messages(message: memoryview, tag: int) -> list[memoryview]:
    return [content for found, content, _ in _fields(message) if found == tag and isinstance(content, memoryview)]


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int, memoryview]]:
    """Tag, content (a number where it is a varint) and whole stored bytes of each field."""
    at, end = 0, len(message)
    while at < end:
        start = at
        tag, at = _varint(message, at)
        wire = tag & 7
        if wire == 0:
            number, at = _varint(message, at)
            yield tag, number, message[start:at]
            continue
        if wire == 2:
            size, at = _varint(message, at)
        elif wire in _FIXED_SIZES:
            size = _FIXED_SIZES[wire]
        else:
            raise ValueError(f"wire type {wire} at byte {start}")
        content = message[at : at + size]
        at += size
        if at > end:
            raise ValueError(f"a field of {size} bytes at byte {start} of {end}")
        yield tag, content, message[start:at]


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(message) and shift < 70:
        byte = message[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
    raise ValueError(f"a number without an end at byte {at}")


def _field(tag: int, content: bytes) -> bytes:
    header = bytearray([tag])
    size = len(content)
    while size > 0x7F:
        header.append(size & 0x7F | 0x80)
        size >>= 7
    header.append(size)
    return bytes(header) + content


def _bytes(lists: Iterable[memoryview]) -> list[memoryview]:
    return [blob for stored in lists for blob in _messages(stored, _FIRST)]


def _floats(lists: Iterable[memoryview]) -> Float32[np.ndarray, " n"]:
    """Packed and single values may alternate."""
    pieces = [
        np.frombuffer(content, "<f4")
        for stored in lists
        for tag, content, _ in _fields(stored)
        if tag in (_FIRST, _FIRST_FIXED32) and isinstance(content, memoryview)
    ]
    return np.concatenate([np.zeros(0, np.float32), *pieces])


def _ints(lists: Iterable[memoryview]) -> Int64[np.ndarray, " n"]:
    pieces = [
        _packed_ints(content) if isinstance(content, memoryview) else np.array([content], np.uint64).view(np.int64)
        for stored in lists
        for tag, content, _ in _fields(stored)
        if tag in (_FIRST, _FIRST_VARINT)
    ]
    return np.concatenate([np.zeros(0, np.int64), *pieces])


def _packed_ints(packed: memoryview) -> Int64[np.ndarray, " n"]:
    digits = np.frombuffer(packed, np.uint8)
    ends = np.flatnonzero(digits < 0x80)
    if len(ends) == len(digits):
        return digits.astype(np.int64)
    if digits[-1] >= 0x80:
        raise ValueError("a packed number without an end")
    starts = np.concatenate([[0], ends[:-1] + 1])
    place = np.arange(len(digits)) - np.repeat(starts, ends - starts + 1)
    if place.max() > 9:
        raise ValueError("a packed number of more than ten bytes")
    shifted = (digits & 0x7F).astype(np.uint64) << (7 * place).astype(np.uint64)
    return np.add.reduceat(shifted, starts).view(np.int64)


_DECODERS: Mapping[int, Callable[[Iterable[memoryview]], Values]] = {_FIRST: _bytes, _SECOND: _floats, _THIRD: _ints}
