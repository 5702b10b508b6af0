"""Director, actors, language and rating -> one-hot columns, sparse until the batch (paper 5, section 3)."""

import dataclasses
import functools

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.preprocessing import OneHotEncoder

from poster_cnn.files import read_json, write_json
from poster_cnn.movies.metadata import METADATA_COLUMNS


@dataclasses.dataclass(frozen=True)
class MetadataEncoder:
    """One-hot encoder of columns of a table; `fit_metadata_encoder` and `load_metadata_encoder` make it.

    Attributes:
        categories: dict of a column -> its values seen in training, sorted; there is a one-hot column for each.
    """

    categories: dict

    @property
    def width(self):
        """Number of one-hot columns of all columns together."""
        return sum(map(len, self.categories.values()))

    @functools.cached_property
    def _encoder(self):
        # Fitted on missing values alone, as the categories are given.
        known = {column: np.array(values, dtype=object) for column, values in self.categories.items() if values}
        encoder = OneHotEncoder(categories=list(known.values()), handle_unknown="ignore", dtype="float32")
        return list(known), encoder.fit(np.full((1, len(known)), "", dtype=object))

    def encode(self, table):
        """One-hot columns of movies (paper 5, section 3: 11,113 of them).

        Args:
            table: DataFrame with the columns encoded, such as `movie_metadata.load_movie_metadata` gives it.

        Returns:
            SciPy CSR matrix of float32, `(num_movies, width)`. A missing value ("") and one that was not seen in
            training have no 1 in any column: see `count_values`.

        Raises:
            ValueError: If the table lacks a column.
        """
        values = _values(table, self.categories)
        if values.empty:  # scikit-learn refuses no rows
            return sparse.csr_matrix((0, self.width), dtype="float32")
        columns, encoder = self._encoder
        return encoder.transform(values[columns].to_numpy(dtype=object)).tocsr()

    def count_values(self, table):
        """How many movies have a value that was seen in training, one that was not, or none.

        Args:
            table: As in `encode`.

        Returns:
            DataFrame of int, a row a column encoded: `known`, `unseen` (left out of the encoding), `missing`.
        """
        values = _values(table, self.categories)
        known = pd.Series({column: values[column].isin(seen).sum() for column, seen in self.categories.items()})
        missing = values.eq("").sum()
        counts = {"known": known, "unseen": len(values) - known - missing, "missing": missing}
        return pd.DataFrame(counts).rename_axis("column").astype("int64")

    def save(self, path):
        """Writes the categories as JSON, atomically; `load_metadata_encoder` reads them."""
        write_json(path, self.categories)


def fit_metadata_encoder(table, columns=METADATA_COLUMNS):
    """Learns the categories of each column. Give it train movies only.

    Args:
        table: DataFrame with the columns, text, "" where missing: the train rows of
            `movie_metadata.load_movie_metadata`.
        columns: Columns to encode. Defaults to the six of paper 5.

    Returns:
        `MetadataEncoder`

    Raises:
        ValueError: If the table lacks a column, or no movie has any value.

    Example:

    >>> encoder = fit_metadata_encoder(metadata[split == "train"])
    >>> encoder.encode(metadata)
    """
    values = _values(table, columns)
    encoder = MetadataEncoder({column: sorted(set(values[column]) - {""}) for column in columns})
    if not encoder.width:
        raise ValueError(
            f"No movie has a value in any of the columns {', '.join(columns)}. Received: {len(table)} rows"
        )
    return encoder


def load_metadata_encoder(path):
    """Reads a `MetadataEncoder` that `save` wrote.

    Args:
        path: JSON file.

    Returns:
        `MetadataEncoder`, equal to the one saved.

    Raises:
        ValueError: If the file holds something else.
    """
    categories = read_json(path)
    lists = categories.values() if isinstance(categories, dict) else [None]
    if not all(isinstance(values, list) and all(isinstance(value, str) for value in values) for values in lists):
        raise ValueError(f"Expected a JSON object of column -> list of values. Received: path={str(path)!r}")
    return MetadataEncoder(categories)


def _values(table, columns):
    if missing := [column for column in columns if column not in table.columns]:
        raise ValueError(f"The table lacks the column(s) {', '.join(missing)}. Received: columns={list(table.columns)}")
    return table[list(columns)].fillna("").astype(str)
