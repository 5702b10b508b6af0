"""Errors of the commands name the options that a user types."""

import pytest

from poster_cnn.cli import _parser
from poster_cnn.cli.option_names import name_options

TRAIN = ["train", "--data", "d", "--out", "o"]


@pytest.mark.parametrize(
    ("arguments", "message", "expected"),
    [
        (
            TRAIN,
            "`class_names` must be different genres. Received: class_names=('Horror', 'Horror')",
            "`--genres` must be different genres. Received: --genres Horror,Horror",
        ),
        (
            [*TRAIN, "--ratio", "20"],
            "`input_shape` must be at least 46. Received: input_shape=(54, 36, 3)",
            "`--image-size` must be at least 46. Received: --image-size 54x36 (--ratio 20)",
        ),
        (
            [*TRAIN, "--image-size", "9x8"],
            "`image_size` must be larger. Received: image_size=(9, 8)",
            "`--image-size` must be larger. Received: --image-size 9x8",
        ),
        (TRAIN, "Received: fine_tune_from='bloc'", "Received: --fine-tune-from bloc"),
        (TRAIN, "Choose split='leak_free', or allow_leak=True", "Choose --split leak_free, or --allow-leak"),
        (TRAIN, "Received: learning_rate=-1e-05, batch_size=0", "Received: --learning-rate -1e-05, --batch-size 0"),
        (TRAIN, "random ones: weights=None (--weights none)", "random ones: --weights none"),
        (TRAIN, "Received: model_args={'dropout': 2}, num_folds=3", "Received: --dropout 2, num_folds=3"),
        (TRAIN, "No file runs/seed=0,learning_rate=0.1/.lock in 'a/seed=1', seed=0/x", None),
        (
            ["check-claim", "--metric", "hit_at_1", "--claim", "2"],
            "`claimed` must be a score. Received: claimed=2",
            "`--claim` must be a score. Received: --claim 2",
        ),
        (
            ["check-claim", "--metric", "hit_at_1"],
            "Expected either `labels` or `prevalences`",
            "Expected either `--data` or `--prevalences`",
        ),
        (TRAIN, "Expected a column `genres` of text", None),
        (TRAIN, "The dataset `genres` of a.hdf5 must have names", None),
        (TRAIN, "No file seed=(foo bar).csv, model_args={x} or epochs=1.2.3", None),
        (TRAIN, "The address http://x/?seed=abc and config.epochs=3 stay", None),
        (["evaluate", "r", "--data", "d"], "`run_dir` and `class_names`. Received: run_dir='r'", None),
        (
            ["verify", "d"],
            "`manifest_path` must be new. Received: manifest_path='m.csv'",
            "`--manifest` must be new. Received: --manifest m.csv",
        ),
        (
            ["download", "t.csv", "d", "--sample", "9"],
            "`num_movies`. Received: num_movies=9",
            "`--sample`. Received: --sample 9",
        ),
        (
            ["sweep", "e.py", "--out", "o"],
            "`num_workers` (--workers) must be 1. Received: num_workers=0",
            "`--workers` must be 1. Received: --workers 0",
        ),
    ],
)
def test_arguments_are_replaced_by_options(arguments, message, expected):
    parser = _parser(arguments)
    options = parser.parse_args(arguments)
    found = name_options(message, options.parser, options)
    if arguments[0] == "evaluate":
        expected = "`RUN` and `class_names`. Received: RUN r"
    assert found == (expected or message)
