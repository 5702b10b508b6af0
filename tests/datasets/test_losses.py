"""Warnings about lost posters, in Python and in the notes of runs and ensembles."""

import shutil

import pandas as pd
import pytest

from poster_cnn.datasets.verify import describe_losses
from poster_cnn.multimodal.data import load_ensemble_data
from poster_cnn.training.data import load_training_data


@pytest.mark.parametrize(
    ("unusable", "checked", "missing", "found", "share"),
    [
        (2, 129, 157, 129, "157 of 286 movies have no poster file, and 2 of 129 posters"),
        (11, 100, 0, None, "11 of 100 posters"),
        (10, 100, 0, None, None),
        (6, 100, 5, 95, "5 of 100 movies have no poster file, and 6 of 100 posters"),
        (4, 100, 5, 95, None),
        (0, 0, 0, None, None),
        (0, 20, 1000, 9_000, None),  # a sample of 20 of the 9,000 movies that have a poster
        (0, 20, 1001, 8_000, "1,001 of 9,001 movies"),
    ],
)
def test_warns_if_more_than_a_tenth_is_lost(unusable, checked, missing, found, share):
    report = pd.DataFrame({"verdict": ["quarantined"] * unusable + ["ok"] * (checked - unusable)})
    sentence = describe_losses(report, missing, found)
    assert sentence == "" if share is None else share in sentence


@pytest.mark.parametrize("how", ["missing", "empty", "cut"])
def test_python_warns_too(how, data_folder, tiny_config, tmp_path):
    folder = shutil.copytree(data_folder, tmp_path / "data")
    for path in sorted((folder / "posters").iterdir())[:8]:
        path.unlink() if how == "missing" else path.write_bytes(path.read_bytes()[: 900 * (how == "cut")])
    with pytest.warns(UserWarning, match="More than a tenth of the posters is lost: .*8 of 60") as caught:
        data = load_training_data(tiny_config.data, folder)
    assert str(caught[0].message) in data.report and len(data.table) == 52


def test_genres_whose_posters_are_all_lost_name_the_loss(data_folder, tiny_config, tmp_path):
    folder = shutil.copytree(data_folder, tmp_path / "data")
    for path in sorted((folder / "posters").iterdir())[1:]:
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="Documentary.*More than a tenth of the posters is lost: 59 of 60"):
        load_training_data(tiny_config.data, folder)


def test_ensembles_warn_of_unusable_posters_and_not_of_missing_ones(movie_folder, ensemble_config, tmp_path):
    config = ensemble_config.replace(modalities=("metadata", "plot"))
    folder = shutil.copytree(movie_folder, tmp_path / "movies")
    posters = sorted((folder / "posters").glob("*.jpg"))
    for path in posters[:20]:
        path.unlink()
    assert "More than a tenth" not in load_ensemble_data(config, folder, progress=False).notes
    for path in posters[20:30]:
        path.write_bytes(b"")
    with pytest.warns(UserWarning, match="More than a tenth of the posters is lost") as caught:
        data = load_ensemble_data(config, folder, progress=False)
    assert str(caught[0].message) in data.notes
