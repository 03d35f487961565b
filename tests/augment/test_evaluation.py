import base64
import io
import re

import numpy as np
from PIL import Image

from augment.evaluation import Story, contact_sheet, overlay, render_report, variety
from augment.evaluation.report import histogram
from augment.types import Role
from tests.scenes import crossing_square, wall

SUMMARY = {
    "episodes": 2,
    "variants": {"done": 3, "left": 0, "rejected": 1, "failed": 0},
    "seconds_in_all": 12.0,
    "cameras": {"front": {"restaged": 3}},
    "repainted_share": 0.8125,
    "preserve": {"robot": "provided for 2 of 2 cameras"},
    "quarantined": [{"episode": "demo_7", "reason": "a <b> & c"}],
    "failed": [],
    "rejected": [{"episode": "demo_1", "variant": 0, "reason": "keep mask is empty"}],
}


def test_masks_are_drawn_where_they_are() -> None:
    frames, masks = crossing_square()
    drawn = overlay(frames, {Role.ROBOT: masks})
    np.testing.assert_array_equal(drawn[~masks], frames[~masks])
    assert (drawn[masks] != frames[masks]).any(axis=-1).all()


def test_a_sheet_holds_every_picture() -> None:
    frames, _ = crossing_square()
    one = contact_sheet([("a", list(frames[:2]))])
    two = contact_sheet([("a", list(frames[:2])), ("b", list(frames[:5]))])
    assert two.shape[0] > 1.9 * one.shape[0]
    assert two.shape[1] > 2 * one.shape[1]


def test_a_report_needs_nothing_but_itself() -> None:
    frames, _ = crossing_square()
    stories = [Story("demo_0 <front>", frames[0], list(frames)), Story("demo_1", frames[0], [])]
    html = render_report("Restage", SUMMARY, {"kept_share": [0.1, 0.2, 0.2]}, stories)
    assert not re.search(r'(src|href)="(?!data:)', html)
    assert "a &lt;b&gt; &amp; c" in html
    assert "keep mask is empty" in html
    assert "81.2 % of the picture" in html
    embedded = re.findall(r'src="data:image/(\w+);base64,([^"]+)"', html)
    assert [kind for kind, _ in embedded] == ["jpeg", "webp", "jpeg"]
    with Image.open(io.BytesIO(base64.b64decode(embedded[1][1]))) as animation:
        assert animation.n_frames == len(frames)


def test_a_histogram_counts_every_value() -> None:
    values = [0.1, 0.1, 0.5, 0.9, 0.90001]
    rows = histogram("kept_share", values)
    assert sum(row["count"] for row in rows) == len(values)
    assert max(row["width"] for row in rows) == 240


def test_variety_is_the_distance_between_plates() -> None:
    plate = wall(0)
    black, white = np.zeros_like(plate), np.full_like(plate, 255)
    assert variety([plate]) is None
    assert variety([plate, plate]) == {"mean": 0, "least": 0}
    assert variety([black, white]) == {"mean": 100, "least": 100}
    assert variety([black, white, white]) == {"mean": 66.667, "least": 0}


def test_variety_sees_colour_and_texture_where_brightness_is_equal() -> None:
    grey = np.full((48, 64, 3), 100, np.uint8)
    coloured = np.broadcast_to(np.uint8((160, 70, 70)), grey.shape)
    checks = np.where((np.add.outer(np.arange(48), np.arange(64)) // 4 % 2)[..., None], np.uint8(140), np.uint8(60))
    striped = np.broadcast_to(checks, grey.shape)
    for other in (coloured, striped):
        found = variety([grey, other])
        assert found is not None
        assert found["least"] > 5


def test_a_histogram_of_one_value_is_one_row() -> None:
    (row,) = histogram("share", [1.0, 1.0, 1.0])
    assert (row["start"], row["stop"], row["count"]) == ("1", "1", 3)
