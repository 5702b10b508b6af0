"""Paper 3, Table 4 and Fig. 10: the five sets of its second random search, with batch normalization (section III.B).

    poster-cnn sweep experiments/zavala/table_4.py --data DATA --out runs/zavala_table_4

Expected with the paper preset on 1,800 rows: about 15 minutes on 2 CPU cores.
"""

import pathlib
import runpy

table_3 = runpy.run_path(str(pathlib.Path(__file__).with_name("table_3.py")))

config = table_3["config"].replace(experiment="zavala_table_4")
grid = table_3["grid"]
sets = {
    f"set={number}": {
        "learning_rate": learning_rate,
        "model_args": {
            "filters": (width_1, width_2),
            "dense_units": dense_units,
            "dropout": dropout,
            "batch_norm": True,  # section II.B: after each convolutional layer and dense layer
        },
    }
    for number, learning_rate, dropout, width_1, width_2, dense_units in (
        (1, 0.00088016, 0.37, 12, 17, 115),
        (2, 0.00021302, 0.3, 10, 24, 80),
        (3, 0.00113867, 0.38, 8, 18, 84),
        (4, 0.00306337, 0.42, 9, 25, 85),
        (5, 0.00024632, 0.33, 9, 18, 89),
    )
}

quick_config, quick_grid = table_3["quick_config"], table_3["quick_grid"]
quick_sets = {"set=1": sets["set=1"]}
