"""The only place that fetches weights: what `restage models action=download` does."""

from pathlib import Path

from augment.errors import RequestError
from augment.models import pipelines
from augment.models.kinds import CONFIG, KINDS, PICKLED, TOKENIZER
from augment.models.packs import Component
from augment.models.places import is_hub_id

CONFIGURATION = (CONFIG, "preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json")
VOCABULARY = (*TOKENIZER, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


def download(component: Component) -> None:
    """Fetch the files of a component that are not there or not whole, and verify them; not those of its text encoder.

    Raises RequestError where they cannot be fetched, or are not what the pack expects.
    """
    faults = component.examine(checksum=True)
    if faults and not is_hub_id(component.source):
        raise RequestError(f"{component.title}: {'; '.join(faults)}; it is not on the Hub, so put it there yourself")
    if faults:
        _fetch(component, anew=component.find() is not None)  # the library takes a file that it has for whole
    if faults and (faults := component.examine(checksum=True)):
        raise RequestError(f"{component.title}, as downloaded, is not what the pack expects: {'; '.join(faults)}")


def patterns(component: Component) -> list[str]:
    """Names of the files that are fetched."""
    if component.file:
        return [component.file]
    kind = KINDS[component.kind]
    if kind.pipeline:
        return pipelines.patterns()
    weights = [PICKLED if kind.pickled else kind.file] if kind.weights else []
    return [*CONFIGURATION, *(VOCABULARY if kind.vocabulary else ()), *weights]


def _fetch(component: Component, anew: bool) -> None:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise RequestError(f"downloads need huggingface_hub ({error}); pip install 'restage[models]'") from error
    shelf = str(Path(component.shelf).expanduser() / component.source) if component.shelf else None
    try:
        snapshot_download(
            component.source,
            revision=component.revision,
            local_dir=shelf,
            allow_patterns=patterns(component),
            force_download=anew,
        )
    except Exception as error:  # the library's exceptions of the network have no common class
        if isinstance(error, OSError) and error.errno is not None:  # of this machine's disk
            raise
        problem = " ".join(str(error).split())
        raise RequestError(f"{component.title} cannot be downloaded: {problem}") from error
