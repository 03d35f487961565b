"""TFRecord files: payloads one after another, each framed by its length and two checksums."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import google_crc32c

FRAMING = 16
"""Bytes that a record takes in a file beyond its payload."""

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")


@dataclass(frozen=True)
class Record:
    """One record as found in a file."""

    offset: int
    payload: bytes = b""
    problem: str | None = None
    """Why it cannot be read, or None."""
    last: bool = False
    """True where the problem hides everything after it."""


def write_record(file: BinaryIO, payload: bytes) -> None:
    """Append `payload`, framed."""
    length = struct.pack("<Q", len(payload))
    file.write(length + _FOOTER.pack(_masked_crc(length)))
    file.write(payload)
    file.write(_FOOTER.pack(_masked_crc(payload)))


def scan(path: Path) -> Iterator[Record]:
    """Every record of the file, in order and checked; one in memory at a time."""
    size = path.stat().st_size
    offset = 0
    with path.open("rb") as file:
        while offset < size:
            record = _read(file, offset, size)
            yield record
            if record.last:
                return
            offset = file.tell()


def read_record(path: Path, offset: int) -> bytes:
    """The payload of the record that starts at `offset`. Raises ValueError where none that is whole does."""
    with path.open("rb") as file:
        file.seek(offset)
        record = _read(file, offset, path.stat().st_size)
    if record.problem:
        raise ValueError(f"record at byte {offset} of {path}: {record.problem}")
    return record.payload


def _read(file: BinaryIO, offset: int, size: int) -> Record:
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return Record(offset, problem="truncated within its length", last=True)
    length, checksum = _HEADER.unpack(header)
    if checksum != _masked_crc(header[:8]):
        return Record(offset, problem="its length is corrupt (checksum mismatch)", last=True)
    there = size - offset - _HEADER.size
    if there < length + _FOOTER.size:
        return Record(offset, problem=f"truncated: {there} of {length + _FOOTER.size} bytes are there", last=True)
    payload = file.read(length)
    if _FOOTER.unpack(file.read(_FOOTER.size))[0] != _masked_crc(payload):
        return Record(offset, problem="its content is corrupt (checksum mismatch)")
    return Record(offset, payload)


def _masked_crc(data: bytes) -> int:
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
