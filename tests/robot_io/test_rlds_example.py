"""The wire codec against protobuf itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_io.formats.rlds import example
from tests.robot_io.rlds_builder import Example, episode, payload

INT64 = st.integers(-(2**63), 2**63 - 1)
LISTS = st.one_of(
    st.lists(st.binary(max_size=200)),
    st.lists(st.floats(width=32, allow_nan=False), min_size=1).map(lambda items: np.array(items, np.float32)),
    st.lists(st.one_of(INT64, st.integers(-3, 300)), min_size=1).map(lambda items: np.array(items, np.int64)),
)
RECORDS = st.dictionaries(st.text(max_size=140), LISTS, max_size=6)


def field(tag: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([tag, len(content)]) + content


def record(feature: bytes, key: bytes = b"k") -> bytes:
    return field(0x0A, field(0x0A, field(0x0A, key) + field(0x12, feature)))


def plain(values: example.Values) -> list[object]:
    return [bytes(item) if isinstance(item, memoryview) else item for item in values]


@given(RECORDS)
def test_reads_what_protobuf_writes(values):
    stored = example.entries(payload(values))
    assert set(stored) == set(values)
    for key, expected in values.items():
        found = example.values(stored[key])
        assert plain(found) == list(expected)
        assert isinstance(found, list) or found.dtype == expected.dtype


@given(RECORDS, st.binary(max_size=300))
def test_replacing_changes_that_entry_alone(values, blob):
    values["\N{ROBOT FACE}"] = [b"old"]
    old = payload(values)
    new = example.replace(old, {"\N{ROBOT FACE}": [blob, b""]})
    assert Example.FromString(new) == Example.FromString(payload(values | {"\N{ROBOT FACE}": [blob, b""]}))
    before, after = example.entries(old), example.entries(new)
    assert list(before) == list(after)
    assert all(before[key] == after[key] for key in before if key != "\N{ROBOT FACE}")


def test_replacing_by_the_same_is_the_identity():
    values = episode(3)
    images = {key: values[key] for key in values if key.startswith("steps/observation/") and key[-5:] != "state"}
    assert len(images) == 4
    assert example.replace(payload(values), images) == payload(values)


@given(st.lists(st.tuples(st.booleans(), INT64), min_size=1, max_size=6))
def test_packed_and_single_integers_may_alternate(numbers):
    lists = b"".join(
        field(0x0A, _varint(number)) if packed else b"\x08" + _varint(number) for packed, number in numbers
    )
    stored = record(field(0x1A, lists))
    expected = [number for _, number in numbers]
    assert list(Example.FromString(stored).features.feature["k"].int64_list.value) == expected
    assert list(example.values(example.entries(stored)["k"])) == expected


def _varint(number: int) -> bytes:
    number &= 2**64 - 1
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def test_packed_and_single_floats_may_alternate():
    one, two, three = (np.float32(number).tobytes() for number in (1.5, -2.0, 0.25))
    stored = record(field(0x12, b"\x0d" + one + field(0x0A, two + three) + b"\x0d" + one))
    assert list(example.values(example.entries(stored)["k"])) == [1.5, -2.0, 0.25, 1.5]


def test_split_messages_merge_and_the_last_kind_counts():
    first, second, number = field(0x0A, field(0x0A, b"a")), field(0x0A, field(0x0A, b"b")), field(0x1A, b"\x08\x07")
    for feature in (first + second, number + first, first + number, number + first + second):
        stored = record(feature)
        message = Example.FromString(stored).features.feature["k"]
        expected = list(getattr(message, message.WhichOneof("kind")).value)
        assert plain(example.values(example.entries(stored)["k"])) == expected


def test_unknown_fields_and_overlong_lengths_survive():
    unknown = b"\x78\x05" + field(0x7A, b"future") + b"\x7d1234" + b"\x7912345678"
    other = b"\x0a\x87\x80\x00" + field(0x0A, b"o") + field(0x12, b"\x78\x01")
    wanted = field(0x0A, field(0x0A, b"k") + field(0x12, field(0x0A, field(0x0A, b"old"))))
    renewed = field(0x0A, field(0x0A, b"k") + field(0x12, field(0x0A, field(0x0A, b"new!"))))
    stored = unknown + field(0x0A, other + unknown + wanted) + unknown
    assert example.replace(stored, {"k": [b"new!"]}) == unknown + field(0x0A, other + unknown + renewed) + unknown


def test_a_repeated_key_means_its_last_entry():
    old, new = (field(0x0A, field(0x0A, b"k") + field(0x12, field(0x1A, b"\x08" + n))) for n in (b"\x01", b"\x02"))
    stored = field(0x0A, old + new)
    assert list(example.values(example.entries(stored)["k"])) == [2]
    assert set(map(bytes, example.values(example.entries(example.replace(stored, {"k": [b"x"]}))["k"]))) == {b"x"}


def test_an_empty_feature_holds_nothing():
    assert example.values(example.entries(record(b""))["k"]) == []


@pytest.mark.parametrize(
    "broken",
    [
        b"\x0a\x05abc",
        b"\x0a" + b"\xff" * 11,
        b"\x0b\x0c",
        field(0x0A, b"\x0a"),
        field(0x0A, field(0x0A, field(0x0A, b"\xff\xfe"))),
    ],
    ids=["cut", "endless number", "group", "no length", "key not UTF-8"],
)
def test_what_is_no_message_is_refused(broken):
    with pytest.raises(ValueError, match=r"."):
        example.entries(broken)


@pytest.mark.parametrize(
    "feature",
    [
        field(0x12, field(0x0A, b"12345")),
        field(0x1A, field(0x0A, b"\x80")),
        field(0x1A, field(0x0A, b"\x80" * 11 + b"\1")),
    ],
)
def test_broken_lists_are_refused(feature):
    entry = example.entries(record(feature))["k"]
    with pytest.raises(ValueError, match=r"."):
        example.values(entry)


@given(st.binary(max_size=60))
def test_random_bytes_either_parse_or_are_refused(blob):
    try:
        for entry in example.entries(blob).values():
            example.values(entry)
    except ValueError:
        return
    assert example.replace(blob, {}) is not None
