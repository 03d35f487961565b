"""The formats that exist, by name. Modules are imported on demand, so that listing them costs nothing."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from robot_io.errors import DatasetError
from robot_io.formats.base import Dataset

FORMATS = {
    "hdf5": "robot_io.formats.hdf5",
    "rlds": "robot_io.formats.rlds",
}


def load_format(name: str) -> ModuleType:
    """The module of a format. Raises DatasetError listing the names that exist."""
    if name not in FORMATS:
        raise DatasetError(f"unknown dataset format {name!r}; known formats: auto, {', '.join(FORMATS)}")
    return import_module(FORMATS[name])


def open_dataset(path: Path | str, format: str = "auto") -> Dataset:
    """Open the dataset at `path` (a file or a folder) and read its table of contents.

    Raises DatasetError when nothing is there, no format recognises it, or the dataset is unsound as a whole.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise DatasetError(f"no dataset at {path}: the path does not exist")
    names = list(FORMATS) if format == "auto" else [format]
    for name in names:
        module = load_format(name)
        if format != "auto" or module.recognises(path):
            dataset: Dataset = module.open(path.resolve())
            return dataset
    raise DatasetError(
        f"{path} is no dataset that Restage reads: expected an HDF5 file or a folder of them (*.hdf5, *.h5), or a "
        "TFDS directory (features.json and dataset_info.json)"
    )
