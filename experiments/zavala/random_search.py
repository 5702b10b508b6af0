"""Paper 3, a random search of our own as in its sections II.B and III.B: 10 draws, each in four folds (Zavala et al.).

    poster-cnn search experiments/zavala/random_search.py --data DATA --out runs/zavala_random_search

40 trainings. Expected with the paper preset on 1,800 rows: about 15 minutes on 2 CPU cores. With --preset quick on the
embedded dataset: half a minute. `--workers 2` trains in two processes. The paper's own five sets are in table_3.py.
"""

import pathlib
import runpy

from scipy import stats

table_3 = runpy.run_path(str(pathlib.Path(__file__).with_name("table_3.py")))

config = table_3["config"].replace(experiment="zavala_random_search")
num_draws = 10  # section II.B
space = {
    "learning_rate": stats.loguniform(1e-4, 1e-2),  # section II.B: 10^x, x ~ U[-4, -2)
    "dropout": [round(0.2 + 0.01 * step, 2) for step in range(31)],  # section II.B: two decimals in [.2, .5]
    "filters_1": stats.randint(4, 13),  # the ranges of Tables 3 and 4
    "filters_2": stats.randint(16, 32),
    "dense_units": stats.randint(80, 116),
}


def changes(draw):
    filters = (draw["filters_1"], draw["filters_2"])
    model_args = {"filters": filters, "dense_units": draw["dense_units"], "dropout": draw["dropout"]}
    return {"learning_rate": draw["learning_rate"], "model_args": model_args}


quick_config = table_3["quick_config"]
quick_num_draws = 2
