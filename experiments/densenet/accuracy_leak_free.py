"""Paper 4, corrected: movies are split first, train posters alone are cropped, whole posters are tested.

    poster-cnn sweep experiments/densenet/accuracy_leak_free.py --data DATA --out runs/densenet_accuracy_leak_free

Expected with the paper preset: as accuracy.py.
"""

import pathlib
import runpy

accuracy = runpy.run_path(str(pathlib.Path(__file__).with_name("accuracy.py")))

config = accuracy["config"].replace(
    experiment="densenet_accuracy_leak_free",
    variant="leak_free",
    crop_before_split=False,
    split="leak_free",
    fractions=(0.6, 0.1, 0.3),
    allow_leak=False,
    learning_rate=1e-3,
    batch_size=32,
)
_mobilenet = {"model": "mobilenet_v2", "model_args": {"weights": "imagenet"}}
_dropout = {"model": "mobilenet_v2", "model_args": {"weights": "imagenet", "dropout": 0.5}}
sets = {
    "densenet121": {"model": "densenet121", "model_args": {"weights": "imagenet"}},
    "custom": {"model": "six_conv_cnn"},
    "mobilenet_v2": _mobilenet,
    "mobilenet_v2,dropout": _dropout,
    "mobilenet_v2,dropout,center": _dropout | {"evaluation_crop": "center"},
    "mobilenet_v2,dropout,no_crops": _dropout | {"crops_per_genre": None},
    "random_weights": {"model": "densenet121", "model_args": {"weights": None}},
}
grid = accuracy["grid"]

quick_config = accuracy["quick_config"]
_small = accuracy["_small"]
quick_sets = {
    "custom": _small,
    "custom,center": _small | {"evaluation_crop": "center"},
    "custom,no_crops": _small | {"crops_per_genre": None},
}
quick_grid = accuracy["quick_grid"]
