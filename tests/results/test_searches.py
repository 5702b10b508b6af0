import numpy as np
import pandas as pd
import pytest

from poster_cnn.results import searches

PAPER = "zavala"
ACCURACIES = {"set=1": [0.2, 0.3], "set=2": [0.4, 0.4]}


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


def test_averages_the_accuracy_over_the_folds(results):
    table = searches.cross_validation_table(results)
    assert table["set"].tolist() == ["set=1", "set=2"]
    assert table[["filters_1", "filters_2", "dense_units", "folds"]].to_numpy().tolist() == [
        [10, 30, 106, 2],
        [8, 16, 92, 2],
    ]
    assert table["accuracy"].tolist() == pytest.approx([25, 40])
    assert table["std"].tolist() == pytest.approx([np.std([20, 30], ddof=1), 0])
    assert table[["test", "majority"]].to_numpy().ravel() == pytest.approx([25, 18] * 2)
    assert not table["batch_norm"].any()


def test_separates_experiments_with_equal_set_names(results):
    both = pd.concat([results, results.assign(experiment="table_4", model_args_batch_norm=True)])
    table = searches.cross_validation_table(both)
    assert table["folds"].tolist() == [2] * 4
    assert table["batch_norm"].tolist() == [False, False, True, True]


@pytest.mark.parametrize("name", ["", None])
def test_separates_unnamed_sets_by_their_hyperparameters(results, name):
    table = searches.cross_validation_table(results.assign(set_name=name))
    assert table["folds"].tolist() == [2, 2] and table["accuracy"].tolist() == pytest.approx([25, 40])


def test_rejects_results_without_folds(results):
    with pytest.raises(ValueError, match="cross-validation"):
        searches.cross_validation_table(results.drop(columns="validation_first_label_accuracy"))
    with pytest.raises(ValueError, match="0 runs"):
        searches.cross_validation_table(results.iloc[:0])


def test_matches_printed_sets_by_their_hyperparameters(results, published):
    scores = searches.cross_validation_table(results)
    table = searches.beside_printed_sets(scores, published, "Table 3")
    assert table["set"].tolist() == [1, 2, 3, 4, 5]
    assert table["learning_rate"].tolist() == [0.00180133, 0.00037912, 0.00019251, 0.00013504, 0.00035341]
    np.testing.assert_allclose(table["accuracy"], [25, 40, np.nan, np.nan, np.nan])
    other = searches.beside_printed_sets(scores.assign(dropout=0.4), published, "Table 3")
    assert other["accuracy"].isna().all()


def test_rejects_unknown_table(results, published):
    with pytest.raises(ValueError, match="Table 4"):
        searches.beside_printed_sets(searches.cross_validation_table(results), published, "Table 6")


def test_rank_correlations_are_sorted_by_strength():
    scores = draws([10, 20, 30, 40], learning_rate=[4e-3, 3e-3, 2e-3, 1e-4], dropout=[0.2, 0.4, 0.3, 0.35])
    table = searches.rank_correlations(scores)
    assert table["hyperparameter"].tolist()[:2] == ["learning_rate", "dropout"]
    assert table["correlation"].tolist()[:2] == pytest.approx([-1, 0.4])
    assert table["correlation"].tolist()[2:] == pytest.approx([np.nan] * 3, nan_ok=True)  # constant values
    assert (table["draws"] == 4).all()


def test_rank_correlations_need_three_draws():
    assert searches.rank_correlations(draws([10, 20], learning_rate=[1e-3, 1e-4]))["correlation"].isna().all()


def test_p_values_are_corrected_for_the_number_of_comparisons():
    scores = draws(
        [10, 20, 30, 40, 25], learning_rate=[4e-3, 3e-3, 2e-3, 1e-4, 5e-4], dropout=[0.2, 0.4, 0.3, 0.35, 0.1]
    )
    table = searches.rank_correlations(scores, comparisons=10).dropna()
    assert table["p_corrected"].tolist() == pytest.approx([min(1, 10 * p) for p in table["p_value"]])
    assert table["p_corrected"].iloc[0] < 1 == table["p_corrected"].iloc[1]


def test_learning_rate_table_has_the_printed_runs_in_order(published):
    runs = pd.DataFrame({"learning_rate": [1e-2, 1e-4], "batch_size": 32, "validation_steps": 20, "num_train": 3353})
    runs = runs.assign(first_label_accuracy=[0.2, 0.3], validation_first_label_accuracy=[0.1, 0.4])
    table = searches.learning_rate_table(runs, published)
    assert table[["run", "learning_rate"]].to_numpy().tolist() == [[1, 1e-4], [2, 1e-3], [3, 1e-2]]
    assert table["steps_per_epoch"].tolist() == [105, pd.NA, 105]  # 3,353 rows in batches of 32
    assert table["paper_steps_per_epoch"].tolist() == [449] * 3
    assert table.loc[[0, 2], ["validation_accuracy", "test_accuracy"]].to_numpy().tolist() == [[40, 30], [10, 20]]
