"""Which words are asked for which role."""

from collections.abc import Sequence
from dataclasses import dataclass

from augment.errors import RequestError
from augment.instructions import named_things
from augment.types import Role

LONGEST = 12  # words


@dataclass(frozen=True)
class Prompt:
    """A phrase that a detector is asked for."""

    role: Role
    phrase: str


def prompts_for(
    language: Sequence[str], robot: Sequence[str], things: Sequence[str], goals: Sequence[str]
) -> tuple[Prompt, ...]:
    """Phrases of the robot, of what it moves and of what the task is about, each once.

    `things` and `goals` are what a person wrote; where they wrote neither, the instruction tells both.
    """
    asked = [Prompt(Role.ROBOT, phrase) for phrase in robot]
    asked += [Prompt(Role.OBJECT, phrase) for phrase in things] + [Prompt(Role.GOAL, phrase) for phrase in goals]
    if not things and not goals:
        asked += [Prompt(thing.role, thing.phrase) for text in language for thing in named_things(text)]
    return tuple({prompt.phrase: prompt for prompt in reversed(asked)}.values())[::-1]


def check_phrases(**phrases: Sequence[str]) -> None:
    """Raises RequestError for a phrase that is empty or too long, and where there is none for the robot."""
    for option, given in phrases.items():
        if any(not phrase.strip() for phrase in given):
            raise RequestError(f"segment.{option}={list(given)}: a phrase is empty; write what is to be found, or []")
        for phrase in given:
            if len(phrase.split()) > LONGEST:
                raise RequestError(
                    f"segment.{option}: {phrase!r} has {len(phrase.split())} words; a phrase names a thing in "
                    f"{LONGEST} at most, such as 'red cube'"
                )
    if not phrases["robot"]:
        raise RequestError("segment.robot=[]: without a robot nothing is restaged; write what it looks like")
