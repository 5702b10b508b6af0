import json

import pandas as pd
import pytest

from poster_cnn.results.collect import collect_history, collect_results, read_published, read_results, write_results


def write_run(folder, **config):
    folder.mkdir(parents=True)
    defaults = {"experiment": "dave", "class_names": ["Horror", "Romance"], "image_size": [107, 73], "seed": 0}
    record = {"config": defaults | {"allow_leak": True} | config, "date": "2024-01-31"}
    record |= {"device": "2 CPU cores", "processor": "a laptop", "flags": "avx2"}
    record["versions"] = {"python": "3.11", "scikit-learn": "1.5.0"}
    record["data"] = {"fingerprint": "12e45", "num_train": 80, "num_validation": 10, "num_test": 20}
    metrics = {
        "test": {"first_label_accuracy": {"value": 0.55, "low": 0.5, "high": 0.61}, "hit_at_1": {"value": 2 / 3}},
        "baselines": {"majority": {"first_label_accuracy": 0.375}},
        "validation": {"first_label_accuracy": 0.6},
        "leak": {"fraction": 0.05},
        "seconds": 12.5,
    }
    (folder / "config.json").write_text(json.dumps(record))
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "history.csv").write_text(
        "epoch,loss,accuracy,val_loss,val_accuracy\n0,1.5,.3,1.4,.35\n1,1.2,.4,1.3,.45\n"
    )


@pytest.fixture
def runs_dir(tmp_path):
    write_run(tmp_path / "runs" / "b", ratio=40, learning_rate=1e-7)
    write_run(tmp_path / "runs" / "a", ratio=40, learning_rate=1e-3)
    write_run(tmp_path / "runs" / "sweep" / "c", ratio=30, learning_rate=1e-3)
    return tmp_path / "runs"


def test_results_have_one_sorted_row_per_run(runs_dir):
    results = collect_results(runs_dir)
    assert list(results["run"]) == ["sweep/c", "a", "b"]
    expected = {
        "class_names": "Horror|Romance",
        "image_height": 107,
        "image_width": 73,
        "allow_leak": True,
        "num_test": 20,
        "first_label_accuracy": 0.55,
        "first_label_accuracy_low": 0.5,
        "first_label_accuracy_high": 0.61,
        "majority_first_label_accuracy": 0.375,
        "validation_first_label_accuracy": 0.6,
        "leak_fraction": 0.05,
        "scikit_learn_version": "1.5.0",
        "data_fingerprint": "12e45",
        "device": "2 CPU cores",
        "processor": "a laptop",
        "flags": "avx2",
        "date": "2024-01-31",
        "seconds": 12.5,
    }
    assert results.loc[0, list(expected)].to_dict() == expected
    assert results["allow_leak"].dtype == bool


def test_history_has_one_row_per_epoch(runs_dir):
    history = collect_history(runs_dir)
    assert len(history) == 3 * 2
    assert list(history["epoch"]) == [0, 1] * 3
    last = history.iloc[-1]
    assert (last["run"], last["ratio"], last["learning_rate"], last["val_accuracy"]) == ("b", 40, 1e-7, 0.45)


@pytest.mark.parametrize(
    "file, content, reason",
    [
        ("metrics.json", None, "unfinished, no metrics.json"),
        ("metrics.json", '{"test": ', "metrics.json is not JSON"),
        ("metrics.json", "[]", "must hold"),
        ("config.json", "{}", "must hold"),
    ],
)
@pytest.mark.parametrize("collect", [collect_results, collect_history])
def test_warns_about_unreadable_run_folders(runs_dir, collect, file, content, reason):
    (runs_dir / "a" / file).unlink()
    if content is not None:
        (runs_dir / "a" / file).write_text(content)
    with pytest.warns(UserWarning, match=f"(?s)1 of 3 run folders.*a: .*{reason}"):
        frame = collect(runs_dir)
    assert set(frame["run"]) == {"sweep/c", "b"}


def test_skips_runs_with_an_empty_history(runs_dir):
    (runs_dir / "a" / "history.csv").write_text("epoch,loss\n")
    with pytest.warns(UserWarning, match="a: broken, history.csv"):
        assert "a" not in set(collect_history(runs_dir)["run"])


def test_skips_hidden_folders(runs_dir):
    write_run(runs_dir / ".1f2e.tmp.d", ratio=50, learning_rate=1e-3)
    assert len(collect_results(runs_dir)) == 3


def test_folder_without_runs_gives_an_empty_table(tmp_path):
    assert collect_results(tmp_path).empty
    assert collect_history(tmp_path).empty
    with pytest.raises(FileNotFoundError, match="runs_dir"):
        collect_results(tmp_path / "nowhere")


@pytest.mark.parametrize("collect", [collect_results, collect_history])
def test_csv_round_trip(runs_dir, tmp_path, collect):
    frame = collect(runs_dir)
    write_results(frame, tmp_path / "out" / "results.csv")
    again = read_results(tmp_path / "out" / "results.csv")
    pd.testing.assert_frame_equal(again[list(frame)], frame, check_dtype=False, rtol=1e-5)
    assert again["learning_rate"].min() == 1e-7


def test_csv_keeps_text_that_looks_like_a_number(runs_dir, tmp_path):
    write_results(collect_results(runs_dir), tmp_path / "results.csv")
    first = read_results(tmp_path / "results.csv").iloc[0]
    assert (first["data_fingerprint"], first["python_version"]) == ("12e45", "3.11")


def test_csv_has_a_fixed_column_order(runs_dir, tmp_path):
    results = collect_results(runs_dir)
    write_results(results, tmp_path / "a.csv")
    write_results(results[results.columns[::-1]], tmp_path / "b.csv")
    text = (tmp_path / "a.csv").read_text()
    assert text == (tmp_path / "b.csv").read_text()
    assert text.startswith("run,experiment,ratio,image_height,image_width,learning_rate,seed,num_train")
    assert "0.666667" in text and "0.6666666" not in text


def test_csv_keeps_integers_that_some_runs_lack(runs_dir, tmp_path):
    write_run(runs_dir / "d", ratio=None, learning_rate=1e-3, num_params=2_265_670)
    write_results(collect_results(runs_dir), tmp_path / "results.csv")
    assert "2265670" in (tmp_path / "results.csv").read_text()


def test_published_numbers_of_paper_1(request):
    published = read_published(request.config.rootpath / "experiments" / "published" / "dave.csv")
    table = published[published["table"] == "Table 2"].pivot(index="row", columns="column", values="value")
    assert table.to_numpy().tolist() == [
        [42.7, 48.2, 43.3, 32.6, 31.5],
        [43.2, 50.5, 42.6, 39.0, 31.6],
        [44.5, 49.9, 44.6, 32.1, 31.6],
        [46.2, 49.8, 45.7, 32.4, 29.1],
        [45.2, 49.1, 45.3, 32.8, 32.2],
    ]
    cards = published[published["metric"] == "probability"].groupby("row")["value"].sum()
    assert len(cards) == 6 and (cards == 100).all()


def test_skips_the_history_of_a_sweep(tmp_path, recwarn):
    write_run(tmp_path / "cell")
    (tmp_path / "history.csv").write_text("epoch,loss\n0,1.0\n")
    assert len(collect_results(tmp_path)) == 1
    assert not [warning for warning in recwarn if "left out" in str(warning.message)]


def test_names_that_pandas_takes_for_missing_values_stay_names(tmp_path):
    names = ["None", "NA", "null", "plain"]
    frame = pd.DataFrame({"run": names, "set_name": names, "hit_at_1": [0.5, None, 0.25, 1.0]})
    write_results(frame, tmp_path / "results.csv")
    again = read_results(tmp_path / "results.csv")
    assert again["run"].tolist() == again["set_name"].tolist() == names
    assert again["hit_at_1"].isna().tolist() == [False, True, False, False]
