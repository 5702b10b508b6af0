"""Model cards: measured numbers, valid Markdown, the same text for the same run."""

import json
import re
import shutil

import pytest

from poster_cnn.training.model_card import model_card


@pytest.fixture
def run(finished_run, tmp_path):
    return shutil.copytree(finished_run, tmp_path / "run")


def rows_of(card):
    """Return the cells of all table rows of a card, by their first cell."""
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in card.splitlines() if line.startswith("|")]
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in lines}


def test_card_of_a_run_has_its_numbers(finished_run, tiny_config):
    card = (finished_run / "README.md").read_text(encoding="utf-8")
    assert card == model_card(finished_run)
    result, rows = json.loads((finished_run / "metrics.json").read_text()), rows_of(card)
    score, others = result["test"]["hit_at_1"], result["baselines"].values()
    percents = [f"{100 * score[key]:.1f}" for key in ("value", "low", "high")]
    expected = [f"{percents[0]} [{percents[1]}, {percents[2]}]", *(f"{100 * o['hit_at_1']:.1f}" for o in others)]
    assert rows["hit at 1"] == expected
    assert set(tiny_config.class_names) <= set(rows) and rows["train"][0].isdecimal()
    is_clean = json.loads((finished_run / "leak.json").read_text())["clean"]
    assert ("No poster has a copy in another part." if is_clean else "**Some posters have a copy in another") in card
    assert f"# Movie genres with {tiny_config.model}" in card
    error = result["calibration"]["expected_calibration_error"]
    assert f"{100 * error['before']:.1f}% before and {100 * error['after']:.1f}% after" in card


def test_card_is_valid_markdown_with_front_matter(finished_run):
    card = model_card(finished_run, license="mit", name="posters_seven_layer")
    _, front, body = card.split("---\n", 2)
    keys = {line.split(":")[0] for line in front.splitlines()}
    assert keys == {"library_name", "tags", "pipeline_tag", "license"}
    assert body.startswith("\n# Movie genres with posters_seven_layer\n") and body.count("```") == 4
    assert "--model posters_seven_layer" in body and "path/to" not in body
    for table in re.findall(r"(?:^\|.*\n)+", body, re.MULTILINE):
        widths = {len(re.split(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1 and "\n\n" + table in body
    assert "license" not in model_card(finished_run).split("---")[1]


def test_scores_of_another_run_are_named_as_such(run, finished_run):
    (run / "metrics.json").unlink()
    with pytest.raises(FileNotFoundError):
        model_card(run)
    card = model_card(run, scored_run=finished_run)
    assert "chosen on another, leak-free split" in card
    assert rows_of(card)["hit at 1"] == rows_of(model_card(finished_run))["hit at 1"]


def change_metrics(run, **changes):
    content = json.loads((run / "metrics.json").read_text()) | changes
    (run / "metrics.json").write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def rename_genre(run, old, new):
    for path in [*run.glob("*.csv"), run / "config.json"]:
        path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("change", "expected", "absent"),
    [
        (lambda run: change_metrics(run, calibration=None), "## Genres", "## Calibration"),
        (
            lambda run: change_metrics(
                run,
                calibration={
                    "chosen": "genre",
                    "temperatures": [1, 2.5, 0.7],
                    "expected_calibration_error": {"before": 0.1, "after": 0.02},
                },
                thresholds={"Horror": 0.25},
            ),
            "held-out validation movies: 1.00, 2.50, 0.70. The expected calibration error on the test movies is 10.0%",
            "One temperature",
        ),
        (lambda run: change_metrics(run, thresholds=None), "and ranks", "names those that reach their thresholds"),
        (
            lambda run: change_metrics(run, thresholds={"Horror": 0.25}),
            "and names those that reach their thresholds",
            "and ranks",
        ),
        (lambda run: rename_genre(run, "Horror", "Horror|Gore"), r"| Horror\|Gore | ", "| Horror "),
        (
            lambda run: (run / "leak.json").write_text('{"clean": true, "leaks": []}'),
            "Split: `imdb_id`",
            "Leak certificate",
        ),
    ],
)
def test_cards_of_unusual_runs(run, change, expected, absent):
    change(run)
    card = model_card(run)
    assert expected in card and absent not in card
