import numpy as np
import pandas as pd
import pytest

from poster_cnn.results import zavala
from poster_cnn.results.collect import read_published

GENRES = ["Action", "Drama", "Horror"]


@pytest.fixture
def published(request):
    return read_published(request.config.rootpath / "experiments" / "published" / "zavala.csv")


def test_both_encodings_of_a_genre():
    rows = pd.DataFrame({"title": ["A", "B"], "genres": [["Horror"], ["Action"]]}, index=[7, 9])
    table = zavala.encoding_table(rows, GENRES)
    assert list(table.columns) == ["title", "genre", "integer", *GENRES]
    assert table.to_numpy().tolist() == [["A", "Horror", 2, 0, 0, 1], ["B", "Action", 0, 1, 0, 0]]
    assert list(zavala.encoding_table(rows[["genres"]], GENRES).columns) == ["genre", "integer", *GENRES]


def test_a_split_that_tears_movies_says_so():
    torn = pd.DataFrame(
        {"imdb_id": [1, 1, 2, 2, 3, 4], "part": ["train", "test", "test", "test", "train", "validation"]}
    )
    table = zavala.split_table({"faithful": torn}).set_index("part")
    assert table.loc["test", ["rows", "movies", "movies_in_train"]].tolist() == [3, 2, 1]
    assert table.loc["test", "best_accuracy"] == pytest.approx(200 / 3)
    assert table.loc["validation", ["movies_in_train", "best_accuracy"]].tolist() == [0, 100]
    assert table.loc["train", "movies_in_train"] == 0


def test_leaks_are_listed_for_each_variant():
    counts = {"test_in_train": 3, "validation_in_train": 0, "test_in_validation": 1}
    leaks = {f"leak_{name}_posters": count for name, count in counts.items()}
    leaks |= {f"leak_{name}_fraction": count / 12 for name, count in counts.items()}
    runs = pd.DataFrame([{"variant": "faithful", **leaks}] * 2 + [{"variant": "leak_free", **dict.fromkeys(leaks, 0)}])
    table = zavala.leak_table(runs)
    assert table.iloc[0].tolist() == ["faithful", "test", "train", 3, 25]
    assert table["rows"].tolist() == [3, 0, 1, 0, 0, 0]
    without_validation = [f"leak_{name}_posters" for name in counts if "validation" in name]
    runs.loc[runs["variant"] == "faithful", without_validation] = None
    assert zavala.leak_table(runs)["part"].tolist() == ["test", "test", "validation", "test"]


def test_parameters_stand_beside_the_papers(published):
    counts = {"total": 2_265_670, "trainable": 7_686, "non_trainable": 0, "extra": 5}
    table = zavala.parameter_table(counts, published)
    assert table["paper"].tolist() == [2_265_670, 7_686, 2_257_984, pd.NA]
    assert table["same"].tolist() == [True, True, False, False]


def test_element_wise_accuracy_stands_beside_saying_nothing(published):
    results = pd.DataFrame({"set_name": ["both_dropouts", "no_dropout", "both_dropouts"]})
    results = results.assign(variant=["faithful", "faithful", "leak_free"], num_test=600)
    results = results.assign(learning_rate=[1e-4, 1e-3, 1e-4])
    for metric, value in (("label_accuracy", 0.84), ("first_label_accuracy", 0.25)):
        results = results.assign(**{metric: value, f"{metric}_low": value - 0.01, f"{metric}_high": value + 0.01})
    results = results.assign(all_zeros_label_accuracy=5 / 6, majority_first_label_accuracy=0.18)
    table = zavala.element_wise_table(results.iloc[[1, 0, 2]], published)
    assert table["network"].tolist() == ["both_dropouts", "no_dropout", "both_dropouts"]
    assert table["variant"].tolist() == ["faithful", "faithful", "leak_free"]
    np.testing.assert_equal(table["paper"].tolist(), [72.24, np.nan, np.nan])
    first = table.iloc[0][["element_wise", "element_wise_low", "all_zeros", "six_class", "six_class_high", "majority"]]
    assert first.tolist() == pytest.approx([84, 83, 500 / 6, 25, 26, 18])
