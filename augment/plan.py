"""Deciding: recipe + seed -> plans. Every random choice of a variant is made here, before any pixel."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from math import gcd
from typing import Any

import numpy as np

from augment.errors import RequestError
from augment.types import Deals, Generates, Granularity, Plan, PlannedStep, Role


@dataclass(frozen=True)
class Step:
    """A named step of a recipe: a way to generate, with its options."""

    name: str
    method: str
    generator: Generates
    weight: int | None = None
    """Steps with one are alternatives: a variant gets one of them, each as often as its weight says. None: all do."""


@dataclass(frozen=True)
class Recipe:
    """What a user asks for."""

    variants: int
    """Augmented episodes per recorded one, at least 1."""
    preserve: tuple[Role, ...]
    """Roles whose pixels stay as recorded."""
    steps: tuple[Step, ...]
    """Carried out in order; each gets the picture that the one before it made."""
    moving: Granularity | None = None
    """How cameras that move are painted, frame by frame or by clips; None: they stay as recorded."""

    def __post_init__(self) -> None:
        if self.variants < 1:
            raise RequestError(f"recipe.variants={self.variants}; at least 1 is needed")
        if not self.steps:
            raise RequestError("recipe.steps is empty; a recipe needs at least one step, such as texture")
        for step in self.steps:
            if step.weight is not None and step.weight < 1:
                raise RequestError(
                    f"recipe.steps.{step.name}.weight={step.weight}; at least 1, or take the step out: "
                    f"~recipe.steps.{step.name}"
                )
        for name in self._alternatives or [""]:
            _check_order(self._with(name))
        if self.moving:
            self._check_moving(self.moving)

    def dealt(self, deal: Deals) -> tuple[Step, ...]:
        """The steps of one variant: of those with a weight the one whose card is dealt, and all others."""
        deck = [name for name, weight in self._alternatives.items() for _ in range(weight)]
        return self._with(deal("alternatives", deck)) if deck else self.steps

    def of(self, plan: Plan) -> list[tuple[Step, PlannedStep]]:
        """The steps that a plan of this recipe carries out."""
        steps = {step.name: step for step in self.steps}
        return [(steps[planned.name], planned) for planned in plan.steps]

    def filmed(self, plan: Plan) -> list[tuple[Step, PlannedStep]] | None:
        """The same before a camera that moves; None where that stays as recorded, or a step makes plates only."""
        if self.moving is None:
            return None
        steps = []
        for step, planned in self.of(plan):
            generator = step.generator.frame_by_frame(self.moving)
            if generator is None:
                return None
            steps.append((replace(step, generator=generator), planned))
        return steps

    def kept(self, steps: Iterable[tuple[Step, PlannedStep]] = ()) -> frozenset[Role]:
        """Roles that stay as recorded: `other`, which a person painted, is one unless these steps edit it."""
        edited = {step.generator.edits for step, _ in steps}
        return frozenset(self.preserve) | (frozenset({Role.OTHER}) - edited)

    def _check_moving(self, granularity: Granularity) -> None:
        if granularity == Granularity.PLATE:
            raise RequestError("recipe.moving=plate; one plate serves no camera that moves: clip, frame, or null")
        plates = [step.name for step in self.steps if step.generator.frame_by_frame(granularity) is None]
        if all(any(step.name in plates for step in self._with(name)) for name in self._alternatives or [""]):
            raise RequestError(
                f"recipe.moving={granularity}, but recipe.steps.{plates[0]} makes one plate for all frames; leave it "
                "out, or take a recipe that paints, such as recipe=outpaint"
            )

    @property
    def _alternatives(self) -> dict[str, int]:
        """Weights by name, in lowest terms."""
        weights = {step.name: step.weight for step in self.steps if step.weight}
        return {name: weight // gcd(*weights.values()) for name, weight in weights.items()}

    def _with(self, alternative: str) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if not step.weight or step.name == alternative)


def _check_order(steps: Sequence[Step]) -> None:
    filming = ""
    for step in steps:
        if filming and not step.generator.clip:
            raise RequestError(
                f"recipe.steps.{step.name} makes one plate for all frames, but {filming}, before it, paints frame by "
                "frame; put it first, or give both the same granularity"
            )
        filming = step.name if step.generator.clip else filming


def content_hash(value: Any) -> str:
    """16 hex digits for any JSON value; equal values, equal hashes."""
    return blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=8).hexdigest()


def random_for(*parts: object) -> np.random.Generator:
    """A generator of random numbers that depends on `parts` and nothing else."""
    digest = blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16, person=b"restage-plan-v1").digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


@dataclass(frozen=True)
class Dealer:
    """Deals a variant its cards: each deck is shuffled anew for every episode, and again whenever it is used up."""

    seed: int
    episode: str
    step: str
    variant: int
    attempt: int
    language: tuple[str, ...] = ()
    """The episode's instructions; no deck's order depends on them."""

    def __call__(self, deck: str, cards: Sequence[str], every: int = 1) -> str:
        """The card in this variant's place; another attempt takes the next one, so that it differs from the last."""
        round_, place = divmod(self.variant // every, len(cards))
        order = random_for(self.seed, self.episode, self.step, "deck", deck, round_).permutation(len(cards))
        return cards[int(order[(place + self.attempt) % len(cards)])]


def make_plan(
    recipe: Recipe,
    recipe_hash: str,
    seed: int,
    episode: str,
    variant: int,
    attempt: int,
    language: tuple[str, ...] = (),
) -> Plan:
    """Decide one variant of one episode. It does not depend on which other episodes or variants there are.

    `language` is what the episode was recorded with: generators that paint from words keep clear of what it names.
    """
    steps = []
    for step in recipe.dealt(Dealer(seed, episode, "", variant, 0)):  # whatever the attempt, so that shares are kept
        rng = random_for(seed, episode, variant, attempt, step.name)
        choices = step.generator.draw(rng, Dealer(seed, episode, step.name, variant, attempt, language))
        steps.append(PlannedStep(step.name, step.method, choices))
    return Plan(episode, variant, attempt, recipe_hash, tuple(steps))


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values, its id included."""
    record: dict[str, Any] = asdict(plan)
    return {"id": content_hash(record), **record}
