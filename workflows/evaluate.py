"""`restage evaluate`: results against what is true, beside other methods."""

import sys
from collections.abc import Iterator
from typing import Any

from PIL import Image

from augment.errors import RequestError
from augment.types import Role
from workflows import _config, _evaluate_boxes, _evaluate_composition, _evaluate_masks, _evaluate_scene, _evaluate_video
from workflows._rendered import CASES, World, world

SHOWN = 8  # pictures of a sheet


def main(config: Any) -> int:
    """Returns 0. Raises RequestError where a value is out of range or an extra is not installed, DatasetError and
    EpisodeError where a video or its masks cannot be read."""
    of = _config.text(config, "of")
    if of not in OF:
        raise RequestError(f"unknown of={of}; known: {', '.join(OF)}")
    for line in OF[of](config):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    return 0


def _scene(config: Any) -> Iterator[str]:
    return _evaluate_scene.table(_world(config), config.segment.name, _config.build_perception(config))


def _masks(config: Any) -> Iterator[str]:
    return _evaluate_masks.table(_world(config), config.segment.name, _config.build_perception(config))


def _video(config: Any) -> Iterator[str]:
    video, start = _config.required_path(config, "video.path"), _config.whole_number(config, "video.start")
    references = {
        role: _config.required_path(config, f"video.{role}_masks")
        for role in (Role.ROBOT, Role.OBJECT)
        if _config.text(config, f"video.{role}_masks")
    }
    if not references:
        raise RequestError("of=video compares with reference masks: add video.robot_masks or video.object_masks")
    return _evaluate_video.table(video, references, start, config.segment.name, _config.build_perception(config))


def _boxes(config: Any) -> Iterator[str]:
    return _evaluate_boxes.table(_world(config), _config.build_perception(config).segment)


def _composition(config: Any) -> Iterator[str]:
    pack, runtime = _config.build_pack(config), _config.build_runtime(config)
    ways, seed = _evaluate_composition.ways_of(config), _config.whole_number(config, "seed")
    pictures = _config.whole_number(config, "painting.pictures")
    yield from _evaluate_composition.table(pack, runtime, ways, pictures, seed)
    if path := _config.text(config, "painting.sheet"):
        shown = _evaluate_composition.sheet(pack, runtime, ways, min(SHOWN, pictures), seed)
        Image.fromarray(shown).save(path)
        yield path


OF = {"scene": _scene, "masks": _masks, "boxes": _boxes, "video": _video, "composition": _composition}


def _world(config: Any) -> World:
    per_case, size, seed = (_config.whole_number(config, name) for name in ("per_case", "size", "seed"))
    names = list(CASES) if config.cases is None else [str(name) for name in config.cases]
    for name in names:
        if name not in CASES:
            raise RequestError(f"unknown case {name!r} in cases; known: {', '.join(CASES)}")
    return world(per_case, size, seed, {name: CASES[name] for name in names})
