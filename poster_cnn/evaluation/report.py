"""One HTML page on a network's scores and mistakes, with all pictures in it."""

import base64
import html
import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from poster_cnn import figures, metrics
from poster_cnn.datasets.pixels import open_picture
from poster_cnn.evaluation.evaluate import NOT_DEFINED, Evaluation
from poster_cnn.evaluation.label_issues import suspicious_labels
from poster_cnn.figures.style import printable
from poster_cnn.files import write_text
from poster_cnn.metrics import arguments
from poster_cnn.metrics.calibration import Calibration
from poster_cnn.movies.genres import with_genre_lists
from poster_cnn.training.model_card import percent, words

_THUMBNAIL = (182, 268)  # pixels
_SHOWN = 12  # posters in a gallery
_SUSPICIOUS = ("title", "imdb_id", "picture", "genres", "doubted", "probability", "quality")
_TINY = 1e-7  # bounds the log loss of a probability of exactly 0 or 1
_STYLE = """
:root { color-scheme: light; } * { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; color: #222; max-width: 66rem; margin: 0 auto; padding: 1rem; }
h1, h2 { line-height: 1.2; } h2 { border-top: 1px solid #ccc; margin-top: 2.5rem; padding-top: 1rem; }
img { max-width: 100%; height: auto; display: block; }
p { max-width: 46rem; } nav a { margin-right: 1em; white-space: nowrap; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid #e4e4e4; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
.scroll { overflow-x: auto; } pre { overflow-x: auto; font-size: .8rem; background: #f6f6f6; padding: .6rem; }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); gap: .5rem; }
.posters { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: 1rem; }
figure { margin: 0; font-size: .8rem; line-height: 1.35; overflow-wrap: anywhere; } figure img { margin-bottom: .3rem; }
.narrow { max-width: 34rem; } .wide { max-width: 60rem; }
"""


@arguments.checked(evaluation=arguments.instance(Evaluation), path=arguments.path, title=arguments.text)
def write_report(evaluation, path, *, title="Evaluation", num_resamples=1000):
    """Write a self-contained HTML page on the scores and the mistakes of a network.

    The page needs no other files and no network connection. It has the scores next to the baselines, the precision and
    recall of each genre, the reliability diagram, genres that are taken for others, the posters that the network was
    most surely wrong about, and suspicious labels.

    Args:
        evaluation: `Evaluation` from `evaluate`.
        path: HTML file to write.
        title: Title of the page. Defaults to "Evaluation".
        num_resamples: Number of bootstrap resamples for the paired intervals. Defaults to 1000.

    Returns:
        `pathlib.Path` of the page.

    Example:

    >>> write_report(evaluate("runs/first", "data"), "report.html")
    """
    movies = evaluation.movies
    sections = {
        "Scores": _scores(evaluation, num_resamples),
        "Genres": _genre_table(evaluation),
        "Precision and recall": _curves(movies),
        "Calibration": _calibration(movies),
        "Genres taken for others": _confusion(movies),
        "Surest mistakes": _surest(movies),
        "Worst posters": _worst(movies),
        "Suspicious labels": _suspicious(movies),
        "Movies left out": f"<pre>{html.escape(evaluation.notes)}</pre>",
    }
    links = " ".join(f'<a href="#{_anchor(name)}">{name}</a>' for name in sections)
    body = "".join(f'<h2 id="{_anchor(name)}">{name}</h2>{content}' for name, content in sections.items())
    about = f"{evaluation.num_movies:,} movies, {len(movies.class_names)} genres. All scores are in percent."
    warning = f"<p><strong>{evaluation.warning}</strong></p>" if evaluation.warning else ""
    page = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>
<h1>{html.escape(title)}</h1><p>{about}</p>{warning}<nav>{links}</nav>{body}</body></html>
"""
    write_text(path, page.encode("utf-8", "backslashreplace").decode())
    return path


def _anchor(name):
    return name.lower().replace(" ", "-")


def _scores(evaluation, num_resamples):
    """Return the table of scores, with the paired interval of the difference to the best baseline."""
    movies, rows = evaluation.movies, []
    others, groups = movies.baselines, movies.table["imdb_id"].to_numpy()
    for metric, score in evaluation.scores.iterrows():
        best = score[list(others)].astype(float).idxmax()
        sampling = {"groups": groups, "num_resamples": num_resamples}
        margins = metrics.margins([metric], movies.y_true, movies.y_prob, {best: others[best]}, **sampling)
        margin = {key: 100 * margins[metric][best][key] for key in ("value", "low", "high")}
        interval = f" [{percent(score['low'])}, {percent(score['high'])}]" if "low" in score else ""
        rows.append(
            {
                "score": words(metric),
                "this network": f"{percent(score['model'])}{interval}",
                **{words(name): percent(score[name]) for name in others},
                "above the best baseline": "{value:+.1f} [{low:+.1f}, {high:+.1f}]".format(**margin),
            }
        )
    about = (
        "Intervals are 95% bootstrap intervals over movies. The last column compares the network with the best baseline"
        " on the same resampled movies: an interval that contains 0 shows no difference."
    )
    return f"{_table(pd.DataFrame(rows))}<p>{about}</p>"


def _genre_table(evaluation):
    genres = evaluation.genres
    shown = pd.DataFrame({"genre": genres.index, "movies": [f"{count:,}" for count in genres["movies"]]})
    for name in genres.columns.drop("movies"):
        column = "share in training" if name == "prior" else words(name)
        shown[column] = [NOT_DEFINED if np.isnan(value) else percent(value) for value in genres[name]]
    if evaluation.movies.about["thresholds"] is not None:
        return _table(shown)
    about = "The network has no thresholds. The table uses 50%, and the rest of this page the most probable genre."
    return f"{_table(shown)}<p>{about}</p>"


def _curves(movies):
    thresholds, pictures = movies.about["thresholds"] or {}, []
    for number, name in enumerate(movies.class_names):
        ax = figures.precision_recall_curve(
            movies.y_true[:, number],
            movies.y_prob[:, number],
            threshold=thresholds.get(name),
            label=printable(name),
        )
        pictures.append(_drawn(ax, f"Precision and recall of {name}"))
    return f'<div class="curves">{"".join(pictures)}</div>'


def _calibration(movies):
    calibration = Calibration.from_dict(movies.about["calibration"], len(movies.class_names))
    # Files of older versions do not say which activation they have; the outputs of a softmax sum to 1.
    is_softmax = np.allclose(movies.y_prob.sum(axis=1), 1, atol=1e-3)
    activation = calibration.activation if calibration else ("softmax" if is_softmax else "sigmoid")
    options = {"activation": activation}
    ax = figures.reliability_diagram(movies.y_true, movies.y_prob, label="Network", **options)
    about = "The closer to the diagonal, the better a probability says how often the network is right."
    if calibration and set(calibration.temperatures) != {1.0}:
        calibrated = calibration.probabilities(movies.y_prob)
        ax = figures.reliability_diagram(movies.y_true, calibrated, label="Calibrated", ax=ax, **options)
        about += " <code>predict</code> shows the calibrated probabilities."
    return f'<div class="narrow">{_drawn(ax, "Reliability diagram")}</div><p>{about}</p>'


def _confusion(movies):
    names = [printable(name) for name in movies.class_names]
    ax = figures.genre_confusion_heatmap(movies.y_true, movies.predicted, names)
    about = (
        "A row holds the movies of a genre. The framed diagonal shows how often the genre was predicted, and the other "
        "cells how often another one was predicted for movies that lack it."
    )
    return f'<div class="wide">{_drawn(ax, "Genres taken for others")}</div><p>{about}</p>'


def _surest(movies):
    """Return a gallery of the wrong genres with the highest probabilities, one per movie."""
    wrong = np.where(movies.y_true > 0, -np.inf, movies.y_prob)
    genre = wrong.argmax(axis=1)
    highest = wrong[np.arange(len(wrong)), genre]
    order = np.argsort(-highest, kind="stable")[:_SHOWN]
    order = order[np.isfinite(highest[order])]
    captions = {row: f"{movies.class_names[genre[row]]} {percent(highest[row])}%" for row in order}
    return f"<p>Wrong genres with the highest probabilities.</p>{_gallery(movies, captions)}"


def _worst(movies):
    """Return a gallery of the movies with the highest log loss over all genres."""
    y_prob = np.clip(movies.y_prob.astype("float64"), _TINY, 1 - _TINY)
    loss = -np.where(movies.y_true > 0, np.log(y_prob), np.log1p(-y_prob)).sum(axis=1)
    captions = {}
    for row in np.argsort(-loss, kind="stable")[:_SHOWN]:
        ranked = np.argsort(-movies.y_prob[row], kind="stable")[:3]
        captions[row] = ", ".join(f"{movies.class_names[k]} {percent(movies.y_prob[row, k])}%" for k in ranked)
    about = "Movies whose genres surprised the network most, by the log loss over all genres."
    return f"<p>{about}</p>{_gallery(movies, captions)}"


def _gallery(movies, captions):
    if not captions:
        return "<p>There are none.</p>"
    rows = movies.table.iloc[list(captions)]
    genres = with_genre_lists(rows)["genres"]
    posters = []
    for movie, names, caption in zip(rows.to_dict("records"), genres, captions.values(), strict=True):
        title = html.escape(str(movie.get("title") or movie.get("picture") or movie["imdb_id"]))
        text = f"<b>{title}</b><br>is {html.escape(', '.join(names))}<br>predicted {html.escape(caption)}"
        posters.append(f"<figure>{_poster(movie['poster_path'], title)}<figcaption>{text}</figcaption></figure>")
    return f'<div class="posters">{"".join(posters)}</div>'


def _suspicious(movies):
    if len(movies.class_names) == 1:
        return "<p>Labels of a single genre are not compared.</p>"
    try:
        found = suspicious_labels(movies.table, movies.class_names, movies.y_prob, num_movies=_SHOWN)
    except ImportError as error:
        return f"<p>{html.escape(str(error))}</p>"
    if "picture" in movies.table:  # of a table that names its pictures, whose ids are made from them
        pictures = movies.table.set_index("imdb_id")["picture"]
        found["imdb_id"] = found["imdb_id"].map(pictures[~pictures.index.duplicated()])
        found = found.rename(columns={"imdb_id": "picture"})
    found["probability"] = [f"{percent(value)}%" for value in found["probability"]]
    found = found.drop(columns=[name for name in found if name not in _SUSPICIOUS])
    about = (
        "Labels that disagree most with the predictions, by confident learning (cleanlab). A weak network also doubts "
        "correct labels, so this is a list to look at, not one of errors."
    )
    return f"<p>{about}</p>{_table(found)}"


def _table(frame):
    return f'<div class="scroll">{frame.to_html(index=False, border=0)}</div>'


def _drawn(ax, alt):
    content = io.BytesIO()
    ax.figure.savefig(content, format="png", dpi=150, metadata={"Software": None})
    plt.close(ax.figure)
    return _embedded(content.getvalue(), "png", html.escape(alt))


def _poster(path, alt):
    image = open_picture(path)
    image.thumbnail(_THUMBNAIL)
    content = io.BytesIO()
    image.save(content, "JPEG", quality=85)
    return _embedded(content.getvalue(), "jpeg", alt)


def _embedded(content, kind, alt):
    return f'<img alt="{alt}" src="data:image/{kind};base64,{base64.b64encode(content).decode()}">'
