"""Paper 1, the best cell of Table 2 (40%, 1e-4) with five seeds: how much of a difference is chance.

    poster-cnn sweep experiments/dave/best_cell_seeds.py --data DATA --out runs/dave_best_cell_seeds

Expected with the paper preset on 3,488 posters: about 15 minutes on 2 CPU cores; the paper has one run, 50.5%.
"""

import pathlib
import runpy

table_2 = runpy.run_path(str(pathlib.Path(__file__).with_name("table_2.py")))

config = table_2["config"].replace(experiment="dave_best_cell_seeds", ratio=40, learning_rate=1e-4)
grid = {"seed": (0, 1, 2, 3, 4)}

quick_config = {"epochs": 5, "learning_rate": 1e-3, "ratio": 30}
quick_grid = {"seed": (0, 1)}
