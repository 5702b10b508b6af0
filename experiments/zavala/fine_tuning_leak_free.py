"""Paper 3, Fig. 7, corrected: movies are split, not rows, and pixels are scaled as MobileNetV2 expects them.

    poster-cnn sweep experiments/zavala/fine_tuning_leak_free.py --data DATA --out runs/zavala_fine_tuning_leak_free

Expected with the paper preset on 5,600 rows: about 15 minutes on 2 CPU cores.
"""

import pathlib
import runpy

here = pathlib.Path(__file__)
fine_tuning = runpy.run_path(str(here.with_name("fine_tuning.py")))
leak_free = runpy.run_path(str(here.with_name("transfer_leak_free.py")))["config"]

config = leak_free.replace(
    experiment="zavala_fine_tuning_leak_free", learning_rate=1e-4, fine_tune_epochs=20, fine_tune_learning_rate=1e-5
)
grid = {"seed": (0,)}

quick_config = fine_tuning["quick_config"]
quick_grid = {"seed": (0,)}
