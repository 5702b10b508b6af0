"""One-hot encoding of directors, actors, language and rating as a sparse matrix (paper 5, section 3)."""

import dataclasses
import functools

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.preprocessing import OneHotEncoder

from poster_cnn.files import read_json, write_json
from poster_cnn.metrics import arguments
from poster_cnn.movies.metadata import METADATA_COLUMNS


@dataclasses.dataclass(frozen=True)
class MetadataEncoder:
    """One-hot encoder of the columns of a table, returned by `fit_metadata_encoder` and `load_metadata_encoder`.

    Attributes:
        categories: Dict of column -> sorted list of its values in the training set.
    """

    categories: dict

    @property
    def width(self):
        """Total number of one-hot columns."""
        return sum(map(len, self.categories.values()))

    @functools.cached_property
    def _encoder(self):
        # The categories are given, so the encoder is fitted on a single row of missing values.
        known = {column: np.array(values, dtype=object) for column, values in self.categories.items() if values}
        encoder = OneHotEncoder(categories=list(known.values()), handle_unknown="ignore", dtype="float32")
        return list(known), encoder.fit(np.full((1, len(known)), "", dtype=object))

    def encode(self, table):
        """Encode movies; the paper has 11,113 one-hot columns (paper 5, section 3).

        Args:
            table: DataFrame with the encoded columns, as returned by `load_movie_metadata`.

        Returns:
            Float32 SciPy CSR matrix `(num_movies, width)`. Missing values ("") and values that do not occur in the
            training set are encoded as zeros; see `count_values`.

        Raises:
            ValueError: If the table lacks a column.
        """
        values = _values(table, self.categories)
        if values.empty:  # scikit-learn rejects an empty array
            return sparse.csr_matrix((0, self.width), dtype="float32")
        columns, encoder = self._encoder
        return encoder.transform(values[columns].to_numpy(dtype=object)).tocsr()

    def count_values(self, table):
        """Count the known, unseen and missing values of each column.

        Args:
            table: As in `encode`.

        Returns:
            int64 DataFrame with one row per encoded column: `known`, `unseen` (encoded as zeros) and `missing`.
        """
        values = _values(table, self.categories)
        known = pd.Series({column: values[column].isin(seen).sum() for column, seen in self.categories.items()})
        missing = values.eq("").sum()
        counts = {"known": known, "unseen": len(values) - known - missing, "missing": missing}
        return pd.DataFrame(counts).rename_axis("column").astype("int64")

    def save(self, path):
        """Write the categories to a JSON file for `load_metadata_encoder`."""
        write_json(path, self.categories)


@arguments.checked(table=arguments.table(), columns=arguments.names)
def fit_metadata_encoder(table, columns=METADATA_COLUMNS):
    """Fit an encoder to the movies of the training set.

    Args:
        table: Training rows of `load_movie_metadata`; the columns hold text, "" where it is missing.
        columns: Columns to encode. Defaults to the six columns of paper 5.

    Returns:
        `MetadataEncoder`

    Raises:
        ValueError: If the table lacks a column, or all values are missing.

    Example:

    >>> encoder = fit_metadata_encoder(metadata[split == "train"])
    >>> encoder.encode(metadata)
    """
    values = _values(table, columns)
    encoder = MetadataEncoder({column: sorted(set(values[column]) - {""}) for column in columns})
    if not encoder.width:
        raise ValueError(f"All values of the columns {', '.join(columns)} are missing. Received: {len(table)} rows")
    return encoder


@arguments.checked(path=arguments.path)
def load_metadata_encoder(path):
    """Load an encoder written by `MetadataEncoder.save`. A file with other content raises a `ValueError`."""
    categories = read_json(path)
    lists = categories.values() if isinstance(categories, dict) else [None]
    if not all(isinstance(values, list) and all(isinstance(value, str) for value in values) for values in lists):
        raise ValueError(f"`path` must be a JSON file of column -> list of values. Received: path={str(path)!r}")
    return MetadataEncoder(categories)


def _values(table, columns):
    table = arguments.table()("table", table)
    if missing := [column for column in columns if column not in table.columns]:
        raise ValueError(f"`table` lacks the column(s) {', '.join(missing)}. Received: columns={list(table.columns)}")
    return table[list(columns)].fillna("").astype(str)
