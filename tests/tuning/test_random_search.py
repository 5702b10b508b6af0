"""Random search: draws from the papers' ranges, ranked by cross-validation."""

import pathlib

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from poster_cnn.tuning import load_experiment
from poster_cnn.tuning.random_search import best_draw, draw_changes, rank_draws

ZAVALA = pathlib.Path(__file__).parents[2] / "experiments" / "zavala"


@pytest.mark.parametrize(("name", "batch_norm"), [("random_search", False), ("random_search_batch_norm", True)])
def test_draws_are_distributed_as_in_the_paper(name, batch_norm):
    experiment = load_experiment(ZAVALA / f"{name}.py")
    drawn = draw_changes(experiment.space, 1500, seed=0)
    changes = [experiment.changes(draw) for draw in drawn]
    draws = pd.DataFrame([{"learning_rate": change["learning_rate"]} | change["model_args"] for change in changes])
    assert draws["learning_rate"].between(1e-4, 1e-2).all()
    assert stats.kstest(np.log10(draws["learning_rate"]), "uniform", [-4, 2]).pvalue > 0.05
    assert set(draws["dropout"]) == {number / 100 for number in range(20, 51)}  # two decimals, 0.5 included
    assert set(draws["filters"].str[0]) == set(range(4, 13))
    assert set(draws["filters"].str[1]) == set(range(16, 32))
    assert set(draws["dense_units"]) == set(range(80, 116))
    assert draws.get("batch_norm", pd.Series([False])).unique().tolist() == [batch_norm]
    recorded = experiment.config.to_dict()
    assert (experiment.num_draws, recorded["num_folds"], recorded["epochs"]) == (10, 4, 15)
    assert load_experiment(ZAVALA / f"{name}.py", preset="quick").num_draws == 2


def test_values_can_be_written_to_json_and_read_back():
    (draw,) = draw_changes({"rate": stats.uniform(0, 1), "units": stats.randint(1, 9), "name": ["a"]}, 1, seed=0)
    assert [type(value) for value in draw.values()] == [float, int, str]
    assert draw["rate"] == float(f"{draw['rate']:.6g}")


def test_the_best_draw_has_the_highest_mean_over_all_its_folds():
    scores = {"a/fold=0": 0.2, "a/fold=1": 0.4, "b/fold=0": 0.5, "b/fold=1": 0.3, "half/fold=0": 0.9}
    draws = [run.rpartition("/")[0] for run in scores]
    frame = pd.DataFrame({"set_name": draws, "num_folds": 2, "validation_first_label_accuracy": scores.values()})
    assert rank_draws(frame).round(6).to_dict() == {"b": 0.4, "a": 0.3}
    assert best_draw(frame) == "b"
    with pytest.raises(ValueError, match="No draw is finished on all its folds. .*Received: 1 runs"):
        best_draw(frame[-1:])
    assert rank_draws(pd.DataFrame(columns=["run", "set_name"])).empty  # all runs failed
