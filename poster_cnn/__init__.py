"""Predict movie genres from posters: five papers, reproduced with Keras.

`import poster_cnn` is quick: neither TensorFlow nor Keras is imported until a name that needs them is used.
"""

import importlib
import os

# TensorFlow uses oneDNN by itself on some processors only. On the others, training without it takes half as long again.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.1.0"

# Public name -> module that defines it; looked up on first use.
_LAZY = {
    "load_movie_table": "movies.table",
    "encode_genres": "movies.genres",
    "genre_counts": "movies.genres",
    "genre_cooccurrence": "movies.genres",
    "embedded_dataset": "datasets.embedded.dataset",
    "TrainingConfig": "training.config",
    "train": "training.train",
    "EnsembleConfig": "multimodal.config",
    "train_ensemble": "multimodal.train",
    "load_settings": "workspace",
}
_MODULES = (
    "workspace",
    "reproduce",
    "evaluation",
    "results",
    "tuning",
    "multimodal",
    "training",
    "datasets",
    "movies",
    "metrics",
    "figures",
    "models",
)

__all__ = [*_LAZY, *_MODULES]


def __getattr__(name):
    if name in _LAZY:
        return getattr(importlib.import_module(f"poster_cnn.{_LAZY[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"poster_cnn.{name}")
    raise AttributeError(f"module 'poster_cnn' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
