import dataclasses
import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from poster_cnn.evaluation.modalities import modality_subsets
from poster_cnn.results.lebaron import METRICS
from poster_cnn.training.saved_model import load_model

SCORES = list(METRICS.values())


@pytest.mark.slow
def test_scores_every_subset_of_the_modalities(finished_ensemble, ensemble_config, ensemble_data):
    subsets = modality_subsets(finished_ensemble, None, ensemble_data=ensemble_data)
    assert len(subsets) == 15 * (1 + 4)
    whole = subsets[subsets["genre"] == ""].set_index("modalities")
    assert whole.index[0] == "poster" and whole.index[-1] == "poster+trailer+metadata+plot" and whole.index.is_unique
    scores = json.loads((finished_ensemble / "ensemble" / "metrics.json").read_text())["test"]
    for metric in SCORES:
        assert whole[metric].iloc[-1] == pytest.approx(scores[metric]["value"], abs=1e-6)
    of_genre = subsets[subsets["genre"] != ""]
    assert of_genre["genre"].unique().tolist() == list(ensemble_config.class_names)
    means = of_genre.groupby("modalities")["average_precision"].mean()
    assert means.to_dict() == pytest.approx(whole["average_precision"].to_dict())
    assert of_genre[[SCORES[0], SCORES[2]]].isna().all(axis=None)
    assert whole["num_modalities"].tolist() == [1] * 4 + [2] * 6 + [3] * 4 + [4]

    # The whole model gives the same score for plots alone.
    rows = ensemble_data.rows("test")
    shown = ensemble_data.present[rows] & np.array([False, False, False, True])
    assert whole.loc["plot", "num_missing"] == (~shown.any(axis=1)).sum() > 0
    model, _ = load_model(finished_ensemble / "ensemble")
    inputs = {name: np.zeros((len(rows), *[n or 1 for n in model.input[name].shape[1:]])) for name in model.input}
    y_prob = model.predict(inputs | {"plot": ensemble_data.inputs["plot"][rows], "present": shown}, verbose=0)
    labels = ensemble_data.movies.labels("test")
    assert whole.loc["plot", SCORES[0]] == pytest.approx(average_precision_score(labels, y_prob, average="micro"))

    other = dataclasses.replace(ensemble_data, present=~ensemble_data.present)
    with pytest.raises(ValueError, match="differs in: the data"):
        modality_subsets(finished_ensemble, None, ensemble_data=other)
