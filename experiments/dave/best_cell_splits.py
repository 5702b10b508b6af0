"""Paper 1, the best cell of Table 2 (40%, 1e-4) on five splits: how much depends on which movies are tested on.

    poster-cnn sweep experiments/dave/best_cell_splits.py --data DATA --out runs/dave_best_cell_splits

The splits are those of best_cell_leak_free.py with five seeds. An interval over the test movies of one split does not
contain this variation. Expected with the paper preset on 3,488 posters and --precision mixed_bfloat16: about 15 minutes
on 2 CPU cores.
"""

import pathlib
import runpy

leak_free = runpy.run_path(str(pathlib.Path(__file__).with_name("best_cell_leak_free.py")))

config = leak_free["config"].replace(experiment="dave_best_cell_splits")
grid = {"split_seed": (0, 1, 2, 3, 4)}

quick_config = leak_free["quick_config"]
quick_grid = {"split_seed": (0, 1)}
