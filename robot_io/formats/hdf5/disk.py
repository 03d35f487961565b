"""Writing HDF5 files on a disk that may fill up, in a process that may be interrupted.

When a write fails, the HDF5 library cannot close its file any more and crashes the process later. Here it writes
through an object that goes on accepting after a failure, so that the file is closed in order and the failure raised
then. That object is called from within the library, where no interruption may be raised; it is held back.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from robot_io.interruption import holding_back


@contextmanager
def writing(path: Path, extend: bool = False) -> Iterator[h5py.File]:
    """A new HDF5 file, or with `extend` an existing one, on disk when the block ends.

    Raises OSError with its errno if the disk would not take it, KeyboardInterrupt for one that was held back.
    """
    with holding_back(), path.open("r+b" if extend else "w+b", buffering=0) as raw:
        file = _Forbearing(raw.fileno())
        try:
            with h5py.File(path, "r+" if extend else "w", driver="fileobj", fileobj=file) as hdf5:
                yield hdf5
        finally:
            if file.failure is not None:
                raise OSError(file.failure.errno, f"{file.failure.strerror}: {path}") from file.failure
        os.fsync(raw.fileno())


class _Forbearing:
    """The file-like object that h5py asks for; buffers are of its own kind."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0
        self.failure: OSError | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: os.fstat(self._descriptor).st_size}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        count = os.preadv(self._descriptor, [buffer], self._position)
        self._position += count
        return count

    def write(self, content: Any) -> int:
        rest = memoryview(content).cast("B")
        size = len(rest)
        while rest and self.failure is None:
            try:
                written = os.pwrite(self._descriptor, rest, self._position)
            except OSError as error:
                self.failure = error
                break
            self._position += written
            rest = rest[written:]
        self._position += len(rest)
        return size

    def truncate(self, size: int) -> int:
        if self.failure is None:
            os.ftruncate(self._descriptor, size)
        return size

    def flush(self) -> None:
        """Nothing is buffered."""
