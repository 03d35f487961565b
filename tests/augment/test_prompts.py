"""Prompts of variants, on banks that ship and on one small enough to count."""

import json
import re
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.errors import RequestError
from augment.plan import Dealer
from augment.prompts import PromptBank, Room, draw_prompt, protected_words
from robot_io.tabletop.captions import describe_scene
from robot_io.tabletop.scene import sample_scene
from robot_io.tabletop.spec import TabletopSpec
from workflows._config import build_prompts

ROOMS, TABLETOP = (build_prompts(name, "prompts") for name in ("rooms", "tabletop"))
SMALL = PromptBank(
    template="{surface} in {room}, {wall}, {clutter}, {light}",
    rooms=(
        Room("hall", ("oak", "steel"), ("brick", "plaster"), ("racks", "chairs")),
        Room("den", ("pine", "slate", "glass"), ("paper", "cork"), ("sofas", "lamps")),
    ),
    light=("noon", "dusk", "dawn"),
)
CLOTHED = (
    "red",
    "blue",
    "green",
    "yellow",
    "orange",
    "pink",
    "purple",
    "white",
    "black",
    "grey",
    "gray",
    "brown",
    "beige",
)
MADE_OF = ("wooden", "wood", "metal", "steel", "plastic", "glass", "paper", "cardboard", "ceramic", "rubber", "stone")


def deal(bank: PromptBank, count: int, *language: str, seed: int = 7, episode: str = "e") -> list[str]:
    return [draw_prompt(bank, Dealer(seed, episode, "s", variant, 0, language))["prompt"] for variant in range(count)]


@pytest.fixture(scope="module")
def thousand() -> list[str]:
    return deal(ROOMS, 1000)


def test_a_thousand_variants_of_an_episode_do_not_repeat(thousand: list[str]) -> None:
    assert len(set(thousand)) == 1000


def test_every_entry_comes_up(thousand: list[str]) -> None:
    for room in ROOMS.rooms:
        own = [prompt for prompt in thousand if f" in {room.name}, " in prompt]
        for entry in (*room.surfaces, *room.walls, *room.clutter):
            assert any(entry in prompt for prompt in own), (room.name, entry)
    assert all(any(light in prompt for prompt in thousand) for light in ROOMS.light)


def test_rooms_come_in_turn_and_each_time_look_different(thousand: list[str]) -> None:
    number = len(ROOMS.rooms)
    for start in (0, number, 2 * number):
        assert len({room_of(prompt) for prompt in thousand[start : start + number]}) == number
    for room in ROOMS.rooms:
        own = [prompt.split(" in ")[0] for prompt in thousand if room_of(prompt) == room.name]
        assert len(set(own[: len(room.surfaces)])) == len(room.surfaces)


def room_of(prompt: str) -> str:
    return prompt.partition(" in ")[2].partition(", ")[0]


def test_every_combination_of_a_room_comes_once_before_one_comes_twice() -> None:
    prompts = deal(SMALL, 24)
    for room in SMALL.rooms:
        own = [prompt.rpartition(", ")[0] for prompt in prompts if room_of(prompt) == room.name]
        combinations = {
            f"{surface} in {room.name}, {wall}, {clutter}"
            for surface, wall, clutter in product(room.surfaces, room.walls, room.clutter)
        }
        assert set(own[: len(combinations)]) == combinations
        assert len(own) >= len(combinations)


def test_the_seed_and_the_episode_decide() -> None:
    first = deal(ROOMS, 6)
    assert deal(ROOMS, 9)[:6] == first
    assert deal(ROOMS, 6, seed=8) != first
    assert deal(ROOMS, 6, episode="f") != first


def test_another_attempt_is_another_room() -> None:
    attempts = [draw_prompt(ROOMS, Dealer(7, "e", "s", 3, attempt))["prompt"] for attempt in range(5)]
    assert len({room_of(prompt) for prompt in attempts}) == 5


def test_choices_are_json() -> None:
    choices = draw_prompt(ROOMS, Dealer(7, "e", "s", 0, 0, ("put the red mug on the shelf",)))
    assert json.loads(json.dumps(choices)) == choices
    assert choices["protected"] == ["mug", "red", "shelf"]
    assert "extra robot arms" in choices["negative"]


FUNCTION_WORDS = {"a", "an", "and", "by", "from", "in", "on", "s"}
VOCABULARY = sorted(
    {
        word
        for room in (*ROOMS.rooms, ROOMS.neutral)
        for phrase in (room.name, *room.surfaces, *room.walls, *room.clutter, *ROOMS.light)
        for word in re.findall(r"\w+", phrase)
    }
    - FUNCTION_WORDS
)


@settings(max_examples=60)
@given(
    words=st.lists(st.sampled_from([*VOCABULARY, "plates", "tables", "gray", "photo"]), min_size=1, max_size=8),
    plural=st.booleans(),
    variant=st.integers(0, 5000),
)
def test_what_an_instruction_names_never_occurs(words: list[str], plural: bool, variant: int) -> None:
    """Whatever it names: the bank's own words are the worst that can be said."""
    language = tuple(f"put the {word}{'s' * plural} on the plate" for word in words)
    prompt = draw_prompt(ROOMS, Dealer(7, "e", "s", variant, 0, language))["prompt"]
    said = re.sub(r"^photo of an empty |behind it|far in the background|realistic|sharp focus", "", prompt)
    for word in protected_words(language):
        one = word.removesuffix("s")
        assert not re.search(rf"\b{one}(s|es)?\b", said), (word, prompt)


@pytest.mark.parametrize(
    ("instruction", "entry"),
    [
        ("take the box", "boxes"),
        ("take the knives", "knife"),
        ("pick the berry", "berries on a shelf"),
        ("put it on the shelf", "book shelves"),
        ("wash the glasses", "glass wall"),
        ("lift the gray cup", "grey wall"),
        ("fold the Red-white towel", "white tiles"),
    ],
)
def test_singular_plural_and_spelling(instruction: str, entry: str) -> None:
    bank = replace(SMALL, light=("noon", entry))
    assert all(entry not in prompt for prompt in deal(bank, 6, instruction))
    assert any(entry in prompt for prompt in deal(bank, 6, "take the scarred lamp stand"))


def test_parts_of_words_are_free() -> None:
    assert any("colored" in prompt for prompt in deal(replace(SMALL, light=("colored noon",)), 3, "pick the red cup"))


def test_a_room_that_lacks_something_is_left_out_and_at_last_the_neutral_one_is_used() -> None:
    assert {room_of(prompt) for prompt in deal(SMALL, 6, "put the brick on the plaster")} == {"den"}
    instructions = ("put the brick on the plaster", "pick the sofa", "pick the lamp")
    assert {prompt.rpartition(", ")[0] for prompt in deal(SMALL, 6, *instructions)} == {"table in a room, plain wall"}
    everything = (*instructions, "pick the plain dawn", "pick the noon", "take the dusk")
    assert set(deal(SMALL, 6, *everything)) == {"table in a room"}


@pytest.mark.parametrize("word", [*CLOTHED, *MADE_OF])
def test_no_colour_and_no_material_rules_a_room_out(word: str) -> None:
    prompts = deal(ROOMS, len(ROOMS.rooms), f"put the {word} cube on the mat")
    assert {room_of(prompt) for prompt in prompts} == {room.name for room in ROOMS.rooms}


def test_nothing_is_cut_off_by_a_text_encoder() -> None:
    """CLIP reads 75 tokens; by its own vocabulary the longest of these has 43, the negative one 53."""
    longest = [
        ROOMS.template.format(
            room=room.name,
            light=max(ROOMS.light, key=pieces),
            **{part: max(room.deck(part), key=pieces) for part in ("surface", "wall", "clutter")},
        )
        for room in ROOMS.rooms
    ]
    assert max(map(pieces, longest)) <= 50
    assert len(ROOMS.longest) >= max(map(len, longest))
    assert pieces(", ".join(ROOMS.negative)) <= 60


def pieces(text: str) -> int:
    """Words and punctuation marks; a token each, as nearly all are common words."""
    return len(re.findall(r"\w+|[^\w\s]", text))


def test_the_bank_is_as_large_as_its_page_says() -> None:
    combinations = [len(room.surfaces) * len(room.walls) * len(room.clutter) for room in ROOMS.rooms]
    assert (len(ROOMS.rooms), len(ROOMS.light), min(combinations)) == (30, 14, 64)
    assert sum(combinations) * len(ROOMS.light) == 28224


def test_the_small_world_is_described_in_words_of_its_captions() -> None:
    spec = TabletopSpec(episodes=8)
    room = TABLETOP.rooms[0]
    every = {TABLETOP.template.format(surface=one, wall=other) for one, other in product(room.surfaces, room.walls)}
    assert {describe_scene(sample_scene(spec.random(index)), empty=True) for index in range(8)} <= every
    assert set(deal(TABLETOP, len(every))) == every


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"template": "a {surface} in {rom}"}, "asks for.*rom"),
        ({"template": "a {surface"}, "write {surface}"),
        ({"template": "a room"}, "it needs surface"),
        ({"light": ()}, "light: there are none"),
        ({"light": ("noon", " ")}, "a phrase is empty"),
        ({"rooms": (*SMALL.rooms, SMALL.rooms[0])}, "'hall' occurs twice"),
        ({"rooms": (Room("hall", ("oak",), (), ("racks",)),)}, "wall of 'hall': there are none"),
        ({"neutral": Room("a red room", ("table",))}, "'a red room' may be what an instruction names"),
        ({"neutral": Room("a room", ())}, "surface of the neutral room: there are none"),
    ],
)
def test_banks_of_no_use(change: dict, problem: str) -> None:
    SMALL.check()
    PromptBank().check()
    with pytest.raises(RequestError, match=problem):
        replace(SMALL, **change).check()


def test_what_all_pictures_show_is_not_protected() -> None:
    assert protected_words(["wipe the tables with the sponge", "put it on the kitchen counter"]) == {"sponge"}
    assert not protected_words([]) | protected_words([""])
