"""Does the split decide? Five splits that do not leak, with five seeds each, of a small and of a frozen network.

    poster-cnn sweep experiments/evidence/split_and_seed.py --data DATA --out runs/evidence_split_and_seed

The networks are those of `ladder.py`. `split_seed` decides which movies are tested, `seed` the initial weights, the
order of the posters and the dropout. Expected on 10,327 posters: about 30 minutes on 2 CPU cores.
"""

import pathlib
import runpy

ladder = runpy.run_path(str(pathlib.Path(__file__).with_name("ladder.py")))

config = ladder["config"].replace(experiment="evidence_split_and_seed", variant="split_and_seed")
sets = {name: ladder["sets"][name] for name in ("seven_layer_cnn", "mobilenet_v2_frozen")}
grid = {"split_seed": (0, 1, 2, 3, 4), "seed": (0, 1, 2, 3, 4)}

quick_config = ladder["quick_config"]
quick_grid = {"split_seed": (0, 1), "seed": (0, 1)}
quick_sets = {"seven_layer_cnn": ladder["quick_sets"]["seven_layer_cnn"]}
