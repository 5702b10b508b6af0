"""Paper 3, Fig. 7: the best frozen MobileNetV2 (1e-4), then unfrozen at 1e-5 (Zavala et al., section III.A).

    poster-cnn sweep experiments/zavala/fine_tuning.py --data DATA --out runs/zavala_fine_tuning

Expected with the paper preset on 5,600 rows: about 15 minutes on 2 CPU cores; in the paper, training accuracy rises and
validation accuracy stays at about 30%.
"""

import pathlib
import runpy

transfer = runpy.run_path(str(pathlib.Path(__file__).with_name("transfer.py")))

config = transfer["config"].replace(
    experiment="zavala_fine_tuning",
    learning_rate=1e-4,  # section II.A: the best of the three
    fine_tune_epochs=20,  # section III.A; its batch normalization stays frozen here, the paper does not say
    fine_tune_learning_rate=1e-5,  # section III.A
)
grid = {"seed": (0,)}

quick_config = transfer["quick_config"] | {
    "learning_rate": 1e-3,
    "fine_tune_epochs": 1,
    "fine_tune_from": "block_16_expand",
}
quick_grid = {"seed": (0,)}
