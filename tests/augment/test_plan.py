import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from augment.errors import RequestError
from augment.generate import Generator, Photo, Texture
from augment.plan import Dealer, Recipe, Step, content_hash, make_plan, plan_json, random_for
from augment.types import Role


def recipe(variants: int = 2) -> Recipe:
    return Recipe(variants, tuple(Role)[:4], (Step("background", "texture", Texture()),))


def test_same_request_same_plan() -> None:
    assert make_plan(recipe(), "r", 7, "e", 1, 0) == make_plan(recipe(), "r", 7, "e", 1, 0)


@pytest.mark.parametrize("change", [{"seed": 8}, {"episode": "f"}, {"variant": 2}, {"attempt": 1}])
def test_another_seed_episode_variant_or_attempt_draws_anew(change: dict) -> None:
    request = {"seed": 7, "episode": "e", "variant": 1, "attempt": 0}
    before = make_plan(recipe(), "r", **request)
    after = make_plan(recipe(), "r", **(request | change))
    assert before.steps[0].choices != after.steps[0].choices


def test_a_plan_is_json_and_its_id_its_hash() -> None:
    record = json.loads(json.dumps(plan_json(make_plan(recipe(), "r", 7, "e", 1, 0))))
    identity = record.pop("id")
    assert content_hash(record) == identity


def test_parts_of_a_seed_are_kept_apart() -> None:
    assert random_for("a", "bc").random() != random_for("ab", "c").random()
    assert np.array_equal(random_for(1, "x").random(4), random_for(1, "x").random(4))


def test_recipes_that_ask_for_nothing() -> None:
    with pytest.raises(RequestError, match=r"recipe\.variants=0"):
        recipe(0)
    with pytest.raises(RequestError, match=r"recipe\.steps is empty"):
        Recipe(1, (), ())


def mixture(*weights: int | None) -> Recipe:
    return Recipe(5, tuple(Role)[:4], tuple(Step(f"s{n}", "texture", Texture(), w) for n, w in enumerate(weights)))


def names(recipe: Recipe, episode: str, variant: int, attempt: int = 0) -> list[str]:
    return [step.name for step in make_plan(recipe, "r", 7, episode, variant, attempt).steps]


def test_alternatives_come_as_often_as_their_weights_say() -> None:
    recipe = mixture(40, 20, None, 40)
    for episode in ("e", "f", "g"):
        dealt = [tuple(names(recipe, episode, variant)) for variant in range(10)]
        for five in (dealt[:5], dealt[5:]):
            assert sorted(five) == [("s0", "s2"), ("s0", "s2"), ("s1", "s2"), ("s2", "s3"), ("s2", "s3")]
    firsts = Counter(names(recipe, f"episode {number}", 0)[0] for number in range(300))
    assert firsts["s1"] in range(40, 80), "one variant an episode: as often over the episodes"


def test_a_variant_that_is_turned_down_keeps_its_alternative() -> None:
    recipe = mixture(1, 1, 1)
    assert all(len({tuple(names(recipe, "e", variant, attempt)) for attempt in range(4)}) == 1 for variant in range(6))


def test_a_plan_finds_its_steps_again() -> None:
    recipe = mixture(1, None, 1)
    plan = make_plan(recipe, "r", 7, "e", 0, 0)
    assert [(step.name, step.generator) for step, _ in recipe.of(plan)] == [
        (planned.name, Texture()) for planned in plan.steps
    ]


def test_a_weight_of_nothing() -> None:
    with pytest.raises(RequestError, match=r"recipe\.steps\.s1\.weight=0; at least 1, or take the step out"):
        mixture(1, 0)


CARDS = [f"card {number}" for number in range(5)]


def dealt(episode: str, count: int, attempt: int = 0) -> list[str]:
    return [Dealer(7, episode, "background", variant, attempt)("wall", CARDS) for variant in range(count)]


def test_no_card_comes_twice_before_all_came_once() -> None:
    hands = [dealt(f"episode {number}", 12) for number in range(6)]
    for hand in hands:
        assert sorted(hand[:5]) == sorted(hand[5:10]) == CARDS
    assert len({tuple(hand[:5]) for hand in hands}) > 3, "every episode has a deck of its own"
    assert any(hand[:5] != hand[5:10] for hand in hands), "a deck is shuffled again when it is used up"


def test_a_card_that_goes_with_another_deck_changes_with_its_rounds() -> None:
    dealers = [Dealer(7, "e", "background", variant, 0) for variant in range(15)]
    pairs = {(dealer("family", CARDS[:3]), dealer("colour", CARDS, every=3)) for dealer in dealers}
    assert len(pairs) == 15


def test_another_attempt_gets_another_card() -> None:
    for first, second, third in zip(*(dealt("e", 10, attempt) for attempt in range(3)), strict=True):
        assert len({first, second, third}) == 3


def test_materials_of_an_episode_do_not_repeat() -> None:
    plans = [make_plan(recipe(), "r", 7, "e", variant, 0) for variant in range(6)]
    for place in ("wall", "support"):
        assert len({plan.steps[0].choices[place]["family"] for plan in plans}) == 6
    assert [make_plan(recipe(9), "r", 7, "e", variant, 0) for variant in range(6)] == plans


@pytest.mark.parametrize(("name", "known"), [("texture", "6f068e6ff40694a8"), ("photo", "6f877ebee0a08792")])
def test_plans_are_what_they_always_were_whatever_the_instruction(name: str, known: str, tmp_path: Path) -> None:
    """A plan that changes is work that is done again, and another dataset from the same recipe."""
    for number in range(3):
        Image.fromarray(np.full((4, 4, 3), number, np.uint8)).save(tmp_path / f"{number}.png")
    generator: Generator = Photo(str(tmp_path)) if name == "photo" else Texture()
    asked = Recipe(2, tuple(Role)[:4], (Step("background", name, generator),))
    for language in ((), ("put the red cube on the plate",)):
        plans = [
            make_plan(asked, "r", 7, "e", variant, attempt, language) for variant in range(5) for attempt in range(2)
        ]
        assert content_hash([plan_json(plan) for plan in plans]) == known
