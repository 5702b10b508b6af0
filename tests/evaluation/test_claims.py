"""Published scores next to answers that need no poster, and printed numbers checked against each other."""

import json

import numpy as np
import pandas as pd
import pytest

from poster_cnn.cli import main
from poster_cnn.evaluation.claims import METRICS, check_claim, check_claims, constant_scores, shares_of
from poster_cnn.metrics import BY_NAME
from poster_cnn.workspace import find_repository

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


@pytest.mark.parametrize(("claimed", "verdict"), [("90%", "no better"), (0.9, "below"), ("91.6%", "0.9 points above")])
def test_takes_the_rounding_of_a_claim_into_account(claimed, verdict):
    assert check_claim("label_accuracy", claimed, prevalences=["9.3%"] * 10).verdict.startswith(verdict)


@pytest.mark.parametrize(
    "text", [".7224", "72.24 %", "72,24%", "72.24\N{FULLWIDTH PERCENT SIGN}", "72.24\xa0%", "7224e-4"]
)
def test_reads_a_score_however_it_is_printed(text):
    assert check_claim("hit_at_1", text, prevalences=SIX).claimed == pytest.approx(0.7224)


@pytest.mark.parametrize("text", ["1/2, 40%, .3", "0,5; 0,4; 0,3", "5000;4000;3000 of 10,000"])
def test_draws_movies_that_all_have_a_genre_if_the_shares_allow_it(text):
    checked = check_claim("hit_at_1", prevalences=shares_of(text))
    assert checked.scores["genres by frequency"] == pytest.approx(0.5, abs=2e-3) and "1.20 per movie" in checked.about


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
        ("0.7", "0.5", "0.9", False),  # more than a mean can be
    ],
)
def test_precision_recall_and_f1_agree_to_their_digits(precision, recall, f1, agree):
    checked = check_claim(precision=precision, recall=recall, f1=f1)
    (finding,) = checked.findings
    assert finding.endswith("as printed.") == agree and ("contradict" in finding) != agree != bool(checked.verdict)
    assert ("unless they are means" in finding) == (not agree and f1 not in ("0.60", "0.9"))  # which are too high


def test_numbers_that_agree_by_rounding_alone_are_said_to():
    (finding,) = check_claim(precision="0.5", recall="0.5", f1="0.6").findings
    assert (
        finding
        == "Precision 0.5 and recall 0.5 give an F1 of 50.00%, which agrees within rounding with the value printed."
    )


@pytest.mark.parametrize(
    ("options", "finding"),
    [
        ({"claimed": "90%", "predicted": 1}, "at most 83.3%, so the claim is impossible"),
        ({"claimed": "83.3%", "predicted": 1}, "at most 83.3%."),
        ({"precision": 0.2, "recall": 0.9}, "precision is at least 29.8%"),
    ],
)
def test_impossible_scores_are_named(options, finding):
    checked = check_claim("overall_f1", labels=LABELS, **options)
    assert finding in str(checked) and (finding != "at most 83.3%.") == ("impossible" in checked.verdict)


def test_no_movies_with_these_shares_could_have_a_higher_bound():
    checked = check_claim("overall_f1", "80%", prevalences=[0.6, 0.5, 0.4], predicted=1)
    assert "at most 80.0%." in str(checked) and "impossible" not in checked.verdict


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "`metric` must be given"),
        ({"metric": "accuracy", "claimed": 0.9, "prevalences": SIX}, "must be one of .'label_accuracy'"),
        ({"metric": "overall_f1", "claimed": "72.24", "prevalences": SIX}, "'72.24%' or 0.7224"),
        ({"metric": "overall_f1", "claimed": 0.9}, "either `labels` or `prevalences`"),
        ({"metric": "overall_f1", "claimed": 0.9, "prevalences": [0.5, 1.2]}, "shares from 0 to 1"),
        ({"metric": "hit_at_1", "claimed": 0.9, "prevalences": SIX, "predicted": 2}, "with `predicted`"),
        ({"metric": "overall_f1", "claimed": 0.9, "prevalences": SIX, "predicted": 7}, "at most 6"),
        ({"metric": "overall_f1", "claimed": 0.9, "prevalences": [0, 0]}, "not all 0"),
        ({"metric": "overall_f1", "claimed": 0.9, "labels": np.zeros((3, 2))}, "at least one 1"),
        ({"metric": "overall_f1", "claimed": 0.9, "labels": 2 * LABELS}, "zeros and ones"),
        ({"metric": "overall_f1", "claimed": "nan", "prevalences": SIX}, "'72.24%' or 0.7224"),
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
    assert main([*command, "--genres", "Drama"]) == 0 and "left out: " in capsys.readouterr().err
    assert main([*command, "--genres", "Drama,Dramedy"]) == 1
    assert "`--genres` must be some of: " in capsys.readouterr().err


def test_verdicts_of_the_published_claims_are_computed():
    experiments = find_repository() / "experiments"
    table = pd.read_csv(experiments / "published" / "claims.csv", dtype=str, keep_default_na=False)
    found = check_claims(table)
    assert list(found["verdict"]) == list(table["verdict"]) and found["score"].count() >= 15
    pd.testing.assert_frame_equal(found, pd.read_csv(experiments / "results" / "published_claims.csv"), rtol=1e-4)
    known = table["prevalences"] != ""
    assert found.loc[known, "score"].notna().all() and found.loc[known, "constant"].notna().all()
    for row in table[known].to_dict("records"):
        assert len(shares_of(row["prevalences"])) == int(row["genres"]) and row["prevalences_from"] and row["address"]
    stand_in = table.loc[table["claim"] == "jas97, Hamming", "prevalences"].item()
    counts = pd.read_csv(experiments / "results" / "genre_counts.csv")["movies"].astype(str)
    assert stand_in.startswith(",".join(counts))
