import json

import numpy as np
import pytest

from augment.errors import RequestError
from augment.generate import Texture
from augment.plan import Recipe, Step, content_hash, make_plan, plan_json, random_for
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
