"""Paper 3, a random search of our own with batch normalization, as in its sections II.B and III.B (Zavala et al.).

    poster-cnn search experiments/zavala/random_search_batch_norm.py --data DATA --out runs/batch_norm

40 trainings. Expected with the paper preset on 1,800 rows: an hour and a half on one CPU core. The paper's own five
sets are in table_4.py.
"""

import pathlib
import runpy

random_search = runpy.run_path(str(pathlib.Path(__file__).with_name("random_search.py")))

config = random_search["config"].replace(
    experiment="zavala_random_search_batch_norm",
    seed=1,  # draws of its own, as Table 4 has other sets than Table 3
)
num_draws = 10  # section II.B
space = random_search["space"]


def changes(draw):
    without = random_search["changes"](draw)
    return without | {"model_args": without["model_args"] | {"batch_norm": True}}


quick_config, quick_num_draws = random_search["quick_config"], random_search["quick_num_draws"]
