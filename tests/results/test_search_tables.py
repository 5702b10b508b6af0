import numpy as np
import pandas as pd
import pytest

from poster_cnn.results import zavala
from poster_cnn.results.collect import read_published

ACCURACIES = {"set=1": [0.2, 0.3], "set=2": [0.4, 0.4]}


@pytest.fixture
def published(request):
    return read_published(request.config.rootpath / "experiments" / "published" / "zavala.csv")


@pytest.fixture
def results():
    """Two folds of the first two sets of Table 3, as the csv has them."""
    hyperparameters = {"set=1": (0.00180133, 0.41, "10|30", 106), "set=2": (0.00037912, 0.34, "8|16", 92)}
    rows = [
        (name, *hyperparameters[name], accuracy) for name, accuracies in ACCURACIES.items() for accuracy in accuracies
    ]
    columns = ["set_name", "learning_rate", "model_args_dropout", "model_args_filters", "model_args_dense_units"]
    frame = pd.DataFrame(rows, columns=[*columns, "validation_first_label_accuracy"])
    return frame.assign(experiment="table_3", first_label_accuracy=0.25, majority_first_label_accuracy=0.18)


def draws(accuracies, **hyperparameters):
    table = pd.DataFrame({"accuracy": accuracies}).assign(dropout=0.3, filters_1=4, filters_2=16, dense_units=80)
    return table.assign(**hyperparameters)


def test_mean_and_spread_over_the_folds(results):
    table = zavala.cross_validation_table(results)
    assert table["set"].tolist() == ["set=1", "set=2"]
    assert table[["filters_1", "filters_2", "dense_units", "folds"]].to_numpy().tolist() == [
        [10, 30, 106, 2],
        [8, 16, 92, 2],
    ]
    assert table["accuracy"].tolist() == pytest.approx([25, 40])
    assert table["std"].tolist() == pytest.approx([np.std([20, 30], ddof=1), 0])
    assert table[["test", "majority"]].to_numpy().ravel() == pytest.approx([25, 18] * 2)
    assert not table["batch_norm"].any()


def test_searches_with_equal_names_are_kept_apart(results):
    both = pd.concat([results, results.assign(experiment="table_4", model_args_batch_norm=True)])
    table = zavala.cross_validation_table(both)
    assert table["folds"].tolist() == [2] * 4
    assert table["batch_norm"].tolist() == [False, False, True, True]


@pytest.mark.parametrize("name", ["", None])
def test_sets_without_names_are_told_apart_by_what_was_drawn(results, name):
    table = zavala.cross_validation_table(results.assign(set_name=name))
    assert table["folds"].tolist() == [2, 2] and table["accuracy"].tolist() == pytest.approx([25, 40])


def test_runs_without_folds_are_refused(results):
    with pytest.raises(ValueError, match="cross-validation"):
        zavala.cross_validation_table(results.drop(columns="validation_first_label_accuracy"))
    with pytest.raises(ValueError, match="0 runs"):
        zavala.cross_validation_table(results.iloc[:0])


def test_accuracies_stand_beside_the_printed_sets(results, published):
    scores = zavala.cross_validation_table(results)
    table = zavala.beside_printed_sets(scores, published, "Table 3")
    assert table["set"].tolist() == [1, 2, 3, 4, 5]
    assert table["learning_rate"].tolist() == [0.00180133, 0.00037912, 0.00019251, 0.00013504, 0.00035341]
    np.testing.assert_allclose(table["accuracy"], [25, 40, np.nan, np.nan, np.nan])


def test_another_draw_is_no_printed_set(results, published):
    scores = zavala.cross_validation_table(results).assign(dropout=0.4)
    assert zavala.beside_printed_sets(scores, published, "Table 3")["accuracy"].isna().all()


def test_only_printed_tables_are_known(results, published):
    with pytest.raises(ValueError, match="Table 4"):
        zavala.beside_printed_sets(zavala.cross_validation_table(results), published, "Table 6")


def test_rank_correlations_find_what_matters():
    scores = draws([10, 20, 30, 40], learning_rate=[4e-3, 3e-3, 2e-3, 1e-4], dropout=[0.2, 0.4, 0.3, 0.35])
    table = zavala.rank_correlations(scores)
    assert table["hyperparameter"].tolist()[:2] == ["learning_rate", "dropout"]
    assert table["correlation"].tolist()[:2] == pytest.approx([-1, 0.4])
    assert table["correlation"].tolist()[2:] == pytest.approx([np.nan] * 3, nan_ok=True)  # one value: no correlation
    assert (table["draws"] == 4).all()


def test_two_draws_say_nothing():
    assert zavala.rank_correlations(draws([10, 20], learning_rate=[1e-3, 1e-4]))["correlation"].isna().all()
