"""Networks that belong together, and where their weights are. Never touches the internet, imports no torch."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from xxhash import xxh3_128_hexdigest

from augment.errors import RequestError
from augment.models.kinds import KINDS
from augment.models.pipelines import with_variants
from augment.models.places import LOCAL, PACKAGE, commit_of, content_of, is_hub_id, places
from augment.models.weights import checksum_of, file_fault, folder_faults

HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")
ROLES = ("detector", "segmenter", "tracker", "matcher", "base", "controlnet", "policy", "pixels", "clip")

PARTNERS = ("controlnet", "policy")  # that work with a base


@dataclass(frozen=True)
class Component:
    """One network of a pack: what it is, and where its weights come from."""

    kind: str
    """Which network: a key of `augment.models.kinds.KINDS`."""
    source: str
    """A Hub id, a local folder (begins with `/`, `.` or `~`), or `package:` and a folder of augment/models/packs."""
    revision: str | None = None
    """Commit, tag or branch of a Hub id; its main branch if None."""
    file: str | None = None
    """An original checkpoint inside the source; the source is a transformers folder if None."""
    architecture: str | None = None
    """The network's size, for an original checkpoint."""
    text_encoder: "Component | None" = None
    """Whose configuration and vocabulary an original GroundingDINO was trained with."""
    megabytes: float | None = None
    licence: str | None = None
    sha256: str | None = None
    """Of `file`, or of the folder's weights (a pipeline's U-Net or transformer), in hexadecimal."""
    pack: str = field(default="", repr=False)
    """Name of the pack that it belongs to."""
    shelf: str | None = field(default=None, repr=False)
    """A folder in which people keep weights, looked into before the Hub cache."""

    @property
    def title(self) -> str:
        """What to call it in messages."""
        name = f"{self.kind} {self.source}/{self.file}" if self.file else f"{self.kind} {self.source}"
        return f"{name} (revision {self.revision[:12]})" if self.revision and is_hub_id(self.source) else name

    @property
    def facts(self) -> str:
        """Size and licence of what the pack names, for people."""
        if self.source.startswith(LOCAL):
            return "yours"
        size = f"{self.megabytes:g} MB" if self.megabytes else "size unknown"
        return f"{size}, licence {self.licence or 'unknown'}"

    @property
    def parts(self) -> Iterator["Component"]:
        """All whose files are needed: itself, and its text encoder."""
        yield self
        if self.text_encoder:
            yield from self.text_encoder.parts

    def of(self, pack: str, shelf: str | None) -> "Component":
        """The same, belonging to a pack."""
        encoder = self.text_encoder.of(pack, shelf) if self.text_encoder else None
        return replace(self, pack=pack, shelf=shelf, text_encoder=encoder)

    def check(self) -> None:
        """Raises RequestError where what it says of itself cannot be."""
        if self.kind not in KINDS:
            raise RequestError(f"unknown kind={self.kind} of {self.source}; known: {', '.join(KINDS)}")
        if is_hub_id(self.source) and not HUB_ID.fullmatch(self.source):
            raise RequestError(
                f"source={self.source} is no Hub id owner/name; a local folder begins with /, . or ~, and what ships "
                f"with Restage with {PACKAGE}"
            )
        known = KINDS[self.kind].architectures
        if self.file and self.architecture not in known:
            raise RequestError(
                f"{self.title}: architecture={self.architecture}; original checkpoints of {self.kind} are read as: "
                f"{', '.join(known) or 'none'}"
            )
        if self.file and self.kind == "grounding_dino" and not self.text_encoder:
            raise RequestError(f"{self.title}: needs text_encoder, whose vocabulary it was trained with")

    def find(self) -> Path | None:
        """The folder, or the original checkpoint, on this machine; None where it is not there."""
        self.check()
        wanted = Path.is_file if self.file else Path.is_dir
        return next((place for place in self._places() if wanted(place)), None)

    def locate(self) -> Path:
        """As `find`, but raises RequestError where it is not there, and says how to get it."""
        found = self.find()
        if found is None:
            raise RequestError(f"{self.title}, {self.facts}: {self._absence()}{self.way_out}")
        return found

    def examine(self, checksum: bool = False) -> list[str]:
        """What is missing or damaged, a line each; of the text encoder, ask itself.

        Nothing is loaded; files are read whole only with `checksum`.
        """
        found = self.find()
        if found is None:
            return [self._absence()]
        faults = [file_fault(found)] if self.file else folder_faults(found, KINDS[self.kind])
        lines = [fault for fault in faults if fault]
        if checksum and self.sha256 and not lines:
            path = found if self.file else with_variants(found / KINDS[self.kind].file)
            if (actual := checksum_of(path)) != self.sha256:
                lines = [f"{path} has the SHA-256 {actual}, but {self.sha256} is expected"]
        return lines

    @property
    def digest(self) -> str:
        """Identity of the weights. Raises RequestError where they are not there."""
        found = self.locate()
        encoder = self.text_encoder.digest if self.text_encoder else ""
        identity = commit_of(found) or content_of(found)
        parts = [self.kind, (self.file and self.architecture) or "", identity, encoder]
        return xxh3_128_hexdigest("\n".join(parts).encode())

    @property
    def way_out(self) -> str:
        """How to get what is missing, to be put behind what is missing."""
        if not is_hub_id(self.source):
            return ""
        shelf = f" models.path={self.shelf}" if self.shelf else ""
        return f"; get it: restage models models={self.pack}{shelf} action=download"

    def _places(self) -> Iterator[Path]:
        return places(self.source, self.file, KINDS[self.kind].config, self.revision, self.shelf)

    def _absence(self) -> str:
        if not is_hub_id(self.source):
            return f"{next(self._places())} is not a {'file' if self.file else 'folder'}"
        return f"neither in {self.shelf} nor in the Hub cache" if self.shelf else "not in the Hub cache"


@dataclass(frozen=True)
class Pack:
    """Components by what they do; None for what the pack cannot do."""

    name: str
    path: str | None = None
    """A folder in which people keep weights, as `<source>`, as its last part, or a checkpoint under its own name."""
    detector: Component | None = None
    segmenter: Component | None = None
    tracker: Component | None = None
    matcher: Component | None = None
    base: Component | None = None
    controlnet: Component | None = None
    policy: Component | None = None
    pixels: Component | None = None
    clip: Component | None = None

    def __post_init__(self) -> None:
        for role, component in self.components.items():
            object.__setattr__(self, role, component.of(self.name, self.path))

    @property
    def components(self) -> dict[str, Component]:
        """Those that there are, by role."""
        return {role: component for role in ROLES if (component := getattr(self, role)) is not None}

    def check(self) -> None:
        """Raises RequestError naming all that is missing or damaged, or for what is made for another kind of base.

        Reads headers, not whole files.
        """
        for role, component in self.components.items():
            component.check()
            if self.base and role in PARTNERS and component.kind not in KINDS[self.base.kind].partners:
                raise RequestError(
                    f"models.{role}: {component.title} is not made for a base of kind={self.base.kind}; "
                    f"models.{role}=null leaves it out"
                )
        parts = [(role, part) for role, component in self.components.items() for part in component.parts]
        faults = [(role, part, fault) for role, part in parts for fault in part.examine()]
        if faults:
            lines = [f"{role}: {part.title}, {part.facts}: {fault}" for role, part, fault in faults]
            ways_out = sorted({part.way_out for _, part, _ in faults} - {""})
            raise RequestError(f"models={self.name} is not complete: {'; '.join(lines)}{''.join(ways_out)}")
