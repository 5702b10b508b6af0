"""Paper 3, Table 3 and Fig. 9: the sets of its first random search, cross-validated (Zavala et al., section III.B).

    poster-cnn sweep experiments/zavala/table_3.py --data DATA --out runs/zavala_table_3

20 trainings: five sets in four folds. Expected with the paper preset on 1,800 rows: about 7 minutes on 2 CPU cores.
The paper prints no accuracies, only that they are below those of MobileNetV2 (about 30%).
"""

import pathlib
import runpy

transfer = runpy.run_path(str(pathlib.Path(__file__).with_name("transfer.py")))

config = transfer["config"].replace(
    experiment="zavala_table_3",
    max_per_genre=300,  # section I.A: flat, but 34 steps an epoch where the paper has some 400: 20 trainings on 2 cores
    num_folds=4,  # section II.B: of the rows that are not test
    image_size=(150, 101),  # Table 2
    model="two_conv_cnn",  # Table 2; the batch size is that of Table 1, the paper does not say
    model_args={},
    validation_steps=None,  # all rows of the fold
    epochs=15,  # section II.B
)
grid = {"fold": (0, 1, 2, 3)}
sets = {
    f"set={number}": {
        "learning_rate": learning_rate,
        "model_args": {"filters": (width_1, width_2), "dense_units": dense_units, "dropout": dropout},
    }
    for number, learning_rate, dropout, width_1, width_2, dense_units in (
        (1, 0.00180133, 0.41, 10, 30, 106),
        (2, 0.00037912, 0.34, 8, 16, 92),
        (3, 0.00019251, 0.24, 4, 24, 84),
        (4, 0.00013504, 0.31, 9, 31, 115),
        (5, 0.00035341, 0.39, 12, 31, 81),
    )
}

quick_config = {"image_size": (50, 34), "max_per_genre": 60, "num_folds": 2, "epochs": 2}
quick_grid = {"fold": (0, 1)}
quick_sets = {"set=1": sets["set=1"]}
