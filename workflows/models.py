"""`restage models`: what weights a pack needs, which are here, and how to get the others."""

import sys
from typing import Any

from augment.errors import RequestError
from augment.models.doors import export_hub, export_original
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
                f"{role:11}{state:9}{part.title}, {part.facts}", *(f"{'':20}{line}" for line in faults or [str(found)])
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
    """An original checkpoint becomes a transformers folder, a transformers folder an original checkpoint."""
    source, out = _config.required_path(config, "source.path"), _config.required_path(config, "output.path")
    if not source.exists():
        raise RequestError(f"source.path={source} does not exist")
    if out.exists():
        raise RequestError(f"output.path={out} exists; choose another, or remove it")
    architecture = _config.text(config, "architecture")
    encoder = pack.detector.text_encoder if pack.detector else None
    with replacing(out) as unfinished:
        if source.is_dir():
            export_original(source, unfinished)
        elif architecture:
            export_hub(source, architecture, encoder, unfinished)
        else:
            raise RequestError("architecture is required: add architecture=...")
    _say(str(out))
    return 0


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
