"""Paper 3, Fig. 11, corrected: movies are split, not rows.

    poster-cnn sweep experiments/zavala/one_hot_sigmoid_leak_free.py --data DATA --out runs/zavala_one_hot_leak_free

Expected with the paper preset on 5,600 rows: about 8 minutes on 2 CPU cores.
"""

import pathlib
import runpy

one_hot_sigmoid = runpy.run_path(str(pathlib.Path(__file__).with_name("one_hot_sigmoid.py")))

config = one_hot_sigmoid["config"].replace(
    experiment="zavala_one_hot_sigmoid_leak_free", variant="leak_free", split="leak_free", allow_leak=False
)
sets = {"both_dropouts": one_hot_sigmoid["sets"]["both_dropouts"]}
grid = {"seed": (0,)}

quick_config, quick_grid = one_hot_sigmoid["quick_config"], one_hot_sigmoid["quick_grid"]
