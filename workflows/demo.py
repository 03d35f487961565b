"""`restage demo`: restage the sample episodes that ship with the package, and draw contact sheets."""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from augment.evaluation import contact_sheet, overlay
from augment.types import Role
from robot_io import open_dataset
from robot_io.formats.base import Dataset
from robot_io.tabletop.samples import samples_path
from robot_io.types import Episode
from workflows import _config
from workflows.augment import run, work_folder

CAMERA = "agentview_image"
COLUMNS = 8


def main(config: Any) -> int:
    """Returns the exit code of the run."""
    folder = _config.required_path(config, "output.path").absolute()
    out = folder / "restaged.hdf5"
    flow = _config.build_flow(config)
    samples = open_dataset(samples_path())
    code = run(flow, _config.build_executor(config), samples, samples, out, True, work_folder(out) / "layers")
    for name, sheet in _sheets(samples, open_dataset(out), flow.recipe.variants):
        path = folder / f"{name}.png"
        Image.fromarray(sheet).save(path)
        sys.stdout.write(f"{path}\n")
    return code


def _sheets(samples: Dataset, restaged: Dataset, variants: int) -> Iterator[tuple[str, np.ndarray]]:
    """For every sample: as recorded, its masks, its variants."""
    found: dict[tuple[str, int], Episode] = {}
    for entry in restaged.entries:
        provenance = restaged.provenance(entry.name)
        if provenance:
            found[provenance.source, provenance.variant] = restaged.open(entry.id)
    for entry in samples.entries:
        episode = samples.open(entry.id)
        masks = _masks(episode)
        rows = [
            (f"{entry.name}, as recorded: {'; '.join(episode.language)}", _frames(episode)),
            (f"kept: {', '.join(masks)}", overlay(_frames(episode), masks)),
        ]
        rows += [
            (f"variant {variant}", _frames(found[entry.id, variant]))
            for variant in range(variants)
            if (entry.id, variant) in found
        ]
        yield entry.name, contact_sheet([(label, list(pictures)) for label, pictures in rows])


def _indices(length: int) -> list[int]:
    return sorted({round(position) for position in np.linspace(0, length - 1, COLUMNS)})


def _frames(episode: Episode) -> np.ndarray:
    return episode.cameras[CAMERA].read(0, episode.length).frames[_indices(episode.length)]


def _masks(episode: Episode) -> dict[Role, np.ndarray]:
    return {
        track.role: track.read(0, episode.length)[_indices(episode.length)]
        for track in episode.masks[CAMERA]
        if track.role != Role.SUPPORT  # the demo gives the table a new material
    }
