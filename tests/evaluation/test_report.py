"""The HTML report of an evaluation: self-contained, escaped, and complete for unusual runs."""

import dataclasses
import html.parser

import numpy as np
import pytest

from poster_cnn.cli import main
from poster_cnn.evaluation.evaluate import _genre_table, evaluate
from poster_cnn.evaluation.report import write_report

pytestmark = pytest.mark.usefixtures("eager")

HEADINGS = (
    "Scores, Genres, Precision and recall, Calibration, Genres taken for others, Surest mistakes, Worst posters, "
    "Suspicious labels, Movies left out"
).split(", ")


class Page(html.parser.HTMLParser):
    """Headings, sources of pictures and links of a page; raises unless all tags are closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.headings, self.sources, self.tags = [], [], [], set()
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["h2"]:
            self.headings.append(data)


@pytest.fixture(scope="module")
def evaluation(finished_run, data_folder):
    return evaluate(finished_run, data_folder, num_resamples=20)


def changed(evaluation, **changes):
    return dataclasses.replace(evaluation, movies=dataclasses.replace(evaluation.movies, **changes))


def as_sigmoid(evaluation):
    names = evaluation.movies.class_names
    about = evaluation.movies.about | {"thresholds": dict.fromkeys(names, 0.3), "calibration": {"temperatures": [2.0]}}
    return changed(evaluation, about=about)


def test_page_needs_no_other_files(evaluation, tmp_path):
    path = write_report(evaluation, tmp_path / "report.html", title="Run <script>alert(1)</script>", num_resamples=20)
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.headings == HEADINGS and not page.tags & {"script", "link", "iframe"}
    assert all(source.startswith(("#", "data:image/")) for source in page.sources)
    assert sum(source.startswith("data:image/png") for source in page.sources) == len(evaluation.genres) + 2
    assert "Run &lt;script&gt;" in text and f"{evaluation.num_movies:,} movies, 4 genres" in text
    assert "its scores may be too high" not in text
    of_seen = dataclasses.replace(evaluation, num_seen=3)
    text = write_report(of_seen, path, num_resamples=20).read_text(encoding="utf-8")
    assert f"<strong>3 of the {evaluation.num_movies:,} scored posters look like" in text.partition("<nav>")[0]
    score = evaluation.scores.loc["hit_at_1"]
    assert f"{100 * score['model']:.1f} [{100 * score['low']:.1f}, {100 * score['high']:.1f}]" in text


def test_titles_are_escaped_and_genres_without_movies_have_no_score(evaluation, tmp_path):
    y_true = evaluation.movies.y_true.copy()
    y_true[:, 0] = 0
    y_prob = np.where(y_true, 0.9, [0.6, 0, 0, 0]).astype("float32")
    found = changed(as_sigmoid(evaluation), y_true=y_true, y_prob=y_prob)
    found = changed(found, table=evaluation.movies.table.assign(title="A <b>\udcff & B"))
    text = write_report(found, tmp_path / "report.html", num_resamples=20).read_text(encoding="utf-8")
    assert "A &lt;b&gt;\\udcff &amp; B" in text and text.count("data:image/jpeg") >= 2
    assert "shows the calibrated probabilities" in text and Page(text).headings == HEADINGS


def test_predicted_genres_are_those_of_the_thresholds_or_the_first(evaluation):
    movies = evaluation.movies
    assert movies.predicted.sum(axis=1).tolist() == [1] * evaluation.num_movies
    assert np.array_equal(as_sigmoid(evaluation).movies.predicted, movies.y_prob >= 0.3)
    assert "weighted avg" in evaluation.classification_report()


def test_one_genre_is_scored_and_reported(evaluation):
    movies = evaluation.movies
    name, y_true, y_prob = movies.class_names[:1], movies.y_true[:, :1], movies.y_prob[:, :1]
    about = movies.about | {"class_names": name, "thresholds": {name[0]: 0.5}, "calibration": None}
    genres = _genre_table(y_true, y_prob, movies.train_labels[:, :1], name, {})
    predicted = y_prob >= 0.5
    assert genres["precision"].iloc[0] == pytest.approx((predicted & (y_true > 0)).sum() / max(predicted.sum(), 1))
    labels = {"train_labels": movies.train_labels[:, :1], "y_true": y_true, "y_prob": y_prob}
    found = changed(dataclasses.replace(evaluation, genres=genres), class_names=name, about=about, **labels)
    assert f"not {name[0]}" in found.classification_report()


def test_command_writes_the_report_and_prints_the_genres(finished_run, data_folder, tmp_path, capsys):
    arguments = ["evaluate", str(finished_run), "--data", str(data_folder), "--per-genre"]
    assert main([*arguments, "--report", str(tmp_path / "report.html")]) == 0
    out, err = capsys.readouterr()
    assert "weighted avg" in out and "report.html" in err
    assert (tmp_path / "report.html").read_text("utf-8").startswith("<!DOCTYPE html>")


def test_scores_without_intervals_are_reported_without_them(finished_run, data_folder, tmp_path):
    evaluation = evaluate(finished_run, data_folder, num_resamples=0)
    text = write_report(evaluation, tmp_path / "report.html", num_resamples=20).read_text()
    assert f"<td>{100 * evaluation.scores['model'].iloc[0]:.1f}</td>" in text
