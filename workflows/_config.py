"""From the command line to typed objects; the only place that reads OmegaConf.

YAML groups give the defaults, the dataclasses in the code say what is allowed: a misspelt key, a wrong type or an
unknown name is refused with the names that exist.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from augment.check import CHECKS
from augment.compose import Composite, Light
from augment.errors import RequestError
from augment.generate import GENERATORS, Generator, Painted
from augment.models.packs import ROLES, Component, Pack
from augment.models.runtime import Runtime
from augment.pipeline import EXECUTORS, Flow, Perception
from augment.plan import Recipe, Step
from augment.prompts import PromptBank, Room
from augment.scene import Survey
from augment.segment import SEGMENTERS, Grounded
from augment.types import Role

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
PATH_KEYS = (
    "path",
    "keep_always",
    "masks",
    "references",
    "robot_masks",
    "object_masks",
    "source",
    "file",
    "prompts",
    "base",
    "autoencoder",
)
"""Values that Hydra's grammar must not take apart."""

T = TypeVar("T")


def load(workflow: str, overrides: Sequence[str]) -> DictConfig:
    """The workflow's configuration with the overrides applied. Raises RequestError."""
    pairs = [_split(override) for override in overrides]
    groups = {key: value for key, value in pairs if (CONFIGS / key).is_dir()}
    for key, value in groups.items():
        _check_option(key, value)
    base = _compose(workflow, [f"{key}={value}" for key, value in groups.items()])
    for key, value in pairs:
        if key not in groups:
            _check_key(base, key, value)
    config = _compose(workflow, [f"{key}={_quoted(key, value)}" for key, value in pairs])
    if "models" in groups:
        config.models.name = groups["models"]  # as it is said again, in messages
    return config


def typed(kind: type[T], node: DictConfig, where: str) -> T:
    """The dataclass `kind` from a node of the configuration called `where`. Raises RequestError."""
    try:
        merged: Any = OmegaConf.to_container(OmegaConf.merge(OmegaConf.structured(kind), node), throw_on_missing=True)
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", None)
        problem = str(error).splitlines()[0]
        raise RequestError(f"{where}.{key}: {problem}" if key else f"{where}: {problem}") from error
    made: T = _made(kind, merged)
    return made


def _made(kind: Any, values: Mapping[str, Any]) -> Any:
    """An instance of a dataclass from plain values; lists become tuples, parts that are dataclasses their defaults."""
    parts = {field.name for field in fields(kind) if is_dataclass(field.type)}
    return kind(
        **{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
            if name not in parts
        }
    )


def named(registry: Mapping[str, type[T]], node: DictConfig, where: str, key: str = "name") -> T:
    """The member of a registry that a node names. Raises RequestError listing the names that exist."""
    name = node[key]
    if name not in registry:
        raise RequestError(_unknown(f"{where}.{key}", str(name), registry))
    return typed(registry[name], OmegaConf.masked_copy(node, [str(item) for item in node if item != key]), where)


def build_flow(config: DictConfig) -> Flow:
    """Every step of the pipeline, its options checked against what exists. Raises RequestError."""
    return Flow(
        perception=build_perception(config),
        recipe=_recipe(config),
        composite=replace(typed(Composite, config.compose, "compose"), light=typed(Light, config.light, "light")),
        check=named(CHECKS, config.check, "check"),
        seed=whole_number(config, "seed"),
    )


def build_perception(config: DictConfig) -> Perception:
    """How layers are made. Raises RequestError."""
    segment = named(SEGMENTERS, config.segment, "segment")
    if isinstance(segment, Grounded):
        segment = replace(segment, pack=build_pack(config), runtime=build_runtime(config))
    segment.check()
    return Perception(typed(Survey, config.scene, "scene"), segment)


def build_pack(config: DictConfig) -> Pack:
    """The networks of `models=`; whether their weights are there is for `Pack.check` to say. Raises RequestError."""
    components = {role: _component(config.models[role], f"models.{role}") for role in ROLES}
    return Pack(str(config.models.name), text(config, "models.path"), **components)


def build_runtime(config: DictConfig) -> Runtime:
    """On what networks run. Raises RequestError where that cannot be had."""
    names = [field.name for field in fields(Runtime)]
    runtime = typed(Runtime, OmegaConf.masked_copy(config.models, names), "models")
    runtime.check()
    return runtime


def build_prompts(name: str, where: str) -> PromptBank:
    """The bank of that name in configs/prompts, or of a YAML file of one's own. Raises RequestError."""
    where = f"{where}={name}"
    written = _bank(name, where)
    rooms = _sections(written.pop("rooms", {}), f"{where}: rooms")
    neutral = _sections({"neutral": written.pop("neutral", None)}, where)
    bank = typed(PromptBank, OmegaConf.create(written), where)
    bank = replace(
        bank,
        rooms=tuple(typed(Room, room, f"{where}: rooms.{key}") for key, room in rooms.items()),
        neutral=typed(Room, neutral["neutral"], f"{where}: neutral") if neutral else bank.neutral,
    )
    try:
        bank.check()
    except RequestError as error:
        raise RequestError(f"{where}: {error}") from error
    return bank


def build_executor(config: DictConfig) -> Any:
    executor = named(EXECUTORS, config.executor, "executor")
    executor.check()
    return executor


def text(config: DictConfig, key: str) -> str | None:
    """A value as text, None where it is null. Raises RequestError where it is required and missing."""
    if OmegaConf.is_missing(*_parent(config, key)):
        raise RequestError(f"{key} is required: add {key}=...")
    value = OmegaConf.select(config, key)
    return None if value is None else str(value)


def required_path(config: DictConfig, key: str) -> Path:
    """A path that has to be given, with ~ expanded. Raises RequestError."""
    value = text(config, key)
    if not value:
        raise RequestError(f"{key} is required: add {key}=...")
    return Path(value).expanduser()


def flag(config: DictConfig, key: str) -> bool:
    """true or false. Raises RequestError."""
    value = OmegaConf.select(config, key)
    if not isinstance(value, bool):
        raise RequestError(f"{key}={value}: expected true or false")
    return value


def whole_number(config: DictConfig, key: str) -> int:
    """An integer. Raises RequestError."""
    value = OmegaConf.select(config, key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise RequestError(f"{key}={value}: expected a whole number")
    return value


def number(config: DictConfig, key: str) -> float:
    """A number. Raises RequestError."""
    value = OmegaConf.select(config, key)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise RequestError(f"{key}={value}: expected a number")
    return float(value)


def optional_number(config: DictConfig, key: str) -> int | None:
    """An integer or null. Raises RequestError."""
    return None if OmegaConf.select(config, key) is None else whole_number(config, key)


def describe(workflow: str) -> str:
    """The workflow's keys with their defaults, as YAML, and the options of its groups."""
    groups = [path.name for path in sorted(CONFIGS.iterdir()) if path.is_dir()]
    config = _compose(workflow, [])
    options = [f"{group}={' | '.join(_options_of(group))}" for group in groups if group in config]
    return "\n".join(["choose:", *(f"  {line}" for line in options), "", "set:", OmegaConf.to_yaml(config)])


def _recipe(config: DictConfig) -> Recipe:
    node = config.recipe
    steps = []
    for name, options in node.steps.items():
        where = f"recipe.steps.{name}"
        generator = _generator(config, options, where)
        generator.check()
        weight = whole_number(config, f"{where}.weight") if "weight" in options else None
        steps.append(Step(str(name), options.method, generator, weight))
    roles = node.preserve if isinstance(node.preserve, ListConfig) else [node.preserve]
    for role in roles:
        if role not in set(Role):
            raise RequestError(_unknown("recipe.preserve", str(role), list(Role)))
    return Recipe(whole_number(config, "recipe.variants"), tuple(Role(role) for role in roles), tuple(steps))


def _generator(config: DictConfig, options: DictConfig, where: str) -> Generator:
    """A way to generate; those that paint get the pack's networks and a bank of prompts."""
    own = OmegaConf.masked_copy(options, [str(key) for key in options if key not in ("prompts", "weight")])
    generator = named(GENERATORS, own, where, key="method")
    if not isinstance(generator, Painted):
        return generator
    bank = build_prompts(text(options, "prompts") or "rooms", f"{where}.prompts")
    return replace(generator, prompts=bank, pack=build_pack(config), runtime=build_runtime(config))


def _component(node: DictConfig | None, where: str) -> Component | None:
    if node is None:
        return None
    encoder = _component(node.get("text_encoder"), f"{where}.text_encoder")
    own = OmegaConf.masked_copy(node, [str(key) for key in node if key != "text_encoder"])
    component = replace(typed(Component, own, where), text_encoder=encoder)
    try:
        component.check()
    except RequestError as error:
        raise RequestError(f"{where}: {error}") from error
    return component


def _bank(name: str, where: str) -> dict[str, Any]:
    """A bank of prompts as it is written; with `extends`, added to the bank of that name."""
    known = sorted(path.stem for path in (CONFIGS / "prompts").glob("*.yaml"))
    if name in known:
        return _mapping(CONFIGS / "prompts" / f"{name}.yaml", where)
    if not name.endswith((".yaml", ".yml")):
        raise RequestError(f"{where}: known: {', '.join(known)}, or a YAML file of your own{_hint(name, known)}")
    own = _mapping(Path(name).expanduser(), where)
    base = own.pop("extends", None)
    if base is None:
        return own
    if base not in known:
        raise RequestError(f"{where}: {_unknown('extends', str(base), known)}")
    extended: dict[str, Any] = _extended(_bank(base, where), own)
    return extended


def _mapping(path: Path, where: str) -> dict[str, Any]:
    """A YAML file as plain values."""
    try:
        values = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except (OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException) as error:
        raise RequestError(f"{where} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise RequestError(f"{where} is a list; write keys, such as those of configs/prompts/rooms.yaml")
    return {str(key): value for key, value in values.items()}


def _extended(base: Any, own: Any) -> Any:
    """Mappings are merged, lists go on, all else is replaced."""
    if isinstance(base, dict) and isinstance(own, dict):
        return base | {key: _extended(base.get(key), value) for key, value in own.items()}
    if isinstance(base, list) and isinstance(own, list):
        return base + [item for item in own if item not in base]
    return own


def _sections(values: Any, where: str) -> dict[str, Any]:
    """The sections of a mapping; null for one is none."""
    if not isinstance(values, dict):
        raise RequestError(f"{where}: {values!r} is no mapping of names to sections")
    for key, value in values.items():
        if not isinstance(value, dict | None):
            raise RequestError(f"{where}: {key} is {value!r}; write its keys below it, or null to leave it out")
    return {str(key): OmegaConf.create(value) for key, value in values.items() if value is not None}


def _split(override: str) -> tuple[str, str]:
    key, equals, value = override.partition("=")
    if not equals or not key or key[0] in "+~-":
        raise RequestError(f"{override!r} is not key=value; keys are added or removed nowhere, only set")
    return key, value


def _quoted(key: str, value: str) -> str:
    is_text = key == "episodes" or key.rpartition(".")[2] in PATH_KEYS
    if not is_text or value in ("null", "") or value[0] in "\"'":
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _compose(workflow: str, overrides: list[str]) -> DictConfig:
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONFIGS), version_base="1.3"):
            return compose(workflow, overrides)
    except (HydraException, OmegaConfBaseException) as error:
        problem = next(line for line in str(error).splitlines() if line.strip())
        raise RequestError(f"the configuration cannot be read: {problem}") from error


def _check_option(group: str, option: str) -> None:
    """Several packs may be put together, as `models=[grounded_tiny,sd15]`."""
    known = _options_of(group)
    chosen = option.strip("[] ").split(",") if group == "models" else [option]
    for each in chosen:
        if each.strip() not in known:
            raise RequestError(_unknown(group, each.strip(), known))


def _options_of(group: str) -> list[str]:
    return sorted(path.stem for path in (CONFIGS / group).glob("[!_]*.yaml"))


def _check_key(config: DictConfig, key: str, value: str) -> None:
    node: Any = config
    parts = key.split(".")
    for depth, part in enumerate(parts):
        where = ".".join(parts[:depth]) or "the configuration"
        if not isinstance(node, DictConfig):
            raise RequestError(f"unknown key {key!r}: {where} is a single value")
        if part not in list(node):  # `in node` is false for required keys that are not given yet
            raise RequestError(f"unknown key {key!r}; {where} has: {', '.join(map(str, node))}{_hint(part, node)}")
        node = None if OmegaConf.is_missing(node, part) else node[part]
    if isinstance(node, DictConfig) and (value != "null" or parts[0] != "models"):  # a pack's network may be left out
        raise RequestError(f"{key!r} is a section; set one of {', '.join(f'{key}.{name!s}' for name in node)}")


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    known = list(known)
    return f"unknown {what}={name}; known: {', '.join(known)}{_hint(name, known)}"


def _hint(name: str, known: Iterable[Any]) -> str:
    close = get_close_matches(name, [str(item) for item in known], 1)
    return f". Did you mean {close[0]}?" if close else ""


def _parent(config: DictConfig, key: str) -> tuple[Any, str]:
    parent, _, last = key.rpartition(".")
    return (OmegaConf.select(config, parent) if parent else config), last
