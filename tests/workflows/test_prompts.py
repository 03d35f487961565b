"""Banks of prompts, those that ship and a user's own."""

from pathlib import Path

import pytest

from augment.errors import RequestError
from augment.prompts import PromptBank
from workflows._config import CONFIGS, build_prompts

OWN = """
extends: rooms
light: [pale winter light, grey overcast daylight]
rooms:
  kitchen: null
  garage: {walls: [blue tarpaulin]}
  barn: {name: a barn, surfaces: [oak plank table], walls: [plank wall], clutter: [hay bales]}
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "own.yaml"


def build(path: Path, text: str) -> PromptBank:
    path.write_text(text)
    return build_prompts(str(path), "prompts")


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONFIGS / "prompts").iterdir()))
def test_banks_that_ship_are_sound(name: str) -> None:
    assert build_prompts(name, "prompts").rooms


def test_a_bank_of_ones_own_adds_to_one_that_ships(written: Path) -> None:
    shipped, own = build_prompts("rooms", "prompts"), build(written, OWN)
    before, after = ({room.name: room for room in bank.rooms} for bank in (shipped, own))
    assert after.keys() == before.keys() - {"a home kitchen"} | {"a barn"}
    assert after["a barn"].clutter == ("hay bales",)
    assert after["a garage"].walls == (*before["a garage"].walls, "blue tarpaulin")
    assert after["a garage"].surfaces == before["a garage"].surfaces
    assert own.light == (*shipped.light, "pale winter light")
    assert (own.template, own.neutral, own.negative) == (shipped.template, shipped.neutral, shipped.negative)


def test_a_bank_may_stand_alone(written: Path) -> None:
    bank = build(written, "rooms: {barn: {name: a barn, surfaces: [bench], walls: [plank wall]}}")
    assert [room.name for room in bank.rooms] == ["a barn"]
    assert bank.neutral == PromptBank().neutral


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("extends: roms", "unknown extends=roms; known: rooms, tabletop. Did you mean rooms"),
        ("a: [1", "cannot be read: while parsing"),
        ("- 1", "is a list; write keys"),
        ("lihgt: [a]", "Key 'lihgt' not in 'PromptBank'"),
        ("light: soft", "light: Invalid value"),
        ("extends: rooms\nlight: [null]", "light.*NoneType"),
        ("light: ['${nowhere}']", "cannot be read: Interpolation key 'nowhere' not found"),
        ("rooms: [barn]", "rooms: .'barn'. is no mapping"),
        ("rooms: {barn: a barn}", "rooms: barn is 'a barn'; write its keys below it"),
        ("rooms: {barn: {name: a barn}}", "rooms.barn.surfaces: Missing mandatory"),
        ("rooms: {barn: {name: a barn, surface: [x]}}", "rooms.barn.surface: Key 'surface' not in 'Room'"),
        ("neutral: {name: a red room, surfaces: [table]}", "'a red room' may be what an instruction names"),
    ],
)
def test_banks_that_cannot_be_used(written: Path, text: str, problem: str) -> None:
    with pytest.raises(RequestError, match=problem) as raised:
        build(written, text)
    assert str(raised.value).startswith(f"prompts={written}")


def test_banks_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"prompts=room: known: rooms, tabletop, or a YAML file.*Did you mean rooms"):
        build_prompts("room", "prompts")
    with pytest.raises(RequestError, match=r"cannot be read: .*No such file"):
        build_prompts(str(tmp_path / "none.yaml"), "prompts")
