"""Paper 3, Figs. 11 and 12: the one-hot sigmoid network and its two ablations (Zavala et al., section III.C, Table 6).

    poster-cnn sweep experiments/zavala/one_hot_sigmoid.py --data DATA --out runs/zavala_one_hot_sigmoid

Expected with the paper preset on 5,600 rows: about 25 minutes on 2 CPU cores. The paper's 72.24% "accuracy" is
element-wise: predicting no genre at all scores 83.3%.
"""

import pathlib
import runpy

table_3 = runpy.run_path(str(pathlib.Path(__file__).with_name("table_3.py")))

config = table_3["config"].replace(
    experiment="zavala_one_hot_sigmoid",
    max_per_genre=1000,  # as in transfer.py
    num_folds=None,
    model="one_hot_sigmoid_cnn",  # Table 6
    classifier_activation="sigmoid",  # Table 6
    loss="binary_crossentropy",  # the paper does not say; with it, "accuracy" is element-wise, as its 72.24% must be
    epochs=4,  # Fig. 11
    metrics=("label_accuracy", "first_label_accuracy", "overall_f1"),
)
sets = {
    "both_dropouts": {"learning_rate": 1e-4, "model_args": {"dropout": (0.25, 0.5)}},  # Fig. 11
    "no_first_dropout": {"learning_rate": 1e-4, "model_args": {"dropout": (0, 0.5)}},  # Fig. 12
    "no_dropout": {"learning_rate": 1e-3, "model_args": {"dropout": (0, 0)}},  # the last run of the paper
}
grid = {"seed": (0,)}

quick_config = {"image_size": (38, 25), "max_per_genre": 60, "epochs": 2}
quick_grid = {"seed": (0,)}
