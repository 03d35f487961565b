"""The front door: `restage <workflow> [key=value ...]`.

Exit codes: 0 all done; 3 finished, but episodes were quarantined or got no variant; 2 bad request; 1 anything else.
Imports nothing heavy until a workflow is chosen.
"""

import signal
import sys
from collections.abc import Sequence
from importlib import import_module

EXIT_ERROR, EXIT_BAD_REQUEST, EXIT_BAD_EPISODE = 1, 2, 3

WORKFLOWS = {
    "demo": "restage the sample episodes that ship with the package, and draw contact sheets",
    "augment": "read a dataset, restage it, write it in the format it came in",
    "inspect": "print what is in a dataset",
    "validate": "check a dataset; with source.path, prove what was carried over",
    "preview": "draw a contact sheet and a short video of an episode with its masks",
    "models": "what weights networks need, which are here; download or convert them",
    "evaluate": "measure masks, plates and frames against what is true",
    "extend": "continue pictures beyond their frame by words, for recipe=photo",
    "train": "train detectors, segmenters and generators on rendered episodes, your own, or captioned pictures",
    "bench": "measure: name=io, pipeline, scene, networks, generate",
}


def usage() -> str:
    """What `restage --help` prints."""
    lines = [f"  {name:10}{text}" for name, text in WORKFLOWS.items()]
    return "\n".join(
        [
            "usage: restage <workflow> [key=value ...]",
            "",
            *lines,
            "",
            "restage <workflow> --help lists its keys.",
            "",
            "  restage augment dataset.path=demos.hdf5 output.path=restaged.hdf5 recipe=texture recipe.variants=4",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a workflow; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("--help", "-h", "help"):
        _say(usage())
        return 0
    if words[0] not in WORKFLOWS:
        _complain(f"unknown workflow {words[0]!r}; known: {', '.join(WORKFLOWS)}")
        return EXIT_BAD_REQUEST
    return _run(words[0], words[1:])


def _run(name: str, overrides: list[str]) -> int:
    from augment.errors import PaintError, RequestError, RunError
    from robot_io import interruption
    from robot_io.errors import DatasetError, EpisodeError
    from workflows import _config

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interruption.interrupt)
    try:
        if {"--help", "-h"} & set(overrides):
            _say(_config.describe(name))
            return 0
        code: int = import_module(f"workflows.{name}").main(_config.load(name, overrides))
    except (RequestError, DatasetError) as error:
        _complain(str(error))
        return EXIT_BAD_REQUEST
    except EpisodeError as error:
        _complain(str(error))
        return EXIT_BAD_EPISODE
    except (RunError, PaintError) as error:
        _complain(str(error))
        return EXIT_ERROR
    except OSError as error:
        _complain(f"{error}; what is finished is kept, and the same command resumes")
        return EXIT_ERROR
    except KeyboardInterrupt:
        interruption.forget()
        _complain("interrupted; what is finished is kept, and the same command resumes")
        return EXIT_ERROR
    return code


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _complain(text: str) -> None:
    sys.stderr.write(f"restage: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
