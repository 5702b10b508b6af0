"""Published scores next to answers that need no poster, and printed numbers checked against each other."""

import json

import numpy as np
import pytest

from poster_cnn.cli import main
from poster_cnn.evaluation.claims import METRICS, check_claim, constant_scores
from poster_cnn.metrics import BY_NAME

SIX = ["1/6"] * 6
LABELS = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0]])


def test_paper_3_is_below_silence_and_equals_guessing():
    checked = check_claim("label_accuracy", "72.24%", prevalences=SIX)
    assert checked.scores["no genre"] == pytest.approx(5 / 6, abs=1e-3)
    assert checked.scores["one random genre"] == pytest.approx(26 / 36, abs=5e-3)
    text = str(checked)
    assert "below the score of 'no genre', 83.3%" in text and "within half a point of 'one random genre'" in text


@pytest.mark.parametrize(
    ("metric", "claimed", "labels", "finding"),
    [
        ("top_n_accuracy", 0.5, LABELS, "below the score of 'genres by frequency', 70.0%"),
        ("overall_f1", "100%", LABELS, "the best answer without a poster"),
        ("hit_at_1", ".8", LABELS, "within half a point of 'genres by frequency', 80.0%"),
    ],
)
def test_claim_is_placed_among_answers_without_a_poster(metric, claimed, labels, finding):
    assert finding in str(check_claim(metric, claimed, labels=labels))


@pytest.mark.parametrize("metric", METRICS)
def test_constant_answers_have_the_scores_of_the_metric(metric):
    scores = constant_scores(metric, LABELS)
    assert metric in BY_NAME and all(0 <= score <= 1 for score in scores.values())
    best = {"label_accuracy": 0.8, "overall_f1": 2 * 6 / (10 + 7), "average_precision": (0.8 + 0.4 + 0.2) / 3}
    if metric in best:
        assert max(scores.values()) == pytest.approx(best[metric], abs=0.01)


@pytest.mark.parametrize(
    ("precision", "recall", "f1", "agree"),
    [
        (".6605", ".4844", ".5577", False),  # 0.5589
        (".5760", ".5760", ".4796", False),
        (".6984", ".5789", ".6331", True),
        ("65.33%", "27.40%", "38.52%", False),  # 38.61
        ("0.7", "0.5", "0.6", True),  # 0.65 and 0.55 round to them
        ("0.70", "0.50", "0.60", False),
        ("0", "0", "0", True),
    ],
)
def test_precision_recall_and_f1_agree_to_their_digits(precision, recall, f1, agree):
    (finding,) = check_claim(precision=precision, recall=recall, f1=f1).findings
    assert finding.endswith("as printed.") == agree and ("contradict" in finding) != agree


@pytest.mark.parametrize(
    ("options", "finding"),
    [
        ({"claimed": "90%", "predicted": 1}, "at most 83.3%, so the claim is impossible"),
        ({"claimed": "83.3%", "predicted": 1}, "at most 83.3%."),
        ({"precision": 0.2, "recall": 0.9}, "precision is at least 29.8%"),
    ],
)
def test_impossible_scores_are_named(options, finding):
    assert finding in str(check_claim("overall_f1", labels=LABELS, **options))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "`metric` must be given"),
        ({"metric": "accuracy", "claimed": 0.9, "prevalences": SIX}, "must be one of .'label_accuracy'"),
        ({"metric": "overall_f1", "claimed": "72.24", "prevalences": SIX}, "'72.24%' or 0.7224"),
        ({"metric": "overall_f1", "claimed": 0.9}, "either `labels` or `prevalences`"),
        ({"metric": "overall_f1", "claimed": 0.9, "prevalences": [0.5, 1.2]}, "shares from 0 to 1"),
        ({"metric": "hit_at_1", "claimed": 0.9, "prevalences": SIX, "predicted": 2}, "with `predicted`"),
    ],
)
def test_rejects_what_cannot_be_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        check_claim(**arguments)


def test_command_reads_a_movie_table_and_prints_json(data_folder, capsys):
    command = ["check-claim", "--metric", "top_n_accuracy", "--claim", "26.4%", "--data", str(data_folder), "--json"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["claimed"] == 0.264 and found["scores"]["genres by frequency"] > 0.264
    assert main([*command[:-3], "--prevalences", "1/6,1/6,x"]) == 1
    assert "shares from 0 to 1" in capsys.readouterr().err
