"""The terminal: each command as a user types it; errors are one line that names what was looked for."""

import json
import shutil
import types

import pandas as pd
import pytest
from PIL import Image

import poster_cnn
from poster_cnn.cli import main

pytestmark = pytest.mark.usefixtures("eager")


def with_broken_posters(data_folder, folder, count):
    """Copy a data folder, and cut some of its posters short."""
    shutil.copytree(data_folder, folder)
    for path in sorted((folder / "posters").iterdir())[:count]:
        path.write_bytes(path.read_bytes()[:900])
    return folder


LOST = "More than a tenth of the posters is lost: "


def test_train_evaluate_predict(data_folder, tmp_path, capsys):
    data = with_broken_posters(data_folder, tmp_path / "data", count=12)
    run = str(tmp_path / "run")
    train = ["train", "--data", str(data), "--out", run, "--genres", "Horror,Romance", "--head", "sigmoid"]
    assert main([*train, "--ratio", "26", "--epochs", "1", "--learning-rate", "1e-3"]) == 0
    printed = capsys.readouterr()
    assert "average_precision" in printed.out and "quarantined" not in printed.out
    report = (tmp_path / "run" / "notes.txt").read_text(encoding="utf-8")
    for text in ("rows read       60", "0 repaired, 9 quarantined", "truncated", "1001.jpg", f"{LOST}9 of 39 posters"):
        assert printed.err.count(text) == report.count(text) == 1, text
    assert main([*train, "--ratio", "26", "--epochs", "1", "--learning-rate", "1e-3"]) == 0
    assert "finished before: nothing was trained" in capsys.readouterr().out
    assert main(["evaluate", run, "--data", str(data), "--json"]) == 0
    printed = capsys.readouterr()
    assert set(json.loads(printed.out)["genres"]) == {"Horror", "Romance"}
    assert printed.err.count(LOST) == 1 and LOST in json.loads(printed.out)["notes"][-1]
    assert main(["evaluate", run, "--data", str(data)]) == 0
    printed = capsys.readouterr()
    assert printed.err.count(LOST) == 1 and LOST not in printed.out and "first_label_accuracy" in printed.out
    poster, card = str(data_folder / "posters" / "1001.jpg"), tmp_path / "card.png"
    assert main(["predict", "--model", run, poster, "--card", str(card), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["picture"] == poster
    assert Image.open(card).format == "PNG"


def test_a_broken_picture_gives_one_line_and_status_1(finished_run, data_folder, tmp_path, capsys):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    poster = str(data_folder / "posters" / "1002.jpg")
    assert main(["predict", "--model", str(finished_run), str(tmp_path / "broken.jpg"), poster]) == 1
    printed = capsys.readouterr()
    assert poster in printed.out
    assert printed.err.count("\n") == 1 and "1 of 2 cannot be read" in printed.err and "broken.jpg" in printed.err


def test_sweep_writes_tidy_results(data_folder, tmp_path, capsys):
    experiment = tmp_path / "rates.py"
    experiment.write_text(
        "from poster_cnn.training.config import TrainingConfig\n"
        "small = {'filters': (4, 8), 'dense_units': (8,)}\n"
        "config = TrainingConfig(class_names=('Horror', 'Romance'), ratio=10, epochs=1, model_args=small)\n"
        "grid = {'learning_rate': (1e-3, 1e-4)}\n"
        "quick_config, quick_grid = {}, {'learning_rate': (1e-3,)}\n"
    )
    arguments = ["sweep", str(experiment), "--data", str(data_folder), "--out", str(tmp_path / "runs")]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert "2 cells finished, 0 failed" in printed.out and printed.err.count("39 posters: 39 ok") == 1
    assert all("39 posters: 39 ok" in path.read_text() for path in (tmp_path / "runs").glob("*/notes.txt"))
    assert pd.read_csv(tmp_path / "runs" / "results.csv")["learning_rate"].tolist() == [1e-3, 1e-4]
    assert main([*arguments, "--preset", "quick"]) == 0
    assert "1 cells finished, 0 failed" in capsys.readouterr().out


def test_search_names_the_best_draw(data_folder, tmp_path, capsys):
    experiment = tmp_path / "rates.py"
    experiment.write_text(
        "from poster_cnn import TrainingConfig\n"
        "small = {'filters': (4, 8), 'dense_units': (8,)}\n"
        "genres = ('Horror', 'Romance')\n"
        "config = TrainingConfig(class_names=genres, ratio=10, epochs=1, num_folds=2, model_args=small)\n"
        "space, num_draws = {'learning_rate': [1e-3, 1e-4]}, 1\n"
    )
    arguments = ["search", str(experiment), "--data", str(data_folder), "--out", str(tmp_path / "runs")]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "best: learning_rate=0.00" in printed and "2 cells finished, 0 failed" in printed
    assert pd.read_csv(tmp_path / "runs" / "results.csv")["fold"].tolist() == [0, 1]


@pytest.mark.parametrize("command", ["sweep", "search"])
def test_failed_runs_are_named_and_counted(command, data_folder, tmp_path, monkeypatch, capsys):
    def train(*_, **__):
        raise FloatingPointError("The loss became nan")

    monkeypatch.setattr("poster_cnn.tuning.sweep.train", train)
    space = "space, num_draws = {'learning_rate': [1e-3]}, 1\n"
    (tmp_path / "rates.py").write_text(
        "from poster_cnn import TrainingConfig\n"
        "config = TrainingConfig(class_names=('Horror', 'Romance'), ratio=30, num_folds=2)\n"
        + {"sweep": "grid = {'fold': (0, 1)}\n", "search": space}[command]
    )
    arguments = [command, str(tmp_path / "rates.py"), "--data", str(data_folder), "--out", str(tmp_path / "runs")]
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert "0 cells finished, 2 failed" in printed.out and "best:" not in printed.out
    assert printed.err.count("FloatingPointError: The loss became nan") == 2


def test_posters_may_lie_elsewhere(tmp_path, capsys, monkeypatch):
    (tmp_path / "1979.json").write_text("[]")
    (tmp_path / "pictures").mkdir()

    def evaluate(run, data):
        return types.SimpleNamespace(as_text=lambda: f"{run} {data.csv == tmp_path} {data.posters}")

    monkeypatch.setattr(poster_cnn, "evaluate", evaluate)
    assert main(["evaluate", "run", "--data", str(tmp_path), "--posters", str(tmp_path / "pictures")]) == 0
    assert capsys.readouterr().out == f"run True {tmp_path / 'pictures'}\n"
    assert main(["evaluate", "run", "--data", str(tmp_path)]) == 1
    assert "has no posters. Looked for the folders posters/" in capsys.readouterr().err


def test_debug_prints_the_traceback(tmp_path, capsys):
    assert main(["sweep", str(tmp_path / "absent.py"), "--out", str(tmp_path), "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reproduce", "--preset", "fast"], "Received: --preset fast"),
        (["reproduce", "--preset", "results", "--only", "99"], "01_dataset"),
        (["reproduce", "--data", "no/such/folder"], "no/such/folder"),
        (["sweep", "absent.py", "--out", "x"], "absent.py"),
        (["predict", "--model", "absent.keras", "x.jpg"], "absent.keras"),
        (["predict", "--model", "absent.onnx", "x.jpg"], "absent.onnx"),
        (
            ["predict", "--model", "absent", "--plot", "Day.", "--trailer", "x"],
            "the run of an ensemble for --plot, --trailer",
        ),
        (
            ["predict", "x.jpg", "--plot", "Day."],
            "Give --model RUN, the run of an ensemble for --plot. Received: no --model",
        ),
        (["train", "--data", "absent", "--out", "x", "--genres", "Horror,Romance"], "absent"),
        (["train", "--data", "DATA", "--out", "OUT", "--genres", "Horror,Western"], "Western"),
        (["train", "--data", "DATA", "--out", "OUT", "--ratio", "20"], "Received: --image-size 54x36 (--ratio 20)"),
        (["train", "--data", "DATA", "--out", "OUT", "--genres", "War,War"], "Received: --genres War,War"),
        (["train", "--data", "DATA", "--out", "OUT", "--dropout", "2"], "`--dropout` must be a fraction"),
        (["evaluate", "x", "--data", "DATA", "--json", "--per-genre"], "--json prints no text. Give one of them."),
        (["train", "--data", "DATA", "--out", "OUT", "--patience", "2"], "--patience needs --early-stopping"),
        (["audit", "absent", "--split", "absent.csv"], "No split found. Looked for the file 'absent.csv'"),
        (["download", "films.csv", "OUT", "--seed", "2"], "--seed needs --sample. Received: --seed 2 alone"),
        (
            ["train", "--data", "DATA", "--out", "OUT", "--fine-tune-learning-rate", "1e-5"],
            "--fine-tune-learning-rate needs --fine-tune-epochs. Received: --fine-tune-learning-rate 1e-05 alone",
        ),
        (
            ["check-claim", "--metric", "hit_at_1", "--prevalences", "0.5,0.4", "--genres", "War"],
            "--genres needs --data",
        ),
        (["predict", "x.jpg", "--card", "c.docx"], "`--card` must be a file with one of the suffixes .eps, "),
    ],
)
def test_errors_are_one_line(arguments, message, data_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("POSTER_CNN_OUT", str(tmp_path))
    places = {"DATA": str(data_folder), "OUT": str(tmp_path / "run"), "x": str(tmp_path / "x")}
    assert main([places.get(argument, argument) for argument in arguments]) == 1
    error = capsys.readouterr().err
    assert message in error and error.startswith("poster-cnn: ") and error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "there is nothing to predict from"),
        (["--json"], "there is nothing to predict from"),
        (["a.jpg", "--plot", "Day.", "--trailer", "x.mp4"], None),
        (["a.jpg", "b.jpg", "--plot", "Day."], "give one PICTURE at most with --plot"),
        (["--metadata", "language=English", "a.jpg", "b.jpg"], "give one PICTURE at most with --metadata"),
    ],
)
def test_pictures_and_a_movie_are_not_mixed(arguments, message, capsys):
    if message is None:  # the next thing to look at is the run
        assert main(["predict", "--model", "absent", *arguments]) == 1
    else:
        with pytest.raises(SystemExit, match="2"):
            main(["predict", "--model", "absent", *arguments])
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("given", ["run", "run/model.keras", "model.onnx"])
def test_a_model_is_no_picture(given, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    with pytest.raises(SystemExit, match="2"):
        main(["predict", given, "a.jpg"])
    assert f"{given} is a model, not a picture: give it as --model {given}" in capsys.readouterr().err


def test_predict_prints_lines_csv_and_json(finished_run, data_folder, tmp_path, capsys):
    posters = [str(data_folder / "posters" / f"{1001 + number}.jpg") for number in range(6)]
    table = poster_cnn.predict(posters, finished_run)
    command = ["predict", "--model", str(finished_run), *posters]
    assert main([*command, "--csv", str(tmp_path / "out.csv")]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == posters
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out.csv", keep_default_na=False), table)
    assert main([*command, "--csv", "-"]) == 0
    assert capsys.readouterr().out == (tmp_path / "out.csv").read_text()
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["picture"] for row in found] == posters
    assert found[0]["genres"] == pytest.approx(table[list(found[0]["genres"])].iloc[0].to_dict())


@pytest.mark.parametrize("size", ["128", "128x", "128x128x3", "ten x ten"])
def test_an_image_size_that_is_none_is_wrong_usage(size, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train", "--data", "absent", "--out", "absent", "--genres", "Horror,Romance", "--image-size", size])
    assert f"expected HEIGHTxWIDTH in pixels, such as 128x128. Received: {size!r}" in capsys.readouterr().err
