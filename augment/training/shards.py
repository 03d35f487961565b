"""Arrays that are costly to make and needed again and again: made once, kept in half precision, read as needed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float16, Float32

from augment.errors import RunError
from augment.training.method import Workshop

SHARD = 256  # arrays in a file
OPEN = 512  # files


@dataclass(frozen=True, eq=False)
class Shards:
    """One array for each of `count` numbers, in files of a folder, which is of these arrays alone."""

    folder: Path
    count: int

    def fill(
        self, compute: Callable[[Sequence[int]], Float32[np.ndarray, "n ..."]], batch: int, workshop: Workshop
    ) -> None:
        """Make what is not there yet, `batch` numbers at once, each process its own files.

        A run that was killed goes on after the last whole file. Raises RunError where values are not finite.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        starts = [start for start in range(0, self.count, SHARD) if not self._path(start).exists()]
        for start in starts[workshop.machine.process_index :: workshop.machine.num_processes]:
            numbers = range(start, min(start + SHARD, self.count))
            made = [compute(numbers[first : first + batch]) for first in range(0, len(numbers), batch)]
            self._write(start, np.concatenate(made).astype(np.float16))
            workshop.say(f"{self.folder.name}: {numbers.stop} of {self.count}")
        workshop.machine.wait_for_everyone()

    def __getitem__(self, numbers: Sequence[int]) -> Float16[np.ndarray, "n ..."]:
        """Arrays of these numbers."""
        return np.stack([_load(self._path(number // SHARD * SHARD))[number % SHARD] for number in numbers])

    def _write(self, start: int, values: np.ndarray) -> None:
        if not np.isfinite(values).all():
            raise RunError(f"{self.folder.name}: values that are not finite; set method.precision=no")
        unfinished = self._path(start).with_suffix(".unfinished")
        with unfinished.open("wb") as file:
            np.save(file, values)
        unfinished.replace(self._path(start))

    def _path(self, start: int) -> Path:
        return self.folder / f"{start:08d}.npy"


@lru_cache(OPEN)
def _load(path: Path) -> np.ndarray:
    values: np.ndarray = np.load(path, mmap_mode="r")
    return values
