"""What an instruction names: the thing that is manipulated, and what the task is about but does not move."""

import re
from dataclasses import dataclass

from robot_io.types import Role

VERBS = {
    "put", "place", "pick", "move", "take", "lift", "grasp", "grab", "push", "pull", "slide", "stack", "open", "close",
    "turn", "press", "pour", "insert", "flip", "rotate", "fold", "wipe", "hang", "bring", "drop", "reach", "touch",
    "switch", "unfold", "remove", "sweep", "hold", "set", "throw", "hand", "use", "get", "stir", "shut",
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
FIXTURES = {
    "drawer", "cabinet", "door", "sink", "plate", "lever", "stove", "burner", "switch", "button", "knob", "handle",
    "microwave", "oven", "fridge", "shelf", "rack", "basket", "bin", "box", "tray", "faucet", "tap", "coaster", "pad",
    "dishwasher", "caddy", "hook", "holder",
}  # fmt: skip
SCENERY = {
    "table", "tabletop", "counter", "countertop", "desk", "floor", "wall", "room", "surface", "scene", "robot", "arm",
    "hand", "gripper", "position", "place", "air",
}  # fmt: skip
MOVES_NOTHING = {"open", "close", "shut", "turn", "press", "switch", "push", "pull", "slide"}
"""Verbs that act on a fixture in its place, where what they act on is one."""


@dataclass(frozen=True)
class NamedThing:
    """A noun phrase of an instruction, in lower case and without its article."""

    role: Role
    phrase: str


def named_things(instruction: str) -> tuple[NamedThing, ...]:
    """What `instruction` is about, in its order, each phrase once: `object` what a verb moves, `goal` the rest.

    By the words around: what follows a verb is moved, unless the verb leaves such a thing in its place ("open the
    drawer"); what follows a preposition is a place. Tables, walls and the robot are nobody's goal.
    """
    found: dict[str, NamedThing] = {}
    verb, after_verb, words = "", True, []
    for word in [*re.findall(r"[a-z0-9'-]+|[.,;]", instruction.lower()), "."]:
        if word in VERBS or word in PLACES or word in BREAKS or word in ".,;":
            _note(words, verb if after_verb else "", found)
            words = []
            if word in VERBS:
                verb, after_verb = word, True
            elif word in PLACES:
                after_verb = False
        elif word not in EMPTY:
            words.append(word)
    return tuple(found.values())


def _note(words: list[str], verb: str, found: dict[str, NamedThing]) -> None:
    if not words or words[-1] in SCENERY:
        return
    stays = not verb or (verb in MOVES_NOTHING and words[-1] in FIXTURES)
    phrase = " ".join(words)
    found.setdefault(phrase, NamedThing(Role.GOAL if stays else Role.OBJECT, phrase))
