import json
import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import SIGMOID, write_data_folder
from PIL import Image

import poster_cnn
from poster_cnn import metrics, results
from poster_cnn.evaluation.evaluate import evaluate
from poster_cnn.evaluation.predict import predict
from poster_cnn.training.saved_model import load_model
from poster_cnn.training.train import train

pytestmark = pytest.mark.usefixtures("eager")


def test_scores_the_test_movies_of_the_own_folder(finished_run, data_folder):
    outcome = evaluate(finished_run, data_folder, num_resamples=20)
    assert "first_label_accuracy" in str(outcome) and "Documentary" in str(outcome)
    assert set(outcome.to_dict()) == {"num_movies", "num_seen", "scores", "genres", "notes"}
    saved = results.read_predictions(finished_run)
    assert outcome.num_movies == len(saved)
    assert f"{60 - len(saved)} movies left out" in outcome.notes and "not in the run's split" not in outcome.notes
    assert list(outcome.scores.index) == list(metrics.EVERYDAY)
    truth, probabilities = saved.filter(like="true_").to_numpy(), saved.filter(like="probability_").to_numpy()
    assert outcome.scores.loc["hit_at_1", "model"] == pytest.approx(metrics.hit_at_1(truth, probabilities))
    trained = pd.DataFrame(json.loads((finished_run / "metrics.json").read_text())["baselines"])
    for name in ("majority", "label_prior", "color_histogram"):  # the same names and numbers as in the run
        np.testing.assert_allclose(outcome.scores.loc[trained.index, name], trained[name], atol=1e-12)
    assert outcome.genres["movies"].tolist() == truth.sum(axis=0).tolist()
    split = pd.read_csv(finished_run / "split.csv")
    priors = split.loc[split["part"] == "train", outcome.genres.index].mean()
    assert outcome.genres["prior"].to_dict() == pytest.approx(priors.to_dict())


def write_folder_without(genre, folder):
    """Write a data folder of movies that are new to the run, none of which has the genre."""
    folder = write_data_folder(folder, num_movies=84)
    head, *rows = (folder / "MovieGenre.csv").read_text(encoding="iso-8859-1").splitlines()
    kept = [row for row in rows[60:] if genre not in row]  # the run has seen the first 60
    (folder / "MovieGenre.csv").write_text("\n".join([head, *kept]), encoding="iso-8859-1")
    return folder


def test_scores_of_a_genre_without_movies_are_not_defined(finished_run, tmp_path):
    outcome = evaluate(finished_run, write_folder_without("Documentary", tmp_path / "other"), num_resamples=20)
    undefined = outcome.genres.loc["Documentary", ["precision", "recall", "f1", "average_precision"]]
    assert outcome.genres.loc["Documentary", "movies"] == 0 and undefined.isna().all()
    assert outcome.genres.drop(index="Documentary").notna().all(axis=None)
    assert outcome.scores["model"].notna().all()
    assert str(outcome).count("not defined") == 4
    assert outcome.to_dict()["genres"]["Documentary"]["recall"] is None


def test_rejects_folders_without_any_of_the_genres(finished_run, tmp_path):
    folder = write_data_folder(tmp_path / "other", num_movies=8)
    text = (folder / "MovieGenre.csv").read_text(encoding="iso-8859-1")
    for genre in ("Horror", "Romance", "Action", "Documentary"):
        text = text.replace(genre, "War")
    (folder / "MovieGenre.csv").write_text(text, encoding="iso-8859-1")
    with pytest.raises(ValueError, match="`data` must have movies of the network's genres, Horror"):
        evaluate(finished_run, folder)


def test_rejects_unfinished_runs(tmp_path, data_folder):
    with pytest.raises(FileNotFoundError, match="finished run folder"):
        evaluate(tmp_path, data_folder)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="training is not finished: start it again with the same command"):
        evaluate(tmp_path, data_folder)


@pytest.mark.parametrize("name", [".", "ensemble", "plot"])
def test_rejects_ensembles_and_their_branches(name, finished_ensemble, data_folder):
    with pytest.raises(ValueError, match="must be the run of a poster network.* are in .*metrics.json"):
        evaluate(finished_ensemble / name, data_folder)


def test_posters_alone_are_no_input_of_an_ensemble(finished_ensemble, data_folder):
    with pytest.raises(FileNotFoundError, match="The folder has an ensemble, for `predict_movies`"):
        poster_cnn.predict(data_folder / "posters" / "1001.jpg", finished_ensemble)


def test_uses_the_genre_groups_and_thresholds_of_the_run(tmp_path, data_folder, one_step_config):
    config = one_step_config.replace(
        class_names=("Feature", "Documentary"),
        genre_groups={"Feature": ("Horror", "Romance", "Action")},
        metrics=("overall_f1",),
        **SIGMOID,
    )
    result = train(config, data_folder, tmp_path / "run", progress=False)
    outcome = evaluate(tmp_path / "run", data_folder, num_resamples=20)
    saved = results.read_predictions(tmp_path / "run")
    assert outcome.genres["movies"].to_dict() == {name: saved[f"true_{name}"].sum() for name in config.class_names}
    assert outcome.genres["threshold"].to_dict() == pytest.approx(result["thresholds"])
    frequent = result["baselines"]["frequent_genres"]["overall_f1"]
    assert outcome.scores.loc["overall_f1", "frequent_genres"] == pytest.approx(frequent)


def test_scores_and_counts_movies_that_the_run_left_out(tmp_path, data_folder, one_step_config):
    train(one_step_config.replace(max_movies=40), data_folder, tmp_path, progress=False)
    num_tested = len(results.read_predictions(tmp_path))
    outcome = evaluate(tmp_path, data_folder, num_resamples=20)
    assert outcome.num_movies == num_tested + 20
    assert f"20 of the {num_tested + 20} scored movies are not in the run's split" in outcome.notes


def test_center_crops_are_used_in_evaluate_and_predict(tmp_path, data_folder, one_step_config):
    config = one_step_config.replace(
        split="leak_free", crops_per_genre=20, crop_size=(90, 100), evaluation_crop="center"
    )
    tested = train(config, data_folder, tmp_path, progress=False)["test"]
    outcome = evaluate(tmp_path, data_folder, num_resamples=20)
    saved = results.read_predictions(tmp_path)
    truth, probabilities = (saved.filter(like=what).to_numpy() for what in ("true_", "probability_"))
    expected = metrics.average_precision(truth, probabilities)
    assert outcome.scores.loc["average_precision", "model"] == pytest.approx(expected, abs=1e-6)
    assert outcome.scores.loc["hit_at_1", "model"] == tested["hit_at_1"]["value"]
    paths = [data_folder / "posters" / f"{imdb_id}.jpg" for imdb_id in saved["imdb_id"]]
    model, about = load_model(tmp_path)
    found = predict(paths, (model, about | {"calibration": None}))[list(config.class_names)]
    assert np.allclose(found, saved[[f"probability_{name}" for name in found]], atol=1e-5)


def write_copies(run_dir, data_folder, folder):
    """Write a folder of new ids: copies of five posters of each part of a run, saved anew, and eight new pictures."""
    (folder / "posters").mkdir(parents=True)
    split = pd.read_csv(run_dir / "split.csv")
    chosen = split.groupby("part").head(5).reset_index(drop=True)
    rows = ["imdbId,Imdb Link,Title,IMDB Score,Genre,Poster"]
    for number, row in chosen.iterrows():
        genres = "|".join(name for name in split.columns[2:] if row[name])
        rows.append(f"{5001 + number},x,Copy {number} (2016),5,{genres},x")
        picture = Image.open(data_folder / "posters" / f"{row['imdb_id']}.jpg")
        if number % 2:
            picture = picture.resize((150, 221))
        picture.save(folder / "posters" / f"{5001 + number}.jpg", quality=70)
    for number, genre in enumerate(["Horror", "Romance", "Action", "Documentary"] * 2):
        rows.append(f"{6001 + number},x,New {number} (2016),5,{genre},x")
        noise = np.random.default_rng(number).integers(0, 256, (4, 3, 3), dtype="uint8")
        Image.fromarray(noise).resize((182, 268)).save(folder / "posters" / f"{6001 + number}.jpg")
    (folder / "MovieGenre.csv").write_text("\n".join(rows) + "\n", encoding="iso-8859-1")
    return folder, chosen["part"].value_counts()


def test_copies_of_seen_posters_are_no_new_movies(finished_run, data_folder, tmp_path):
    folder, copies = write_copies(finished_run, data_folder, tmp_path / "new")
    outcome = evaluate(finished_run, folder, num_resamples=20)
    num_copies = copies["train"] + copies["validation"]
    assert f"{num_copies} movies left out, as their posters are copies of posters of such movies" in outcome.notes
    assert outcome.num_movies == copies["test"] + 8  # a copy of a test poster was not seen in training

    older = shutil.copytree(finished_run, tmp_path / "older")
    (older / ".posters.csv.gz").unlink()
    outcome = evaluate(older, folder, num_resamples=20)
    assert outcome.num_movies == num_copies + copies["test"] + 8
    assert "copies of them were looked for in this data folder only" in outcome.notes
    for path in (data_folder / "posters").iterdir():
        shutil.copy(path, folder / "posters")
    lines = (data_folder / "MovieGenre.csv").read_text(encoding="iso-8859-1").splitlines(keepends=True)[1:]
    with open(folder / "MovieGenre.csv", "a", encoding="iso-8859-1") as file:
        file.writelines(lines)
    assert f"{num_copies} movies left out, as their" in evaluate(older, folder, num_resamples=20).notes


def test_new_movies_that_lack_the_only_genre_are_explained(one_step_config, data_folder, tmp_path):
    options = SIGMOID | {"class_names": ("Horror",), "split": "leak_free", "metrics": metrics.OF_ONE_GENRE}
    train(one_step_config.replace(**options), data_folder, tmp_path / "run", progress=False)
    split = pd.read_csv(tmp_path / "run" / "split.csv")
    tested = split.loc[(split["part"] == "test") & (split["Horror"] == 1), "imdb_id"]
    table = poster_cnn.load_movie_table(data_folder / "MovieGenre.csv", posters_dir=data_folder / "posters")
    with pytest.raises(ValueError, match="`data` must have movies of the network's genres, Horror, that were not used"):
        evaluate(tmp_path / "run", table[~table["imdb_id"].isin(tested)])
