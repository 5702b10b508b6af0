"""Metadata encoder: categories of the training set, unseen values, saving, dense batches of sparse matrices."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from poster_cnn.datasets.arrays import DenseBatches
from poster_cnn.movies import splits
from poster_cnn.movies.metadata import METADATA_COLUMNS, load_movie_metadata
from poster_cnn.multimodal.metadata_encoder import fit_metadata_encoder, load_metadata_encoder

REAL_DATA = pathlib.Path(__file__).parents[3] / "shared" / "data"


def people(*rows):
    """Return a table of movies with only a director and a first actor."""
    table = pd.DataFrame(rows, columns=["director_name", "actor_1_name"])
    return table.reindex(columns=METADATA_COLUMNS, fill_value="")


TRAIN = people(("Zoe", "Ann"), ("Ann", "Bob"), ("", "Ann"), ("Zoe", "Cid"))
OTHERS = people(("Ann", "Zoe"), ("", ""), ("Zoe", "Bob"), (np.nan, "Éva"))


def test_encodes_each_value_of_the_training_set():
    encoder = fit_metadata_encoder(TRAIN)
    assert encoder.categories["director_name"] == ["Ann", "Zoe"]
    assert encoder.categories["actor_1_name"] == ["Ann", "Bob", "Cid"]
    assert encoder.categories["language"] == []
    assert encoder.width == 5
    encoded = encoder.encode(TRAIN)
    assert sparse.issparse(encoded) and encoded.format == "csr" and encoded.dtype == "float32"
    assert encoded.toarray().tolist() == [[0, 1, 1, 0, 0], [1, 0, 0, 1, 0], [0, 0, 1, 0, 0], [0, 1, 0, 0, 1]]


def test_encodes_unseen_and_missing_values_as_zeros_and_counts_them():
    encoder = fit_metadata_encoder(TRAIN)
    assert encoder.encode(OTHERS).toarray().tolist() == [[1, 0, 0, 0, 0], [0] * 5, [0, 1, 0, 1, 0], [0] * 5]
    counts = encoder.count_values(OTHERS)
    assert counts.loc["director_name"].to_dict() == {"known": 2, "unseen": 0, "missing": 2}
    assert counts.loc["actor_1_name"].to_dict() == {"known": 1, "unseen": 2, "missing": 1}
    assert encoder.encode(OTHERS[:0]).shape == (0, 5)


def test_saved_encoder_is_loaded_unchanged(tmp_path):
    train = TRAIN.assign(language=["Français", "日本語", "", "null"])
    encoder = fit_metadata_encoder(train)
    encoder.save(tmp_path / "model" / "metadata.json")
    loaded = load_metadata_encoder(tmp_path / "model" / "metadata.json")
    assert loaded == encoder
    assert (loaded.encode(train) != encoder.encode(train)).nnz == 0
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["metadata.json"]
    assert json.loads((tmp_path / "model" / "metadata.json").read_text(encoding="utf-8"))["language"][0] == "Français"


@pytest.mark.parametrize("content", ["[]", '{"language": "English"}', '{"language": [1]}', "null"])
def test_rejects_other_json_files(tmp_path, content):
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(ValueError, match="column -> list of values.*other.json"):
        load_metadata_encoder(tmp_path / "other.json")


def test_rejects_tables_without_columns_or_values():
    with pytest.raises(ValueError, match=r"`table` lacks the column\(s\) language\. Received"):
        fit_metadata_encoder(TRAIN.drop(columns="language"))
    with pytest.raises(ValueError, match="All values of the columns .* are missing. Received: 1 rows"):
        fit_metadata_encoder(people(("", "")))
    assert fit_metadata_encoder(TRAIN, columns=["actor_1_name"]).width == 3


# --- batches ---


def test_batches_are_dense_and_ordered():
    matrix = sparse.random(10, 6, density=0.4, random_state=0, format="coo")
    labels = np.eye(10, 3)
    batches = DenseBatches(matrix, labels, batch_size=4)
    assert [len(batch[0]) for batch in batches] == [4, 4, 2] and len(batches) == 3
    assert all(isinstance(part, np.ndarray) and part.dtype == "float32" for batch in batches for part in batch)
    np.testing.assert_array_equal(np.concatenate([batch[0] for batch in batches]), matrix.toarray().astype("float32"))
    np.testing.assert_array_equal(np.concatenate([batch[1] for batch in batches]), labels)


def test_shuffles_inputs_and_labels_together_in_another_order_each_epoch():
    numbers = np.arange(20).reshape(-1, 1)
    batches = DenseBatches({"a": sparse.csr_matrix(numbers), "b": numbers}, numbers, batch_size=7, seed=3)
    epochs = []
    for _ in range(2):
        epochs.append(np.concatenate([batches[i][1] for i in range(3)]).ravel().tolist())
        for i in range(3):
            inputs, labels = batches[i]
            assert inputs["a"].tolist() == inputs["b"].tolist() == labels.tolist()
        batches.on_epoch_end()
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(20))
    assert epochs[0] != epochs[1]
    again = DenseBatches(numbers, numbers, batch_size=20, seed=3)
    assert again[0][1].ravel().tolist() == epochs[0]


def test_arrays_keep_their_dtype_next_to_sparse_matrices():
    present = np.array([[True], [False]])
    (inputs,) = DenseBatches({"metadata": sparse.eye(2, format="csc"), "present": present})[0]
    assert inputs["metadata"].dtype == "float32" and inputs["metadata"].tolist() == [[1, 0], [0, 1]]
    assert inputs["present"].dtype == bool and inputs["present"].tolist() == present.tolist()


def test_batches_of_selected_rows_without_labels():
    numbers = np.arange(6).reshape(-1, 1)
    (inputs,) = DenseBatches(numbers, rows=[4, 1])[0]
    assert inputs.tolist() == [[4], [1]]
    with pytest.raises(ValueError, match=r"Received: \[5, 6\] rows"):
        DenseBatches(numbers, numbers[:5])


def test_model_learns_and_predicts_from_sparse_batches():
    rows = [("Zoe", "Ann"), ("Ann", "Bob")] * 20
    table, labels = people(*rows), np.array([[1, 0], [0, 1]] * 20)
    encoded = fit_metadata_encoder(table).encode(table)
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    model.optimizer.learning_rate = 0.1
    model.fit(DenseBatches(encoded, labels, batch_size=16, seed=0), epochs=4, shuffle=False, verbose=0)
    predictions = model.predict(DenseBatches(encoded, batch_size=16), verbose=0)
    assert (predictions.round() == labels).all()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_batches_work_on_other_backends(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    script = """
import keras, sys
from scipy import sparse
from poster_cnn.datasets.arrays import DenseBatches
model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2, activation="sigmoid")])
model.compile("adam", "binary_crossentropy")
model.fit(DenseBatches(sparse.eye(6, 3), sparse.eye(6, 2).toarray(), batch_size=4), shuffle=False, verbose=0)
print(keras.backend.backend(), model.predict(DenseBatches(sparse.eye(6, 3)), verbose=0).shape, end="")
assert "tensorflow" not in sys.modules
"""
    environment = os.environ | {"KERAS_BACKEND": backend}
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert run.stdout == f"{backend} (6, 2)", run.stderr


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the original data are not available")
def test_encodes_the_original_metadata():
    table = load_movie_metadata(REAL_DATA / "movie_metadata.csv")
    split = splits.random_split(table, fractions=(0.7, 0.1, 0.2), seed=0)
    encoder = fit_metadata_encoder(table[split == "train"])
    encoded = encoder.encode(table)
    assert encoded.shape == (3010, encoder.width) and encoded.nnz == encoder.count_values(table)["known"].sum()
    assert encoder.count_values(table[split == "train"])["unseen"].sum() == 0
    assert encoder.width < fit_metadata_encoder(table).width == table[list(METADATA_COLUMNS)].nunique().sum() - 6
