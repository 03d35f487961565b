"""What a training leaves for eyes: curves for TensorBoard, and sheets of samples."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from augment.training.method import Picture

LOGS, SHEETS = "logs", "sheets"
EVERY = 10  # steps between points of a curve


class Journal:
    """In a training's folder, from step `first` on; what an interrupted run wrote of later steps is dropped."""

    def __init__(self, folder: Path, first: int) -> None:
        self._folder = folder / SHEETS
        self._writer = SummaryWriter(str(folder / LOGS), purge_step=first + 1 if first else None)
        self._seen: defaultdict[str, list[float]] = defaultdict(list)

    def scalars(self, step: int, figures: Mapping[str, float]) -> None:
        """Figures of a step; curves have their means."""
        for name, value in figures.items():
            self._seen[name].append(value)
        if (step + 1) % EVERY == 0:
            for name, values in self._seen.items():
                self._writer.add_scalar(name, sum(values) / len(values), step + 1)
            self._seen.clear()

    def sheet(self, step: int, picture: Picture) -> None:
        """A sheet, as a PNG file too."""
        self._folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(self._folder / f"{step + 1:07d}.png")
        self._writer.add_image("sheet", picture, step + 1, dataformats="HWC")

    def close(self) -> None:
        """Writes what is still in memory."""
        self._writer.close()
