"""Digests of HDF5 objects: name by name, as they are stored."""

import os
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
from xxhash import xxh3_128

WINDOW_BYTES = 16 << 20


def walk(group: h5py.Group, prefix: str = "") -> Iterator[tuple[str, h5py.Group | h5py.Dataset]]:
    """Every object below `group` with its path, parents first, names in order."""
    for name in sorted(group):
        if isinstance(group.get(name, getlink=True), h5py.SoftLink | h5py.ExternalLink):
            continue  # a link is part of its group's content, see `links`
        child = group[name]
        yield prefix + name, child
        if isinstance(child, h5py.Group):
            yield from walk(child, f"{prefix}{name}/")


def links(group: h5py.Group) -> Iterator[tuple[str, str]]:
    """Soft and external links directly in `group`: name and where they point."""
    for name in sorted(group):
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            yield name, f"{link.filename}:{link.path}"
        elif isinstance(link, h5py.SoftLink):
            yield name, str(link.path)


def attribute_digest(attributes: h5py.AttributeManager, name: str) -> str:
    """Hex digest of one attribute's type, shape and value."""
    handle = attributes.get_id(name)
    digest = xxh3_128(repr((handle.dtype, handle.shape)).encode())
    digest.update(_value_bytes(np.asarray(attributes[name])))
    return digest.hexdigest()


def dataset_digest(dataset: h5py.Dataset) -> str:
    """Hex digest of a dataset's type, shape, filters and stored bytes; chunks are hashed as compressed on disk."""
    layout = (dataset.dtype, dataset.shape, dataset.maxshape, dataset.chunks, _filters(dataset))
    digest = xxh3_128(repr(layout).encode())
    if dataset.dtype.hasobject or dataset.shape == () or dataset.shape is None:
        digest.update(_value_bytes(np.asarray(dataset[()])))
    elif dataset.chunks is not None:
        with Path(dataset.file.filename).open("rb", buffering=0) as file:  # past the library, which is slow by chunks
            for offset, filter_mask, position, size in sorted(_chunks(dataset)):
                digest.update(repr((offset, filter_mask)).encode())
                stored = os.pread(file.fileno(), size, position)
                if len(stored) != size:
                    raise OSError(f"{dataset.name}: {len(stored)} of the {size} bytes of a chunk are there")
                digest.update(stored)
    else:
        rows = max(1, WINDOW_BYTES // max(1, dataset.dtype.itemsize * int(np.prod(dataset.shape[1:]))))
        for start in range(0, len(dataset), rows):
            digest.update(np.ascontiguousarray(dataset[start : start + rows]).data)
    return digest.hexdigest()


def _chunks(dataset: h5py.Dataset) -> list[tuple[tuple[int, ...], int, int, int]]:
    """Of each chunk: its offset in the array, filter mask, position in the file and stored bytes."""
    chunks: list[tuple[tuple[int, ...], int, int, int]] = []
    dataset.id.chunk_iter(lambda it: chunks.append((it.chunk_offset, it.filter_mask, it.byte_offset, it.size)))
    return chunks


def _filters(dataset: h5py.Dataset) -> list[tuple[object, ...]]:
    plist = dataset.id.get_create_plist()
    return [tuple(plist.get_filter(i)) for i in range(plist.get_nfilters())]


def _value_bytes(value: np.ndarray) -> bytes:
    if not value.dtype.hasobject:
        return value.tobytes()
    return b"".join(_item_bytes(item) for item in value.ravel())


def _item_bytes(item: object) -> bytes:
    if isinstance(item, str):
        item = item.encode()
    elif isinstance(item, np.ndarray):
        item = repr(item.shape).encode() + _value_bytes(item)
    elif not isinstance(item, bytes):
        item = repr(item).encode()
    return len(item).to_bytes(8, "little") + item
