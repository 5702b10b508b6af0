"""Predict movie genres from posters: five papers, reproduced with Keras.

`import poster_cnn` is quick: neither TensorFlow nor Keras is imported until a name that needs them is used.
"""

import os

import lazy_loader

# TensorFlow enables oneDNN by default on some processors only; without it, training takes 1.5 times as long.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# ONNX Runtime would send usage data to Microsoft, and keep an identifier of the machine in the home folder.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules={
        "datasets",
        "evaluation",
        "figures",
        "metrics",
        "models",
        "movies",
        "multimodal",
        "results",
        "training",
        "tuning",
    },
    submod_attrs={
        "movies.table": ["load_movie_table"],
        "movies.genres": ["encode_genres", "genre_cooccurrence", "genre_counts"],
        "datasets.embedded.dataset": ["embedded_dataset"],
        "training.config": ["TrainingConfig"],
        "training.train": ["train"],
        "training.saved_model": ["load_model"],
        "multimodal.config": ["EnsembleConfig"],
        "multimodal.train": ["train_ensemble"],
        "evaluation.evaluate": ["evaluate"],
        "evaluation.predict": ["predict"],
        "workspace": ["load_settings"],
    },
)
