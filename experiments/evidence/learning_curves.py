"""What is a poster worth? Three networks on 250 to 7,000 training posters, with the same test posters.

    poster-cnn sweep experiments/evidence/learning_curves.py --data DATA --out runs/evidence_learning_curves

The networks are those of `ladder.py`, with as many epochs at each size; a smaller sample is a part of each larger one.
The three seeds change the network, not the sample. Expected on 10,327 posters: about 40 minutes on 2 CPU cores.
"""

import pathlib
import runpy

ladder = runpy.run_path(str(pathlib.Path(__file__).with_name("ladder.py")))

config = ladder["config"].replace(experiment="evidence_learning_curves", variant="learning_curves")
sets = {name: ladder["sets"][name] for name in ("seven_layer_cnn", "mobilenet_v2_frozen", "mobilenet_v2_unfrozen")}
grid = {"max_train_movies": (250, 500, 1000, 2000, 4000, 7000), "seed": (0, 1, 2)}

quick_config = ladder["quick_config"]
quick_grid = {"max_train_movies": (40, 80), "seed": (0,)}
quick_sets = {name: ladder["quick_sets"][name] for name in ("seven_layer_cnn", "mobilenet_v2_frozen")}
