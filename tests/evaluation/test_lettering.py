"""The script that hides the lettering of real posters: what is hidden, where, and what is compared."""

import pathlib
import runpy

import numpy as np
import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "experiments" / "evidence" / "lettering.py"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def kinds(script):
    picture = np.random.default_rng(0).integers(0, 256, (60, 40, 3), dtype="uint8")
    return picture, script["hide"](picture, [[0, 0, 10, 40], [50, 5, 60, 15]], seed=0)


def test_boxes_are_hidden_and_nothing_else(kinds):
    picture, found = kinds
    (whole,), (without,), (alone,) = (found[name] for name in ("poster", "without_lettering", "lettering_alone"))
    assert (whole == picture).all() and found["area"] == pytest.approx(500 / 2400)
    in_box = np.zeros((60, 40), bool)
    in_box[:10], in_box[50:, 5:15] = True, True
    assert (without[~in_box] == picture[~in_box]).all() and (alone[in_box] == picture[in_box]).all()
    assert len(np.unique(without[in_box], axis=0)) == len(np.unique(alone[~in_box], axis=0)) == 1


def test_as_much_is_hidden_elsewhere_at_several_places(kinds):
    picture, found = kinds
    hidden = [(other != picture).any(axis=-1) for other in found["elsewhere"]]
    assert len(hidden) == 3 and len({mask.tobytes() for mask in hidden}) == 3
    assert all(0.15 < mask.mean() <= 500 / 2400 for mask in hidden)  # the boxes may overlap each other
    assert all(mask[:10].mean() < 0.2 for mask in hidden)


def test_a_poster_without_lettering_stays_whole(script):
    picture = np.zeros((30, 20, 3), dtype="uint8")
    found = script["hide"](picture, [], seed=0)
    assert all((other == picture).all() for other in [*found["without_lettering"], *found["elsewhere"]])


def test_boxes_end_at_the_edge(script):
    corners = np.array([[-3.0, 2.4], [25.0, 1.6], [25.0, 31.0], [-3.0, 31.0]])
    assert script["bounds"](corners, (30, 20, 3)) == [1, 0, 30, 20]


def test_rows_have_paired_differences(script):
    labels = np.random.default_rng(0).random((50, 2)) < 0.4
    good, bad = 0.5 * labels + np.random.default_rng(1).random((50, 2)) * 0.5, np.full((3, 50, 2), 0.5)
    rows = script["score_rows"]({"data": "real"}, ["Horror", "Romance"], labels, {"poster": good, "elsewhere": bad})
    by_kind = {(row["tested_on"], row["genre"]): row for row in rows}
    assert len(by_kind) == 2 * 3 and "over_poster" not in by_kind["poster", "all"]
    lost = by_kind["elsewhere", "all"]
    assert lost["over_poster"] == pytest.approx(
        lost["average_precision"] - by_kind["poster", "all"]["average_precision"]
    )
    assert lost["over_poster_high"] < 0 and by_kind["elsewhere", "Horror"]["positives"] == labels[:, 0].sum()
