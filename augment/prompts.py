"""Words for new surroundings: a bank of rooms, dealt so that variants do not repeat each other.

What the instruction of an episode names is kept out of its surroundings: a second red cube would make it ambiguous, and
before a red wall the cube is harder to find.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from string import Formatter
from typing import Any

from augment.errors import RequestError
from augment.instructions import EMPTY, PLACES, SCENERY, named_things
from augment.types import Deals

DECKS = ("surface", "wall", "clutter")
"""What a template may ask for of a room."""
PARTS = (*DECKS, "room", "light")
ENDINGS = (("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"), ("ves", "fe"))


@dataclass(frozen=True)
class Room:
    """A kind of room with what is plausible in it: any surface goes with any wall and any clutter."""

    name: str
    """With its article: "a home kitchen"."""
    surfaces: tuple[str, ...]
    """What the robot's table is, without an article: "oak dining table"."""
    walls: tuple[str, ...] = ()
    """What lies behind, without an article."""
    clutter: tuple[str, ...] = ()
    """What stands in the background, out of the robot's reach, in the plural."""

    def deck(self, part: str) -> tuple[str, ...]:
        """The entries of one of `surface`, `wall` and `clutter`."""
        return {"surface": self.surfaces, "wall": self.walls, "clutter": self.clutter}[part]


@dataclass(frozen=True)
class PromptBank:
    """What prompts are made of. The default knows the neutral room only."""

    template: str = "photo of an empty {surface} in {room}, {wall} behind it"
    """Its {surface}, {room}, {wall}, {clutter} and {light} are filled in; a piece between commas for which nothing is
    left is left out."""
    rooms: tuple[Room, ...] = ()
    neutral: Room = field(default_factory=lambda: Room("a room", ("table",), ("plain wall",)))
    """Used where the instruction rules out all rooms."""
    light: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    """What a picture must not show, the same for all."""

    @property
    def decks(self) -> tuple[str, ...]:
        """What the template asks for of a room."""
        return tuple(part for part in DECKS if part in _asked(self.template))

    @property
    def longest(self) -> str:
        """The prompt with the most letters."""
        light = {"light": max(self.light, key=len)} if self.light else {}
        fillings = [
            {"room": room.name, **light, **{part: max(room.deck(part), key=len) for part in DECKS if room.deck(part)}}
            for room in (*self.rooms, self.neutral)
        ]
        return max((_filled(self.template, filling) for filling in fillings), key=len)

    def check(self) -> None:
        """Raises RequestError unless every room can fill the template and no entry occurs twice in a deck."""
        _check_template(self.template)
        _check_deck("rooms", [room.name for room in self.rooms], needed=False)
        _check_deck("light", self.light, needed="light" in _asked(self.template))
        for room in self.rooms:
            for part in DECKS:
                _check_deck(f"{part} of {room.name!r}", room.deck(part), needed=part in self.decks)
        for phrase in (self.neutral.name, *self.neutral.surfaces[:1]):
            if not set(_words(phrase)) <= SCENERY | EMPTY | PLACES:
                raise RequestError(
                    f"neutral room: {phrase!r} may be what an instruction names; its name and first surface have to be "
                    "words that nobody's instruction is about, such as 'a room' and 'table'"
                )
        _check_deck("surface of the neutral room", self.neutral.surfaces)


def draw_prompt(bank: PromptBank, deal: Deals) -> dict[str, Any]:
    """The words of one variant, as JSON values: `prompt`, `negative`, and `protected`, words kept out of the prompt.

    A room comes back when all others were used, then with another surface; a surface with another wall, and so on: none
    of n rooms' prompts repeats within n times as many variants as the poorest has combinations of these three.
    """
    protected = protected_words(deal.language)
    forms = frozenset[str]().union(*map(_forms, protected))
    rooms = {room.name: room for room in _left(bank, forms)}
    room = rooms[deal("prompt room", list(rooms))] if rooms else _without(bank.neutral, forms)
    filled, every = {"room": room.name}, max(1, len(rooms))
    for part in bank.decks:
        if cards := room.deck(part):
            filled[part] = deal(f"prompt {part}: {', '.join(filled.values())}", cards, every)
            every *= len(cards)
    if light := _free(bank.light, forms):
        filled["light"] = deal("prompt light", light)
    return {
        "prompt": _filled(bank.template, filled),
        "negative": ", ".join(bank.negative),
        "protected": sorted(protected),
    }


def protected_words(language: Iterable[str]) -> frozenset[str]:
    """Names and colours of what instructions are about, in lower case; not what all pictures show, such as tables."""
    things = [thing for instruction in language for thing in named_things(instruction)]
    words = {word for thing in things for word in _words(thing.phrase)}
    return frozenset(word for word in words if _forms(word).isdisjoint(SCENERY | EMPTY))


@lru_cache(maxsize=64)  # variants of an episode ask for the same
def _left(bank: PromptBank, forms: frozenset[str]) -> tuple[Room, ...]:
    """The rooms that can still fill the template, with what is left of them."""
    rooms = [_without(room, forms) for room in bank.rooms if _free([room.name], forms)]
    return tuple(room for room in rooms if all(room.deck(part) for part in bank.decks))


def _without(room: Room, forms: frozenset[str]) -> Room:
    return Room(room.name, *(_free(deck, forms) for deck in (room.surfaces, room.walls, room.clutter)))


def _free(deck: Iterable[str], forms: frozenset[str]) -> tuple[str, ...]:
    """The phrases in which none of the words occurs that have these forms."""
    return tuple(phrase for phrase in deck if not any(_forms(word) & forms for word in _words(phrase)))


def _words(phrase: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", phrase.lower().replace("gray", "grey"))


def _forms(word: str) -> frozenset[str]:
    """The word, and what it may be the plural of."""
    return frozenset({word} | {word.removesuffix(end) + one for end, one in ENDINGS if word.endswith(end)})


def _filled(template: str, parts: dict[str, str]) -> str:
    pieces = (piece for piece in template.split(", ") if _asked(piece) <= set(parts))
    return ", ".join(piece.format(**parts) for piece in pieces)


def _asked(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def _check_template(template: str) -> None:
    try:
        asked = _asked(template)
    except ValueError as error:
        raise RequestError(f"template={template!r}: {error}; write {{surface}} for what is filled in") from error
    if not asked <= set(PARTS) or "surface" not in asked:
        raise RequestError(
            f"template={template!r} asks for {sorted(asked)}; it needs surface, and may have {', '.join(PARTS[1:])}"
        )


def _check_deck(name: str, deck: Collection[str], needed: bool = True) -> None:
    if needed and not deck:
        raise RequestError(f"{name}: there are none; add some, or leave them out of the template")
    if twice := sorted(phrase for phrase, count in Counter(deck).items() if count > 1):
        raise RequestError(f"{name}: {twice[0]!r} occurs twice; variants would repeat")
    if any(not phrase.strip() for phrase in deck):
        raise RequestError(f"{name}: a phrase is empty; write what is to be seen, or take it out")
