"""What instructions of real datasets name."""

import pytest

from augment.instructions import named_things
from robot_io.types import Role

OBJECT, GOAL = Role.OBJECT, Role.GOAL


@pytest.mark.parametrize(
    ("instruction", "things"),
    [
        ("put the red cube on the blue coaster", [(OBJECT, "red cube"), (GOAL, "blue coaster")]),
        (
            "pick up the black bowl between the plate and the ramekin and place it on the plate",
            [(OBJECT, "black bowl"), (GOAL, "plate"), (GOAL, "ramekin")],
        ),
        ("open the top drawer of the cabinet", [(GOAL, "drawer"), (GOAL, "cabinet")]),
        ("turn on the stove and put the moka pot on it", [(GOAL, "stove"), (OBJECT, "moka pot")]),
        ("push the plate to the front of the stove", [(OBJECT, "plate"), (GOAL, "stove")]),
        ("Flip the switch.", [(GOAL, "switch")]),
        ("wipe the table with the cloth", [(OBJECT, "cloth")]),
        ("stack the green block on the yellow block", [(OBJECT, "green block"), (GOAL, "yellow block")]),
        ("Pick up the can", [(OBJECT, "can")]),
        ("the robot picks up the red cube and is placing it into the bin", [(OBJECT, "red cube"), (GOAL, "bin")]),
        ("knock the coke can over", [(OBJECT, "coke can")]),
        ("unplug the charger", [(OBJECT, "charger")]),
        ("move the robot arm to the left", []),
        ("", []),
    ],
)
def test_what_moves_and_what_does_not(instruction: str, things: list[tuple[Role, str]]) -> None:
    assert [(thing.role, thing.phrase) for thing in named_things(instruction)] == things
