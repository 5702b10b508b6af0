"""Paper 3, a random search of our own as in its sections II.B and III.B: 10 draws, each in four folds (Zavala et al.).

    poster-cnn search experiments/zavala/random_search.py --data DATA --out runs/zavala_random_search

40 trainings. Expected with the paper preset on 1,800 rows: about 15 minutes on 2 CPU cores. With --preset quick on the
embedded dataset: half a minute. `--workers 2` trains in two processes. The paper's own five sets are in table_3.py.
"""

import pathlib
import runpy

table_3 = runpy.run_path(str(pathlib.Path(__file__).with_name("table_3.py")))

config = table_3["config"].replace(experiment="zavala_random_search")
max_trials = 10  # section II.B


def space(hp):
    learning_rate = hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")  # section II.B: 10^x, x ~ U[-4, -2)
    dropout = hp.Float("dropout", 0.2, 0.505, step=0.01)  # section II.B: two decimals in [.2, .5], .5 included
    return {
        "learning_rate": float(f"{learning_rate:.6g}"),
        "model_args": {
            "filters": (hp.Int("filters_1", 4, 12), hp.Int("filters_2", 16, 31)),  # the ranges of Tables 3 and 4
            "dense_units": hp.Int("dense_units", 80, 115),
            "dropout": round(dropout, 2),
        },
    }


quick_config = table_3["quick_config"]
quick_max_trials = 2
