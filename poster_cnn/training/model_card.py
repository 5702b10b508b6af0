"""Model cards as Markdown: the data of a run, its scores, and what it is not for (Mitchell et al., 2019)."""

import json
import pathlib

import pandas as pd
from sklearn.metrics import average_precision_score

from poster_cnn.files import read_json
from poster_cnn.metrics import arguments

# Entries of config.json that are named in the card, if the run has them.
_TRAINING = (
    "weights epochs fine_tune_epochs fine_tune_from batch_size learning_rate fine_tune_learning_rate optimizer "
    "weight_decay schedule warmup_epochs ema_momentum loss class_weights label_smoothing augmentation early_stopping "
    "precision seed patience fusion"
).split()
_SPLITS = {
    "leak_free": "No movie, and no poster that looks the same, is in two parts.",
    "imdb_id": "The part of a movie depends on its IMDb id, as in paper 1.",
    "stratified": "Movies were drawn at random within each genre.",
    "random": "Movies were drawn at random.",
    "given": "The parts are those that came with the data.",
}
_LIMITS = """\
- Decisions about people. A poster shows how a movie was advertised, and the network has seen nothing else.
- Genres that are not in the table above, and pictures that are no movie posters. The network names genres for them too.
- Posters of other times or countries than those in the data, until you have scored the network on such posters.
- Replacing a catalog. Many genres cannot be seen on a poster, and the scores above show how often the network is wrong.
"""


@arguments.checked(
    run_dir=arguments.path,
    scored_run=arguments.optional(arguments.path),
    name=arguments.optional(arguments.text),
    license=arguments.optional(arguments.text),
)
def model_card(run_dir, *, scored_run=None, name=None, license=None):
    """Write the model card of a finished run from the files in its folder.

    Args:
        run_dir: Finished run folder of `train`, or of an ensemble or one of its branches.
        scored_run: Finished run folder of the same recipe whose scores are reported, if `run_dir` was trained on all
            posters and therefore cannot be scored. Defaults to `None`: `run_dir`.
        name: Name of a network that comes with the package, by which it is used. Defaults to `None`: a run folder.
        license: License of the weights for the front matter, such as `"mit"`. Defaults to `None`: not named, as it
            depends on the data.

    Returns:
        Markdown text with front matter, as model hubs read it. Equal runs give equal texts.

    Raises:
        FileNotFoundError: If a run is not finished.

    Example:

    >>> print(model_card("runs/first"))
    """
    scored = pathlib.Path(scored_run or run_dir)
    return card_text(run_dir, read_json(scored / "metrics.json"), scored_run=scored_run, name=name, license=license)


def card_text(run_dir, scores, *, scored_run=None, name=None, license=None):
    """Return the text of `model_card` for scores that are not in `metrics.json` yet."""
    scored = pathlib.Path(scored_run or run_dir)
    config = read_json(pathlib.Path(run_dir) / "config.json")
    predictions, split = (pd.read_csv(scored / f"{file}.csv") for file in ("predictions", "split"))
    is_ensemble, leak = "modalities" in config["config"], read_json(scored / "leak.json")
    parts = [
        _front_matter(config["config"], name, license),
        _introduction(config["config"], name, scores),
        _use(config["config"], name),
        _data(config, scored_run, leak),
        _scores(scores, len(predictions), config["config"], leak.get("seen_before", {})),
        _genres(config["config"]["class_names"], predictions, split, scores),
        _calibration(scores.get("calibration")),
        f"## What it is not for\n\n{_LIMITS}",
        _training(config, is_ensemble, name),
    ]
    return "\n".join(part for part in parts if part)


def _front_matter(config, name, license):
    tags = ["movie-posters", "movie-genres", "keras"]
    lines = ["library_name: keras", f"tags: [{', '.join(tags)}]"]
    if _takes_posters_alone(config):
        lines.append("pipeline_tag: image-classification")
    lines += [f"license: {license}"] * bool(license)
    return "\n".join(["---", *lines, "---", ""])


def _takes_posters_alone(config):
    return "modalities" not in config or config["model"] == "poster"


def _introduction(config, name, scores):
    genres = config["class_names"]
    ranks = "names those that reach their thresholds, from" if scores.get("thresholds") else "ranks"
    if _takes_posters_alone(config):
        height, width = config["image_size"]
        about = f"It takes a movie poster, resizes it to {height} × {width} pixels (height × width), and {ranks}"
    elif config["model"] == "ensemble":
        about = f"It takes any of {_listed(config['modalities'])} of a movie, and names genres from"
    else:
        about = f"It takes the {config['model']} of a movie, as a branch of an ensemble, and names genres from"
    branch = config["model"] in config.get("modalities", ())
    title = name or (f"the {config['model']} branch of an ensemble" if branch else config["model"])
    title = "an ensemble" if title == "ensemble" else title
    named = f"{len(genres)} genres: {_listed(genres)}" if len(genres) > 1 else f"one genre: {genres[0]}"
    return f"# Movie genres with {title}\n\n{about} {named}.\n"


def _use(config, name):
    lines = ["## How to use it", ""]
    if config.get("modalities") and config["model"] not in ("ensemble", "poster"):
        return "\n".join([*lines, "Use the ensemble in the folder next to this one.", ""])
    model = name or "path/to/this/folder"
    command = f"poster-cnn predict poster.jpg --model {model}"
    if "plot" in config.get("modalities", ()) and config["model"] == "ensemble":
        command += ' --plot "A detective returns to her village."'
    lines += ["```sh", command, "```", ""]
    if config["model"] == "ensemble":
        return "\n".join(lines)
    lines += ["```python", "import poster_cnn", "", f'print(poster_cnn.predict(["poster.jpg"], model="{model}"))']
    lines += ["", f'model, about = poster_cnn.load_model("{model}")  # a keras.Model for pixels, 0–255', "```", ""]
    return "\n".join(lines)


def _data(config, scored_run, leak):
    data, options = config["data"], config["config"]
    counts = {part: data.get(f"num_{part}", 0) for part in ("train", "validation", "test")}
    rows = [[part, f"{count:,}"] for part, count in counts.items() if count]
    lines = ["## Data", "", _table(["part", "rows" if options.get("one_row_per_genre") else "movies"], rows), ""]
    if scored_run:
        lines += [
            "These weights were trained with a recipe that was chosen on another, leak-free split. Scores below are "
            "those of the network of that split, on its test movies.",
            "",
        ]
    scored = read_json(pathlib.Path(scored_run) / "config.json")["config"] if scored_run else options
    split = scored["split"]
    lines += [f"Split: `{split}`. {_SPLITS.get(split, '')}".strip(), "", _certificate(leak)]
    years = {"from": options.get("min_year"), "until": options.get("max_year")}
    limits = " ".join(f"{word} {year}" for word, year in years.items() if year)
    lines += [f"Movies {limits} were used.", ""] if limits else []
    lines += [f"SHA-256 of the data: `{data['fingerprint']}`.", ""]
    return "\n".join(lines)


def _certificate(leak):
    if not leak["leaks"]:
        return ""
    found = "No poster has a copy in another part." if leak["clean"] else "**Some posters have a copy in another one.**"
    rows = [
        [row["part"], row["copies_in"], f"{row['posters']:,}", f"{row['leaked']:,}", f"{row['fraction']:.1%}"]
        for row in leak["leaks"]
    ]
    header = ["part", "copies in", "posters", "with a copy", "share"]
    return f"Leak certificate: {found}\n\n{_table(header, rows)}\n"


def _scores(scores, num_movies, config, seen):
    unit = "rows" if config.get("one_row_per_genre") else "movies"
    names = list(scores["baselines"])
    rows = [
        [words(metric), f"{percent(score['value'])} [{percent(score['low'])}, {percent(score['high'])}]"]
        + [percent(scores["baselines"][name].get(metric)) for name in names]
        for metric, score in scores["test"].items()
    ]
    header = ["score, percent", "this network [95% interval]", *map(words, names)]
    about = "that it was not trained on"
    if seen.get("seen"):
        about = (
            f"(**{seen['seen']:,} of their {seen['posters']:,} posters were in the training of the network that it "
            "starts from, so these scores are too high**)"
        )
    return (
        f"## Scores\n\nOn {num_movies:,} test {unit} {about}, next to baselines without a "
        f"network:\n\n{_table(header, rows)}\n"
    )


def _genres(class_names, predictions, split, scores):
    thresholds, rows = scores.get("thresholds") or {}, []
    for name in class_names:
        y_true, y_prob = predictions[f"true_{name}"], predictions[f"probability_{name}"]
        precision = average_precision_score(y_true, y_prob) if y_true.any() else None
        counts = [f"{int(positive.sum()):,}" for positive in (split.loc[split["part"] == "train", name], y_true)]
        rows.append([name, *counts, percent(y_true.mean()), percent(precision), percent(thresholds.get(name))])
    header = ["genre", "training movies", "test movies", "share of test, %", "average precision, %", "threshold, %"]
    if not thresholds:
        header, rows = header[:-1], [row[:-1] for row in rows]
    about = "Without any skill, the average precision of a genre is its share of the test movies."
    chosen = " Thresholds have the highest F1 on the validation movies." if thresholds else ""
    return f"## Genres\n\n{_table(header, rows)}\n\n{about}{chosen}\n"


def _calibration(measured):
    if not measured:
        return ""
    error = measured["expected_calibration_error"]
    temperatures = ", ".join(f"{value:.2f}" for value in measured["temperatures"])
    chosen = {
        "none": "No temperature improved the log loss on held-out validation movies, so there is none.",
        "one": f"One temperature for all genres was chosen on held-out validation movies: {temperatures}.",
        "genre": f"A temperature for each genre was chosen on held-out validation movies: {temperatures}.",
    }[measured["chosen"]]
    change = f"{percent(error['before'])}% before and {percent(error['after'])}% after calibration"
    return (
        f"## Calibration\n\n{chosen} The expected calibration error on the test movies is {change}. `predict` shows "
        "calibrated probabilities; the scores and `predictions.csv` are those of the network itself, and the predicted "
        "genres are the same.\n"
    )


def _training(config, is_ensemble, name):
    options, versions = config["config"], config.get("versions", {})
    builder = options["backbone"] if is_ensemble else options["model"]
    chosen = {"backbone" if is_ensemble else "model": builder} | dict(options.get("model_args") or {})
    shown = [option for option in _TRAINING if option != "patience" or options.get("early_stopping")]
    chosen |= {option: options[option] for option in shown if options.get(option) not in (None, "", {}, 0)}
    if "weights_file" in config["data"]:
        chosen["weights"] = config["data"]["weights_file"]
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in chosen.items()}
    rows = [[f"`{key}`", f"`{value}`"] for key, value in texts.items()]
    libraries = [name for name in ("poster-cnn", "keras", "tensorflow") if name in versions]
    made = ", ".join(f"{name} {versions[name]}" for name in libraries)
    table, place = _table(["option", "value"], rows), f"experiments/release/{name}.py" if name else "config.json"
    return f"## Training\n\n{table}\n\nAll options are in `{place}`. Made with {made}.\n"


def _table(header, rows):
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in (header, *rows)]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    rule = ["---", *["---" if header[-1] == "value" else "---:"] * (len(header) - 1)]  # options are text
    return "\n".join([lines[0], f"| {' | '.join(rule)} |", *lines[1:]])


def _listed(names):
    names = list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def words(name):
    """Return the name of a score as words, such as "overall f1"."""
    return name.replace("_", " ")


def percent(value):
    """Return a fraction as a number of percent, "–" for `None` and NaN."""
    return "–" if pd.isna(value) else f"{100 * value:.1f}"
