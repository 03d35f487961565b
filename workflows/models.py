"""`restage models`: what weights a pack needs, which are here, and how to get the others."""

import sys
from typing import Any

from augment.errors import RequestError
from augment.models.doors import convert_checkpoint
from augment.models.download import download
from augment.models.packs import Pack
from robot_io.atomic import replacing
from workflows import _config

EXIT_INCOMPLETE = 2


def main(config: Any) -> int:
    """Returns 0 if all is there and whole, 2 if not. Raises RequestError."""
    actions = {"check": _check, "download": _download, "convert": _convert}
    action = _config.text(config, "action")
    if action not in actions:
        raise RequestError(f"unknown action={action}; known: {', '.join(actions)}")
    return actions[action](config, _config.build_pack(config))


def _check(config: Any, pack: Pack) -> int:
    complete, ways_out = True, set()
    for role, component in pack.components.items():
        for part in component.parts:
            found, faults = part.find(), part.examine(checksum=True)
            state = "missing" if found is None else "damaged" if faults else "there"
            _say(
                f"{role:10}{state:9}{part.title}, {part.facts}", *(f"{'':19}{line}" for line in faults or [str(found)])
            )
            if faults:
                complete = False
                ways_out.add(part.way_out.removeprefix("; "))
    _say(*sorted(ways_out - {""}), "complete" if complete else "incomplete")
    return 0 if complete else EXIT_INCOMPLETE


def _download(config: Any, pack: Pack) -> int:
    for component in pack.components.values():
        for part in component.parts:
            _say(f"{part.title}, {part.facts}")
            download(part)
    return _check(config, pack)


def _convert(config: Any, pack: Pack) -> int:
    """An original checkpoint as a transformers folder; a vocabulary is that of the pack's text encoder."""
    checkpoint, folder = _config.required_path(config, "source.path"), _config.required_path(config, "output.path")
    architecture = _config.text(config, "architecture")
    if not architecture:
        raise RequestError("architecture is required: add architecture=...")
    if folder.exists():
        raise RequestError(f"output.path={folder} exists; choose another, or remove it")
    encoder = pack.detector.text_encoder if pack.detector else None
    with replacing(folder) as unfinished:
        convert_checkpoint(checkpoint, architecture, unfinished, encoder)
    _say(str(folder))
    return 0


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
