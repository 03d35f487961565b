"""What an instruction names: the thing that is manipulated, and what the task is about but does not move."""

import re
from dataclasses import dataclass

from robot_io.types import Role

VERBS = {
    "put", "place", "pick", "move", "take", "lift", "grasp", "grab", "push", "pull", "slide", "stack", "open", "close",
    "turn", "press", "pour", "insert", "flip", "rotate", "fold", "wipe", "hang", "bring", "drop", "reach", "touch",
    "switch", "unfold", "remove", "sweep", "hold", "set", "throw", "hand", "use", "get", "stir", "shut", "knock",
    "plug", "unplug", "cover", "uncover", "load", "unload", "scoop", "squeeze", "shake", "tilt", "screw", "unscrew",
    "lay", "transfer", "fetch", "give", "carry", "toss", "wash", "clean", "dry", "cut", "slice", "roll", "spread",
    "retrieve",
}  # fmt: skip
PLACES = {
    "on", "onto", "in", "into", "inside", "to", "from", "at", "under", "below", "above", "over", "near", "beside",
    "behind", "between", "off", "out", "against", "of", "with", "upon", "toward", "towards", "around", "by",
}  # fmt: skip
BREAKS = {
    "and", "then", "it", "them", "up", "down", "away", "back", "next", "so", "that", "which", "is", "are", "while",
}  # fmt: skip
EMPTY = {
    "the", "a", "an", "this", "some", "its", "his", "her", "your", "front", "side", "top", "left", "right", "middle",
    "center", "centre", "edge", "corner", "end", "other",
}  # fmt: skip
ATTACHED = {
    "drawer", "cabinet", "door", "sink", "lever", "stove", "burner", "switch", "button", "knob", "handle", "microwave",
    "oven", "fridge", "shelf", "rack", "faucet", "tap", "dishwasher", "hook", "light", "lamp",
}  # fmt: skip
SCENERY = {
    "table", "tabletop", "counter", "countertop", "desk", "floor", "wall", "room", "surface", "scene", "robot", "arm",
    "hand", "gripper", "position", "place", "air",
}  # fmt: skip


@dataclass(frozen=True)
class NamedThing:
    """A noun phrase of an instruction, in lower case and without its article."""

    role: Role
    phrase: str


def named_things(instruction: str) -> tuple[NamedThing, ...]:
    """What `instruction` is about, in its order, each phrase once: `object` what a verb moves, `goal` the rest.

    By the words around: what follows a verb, or "with", is moved, unless it is attached to something ("open the
    drawer"); what follows another preposition is a place. Tables, walls and the robot are nobody's goal.
    """
    found: dict[str, NamedThing] = {}
    moved, words, before = False, list[str](), ""
    for word in [*re.findall(r"[a-z0-9'-]+|[.,;]", instruction.lower()), "."]:
        is_verb = _is_verb(word) and before not in EMPTY
        if is_verb or word in PLACES or word in BREAKS or word in ".,;":
            _note(words, moved, found)
            words = []
            if is_verb or word in PLACES:
                moved = is_verb or word == "with"
        elif word not in EMPTY:
            words.append(word)
        before = word
    return tuple(found.values())


def _is_verb(word: str) -> bool:
    """As it is, or as in "picks", "picking", "placing"."""
    stems = {word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ing")}
    return bool(stems & VERBS) or (word.endswith("ing") and word.removesuffix("ing") + "e" in VERBS)


def _note(words: list[str], moved: bool, found: dict[str, NamedThing]) -> None:
    if not words or words[-1] in SCENERY:
        return
    role = Role.OBJECT if moved and words[-1] not in ATTACHED else Role.GOAL
    phrase = " ".join(words)
    found.setdefault(phrase, NamedThing(role, phrase))
