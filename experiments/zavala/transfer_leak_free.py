"""Paper 3, Table 1, corrected: movies are split, not rows, and pixels are scaled as MobileNetV2 expects them.

    poster-cnn sweep experiments/zavala/transfer_leak_free.py --data DATA --out runs/zavala_transfer_leak_free

The sets tell apart what each change does: `pixels=0..1` keeps the paper's scaling on the split that does not leak,
`dropout` keeps the dense layer from learning the posters by heart, `whole_poster` does not squeeze them to 128×128.
Expected with the paper preset on 5,600 rows: about 4 minutes on 2 CPU cores.
"""

import pathlib
import runpy

transfer = runpy.run_path(str(pathlib.Path(__file__).with_name("transfer.py")))

config = transfer["config"].replace(
    experiment="zavala_transfer_leak_free",
    variant="leak_free",
    split="leak_free",
    allow_leak=False,
    model_args={"weights": "imagenet"},
    validation_steps=None,  # all validation rows
)
sets = {
    "pixels=0..1": {"model_args": {"weights": "imagenet", "pixel_range": (0, 1)}},
    "pixels=-1..1": {},
    "dropout": {"model_args": {"weights": "imagenet", "dropout": 0.5}},
    "dropout,whole_poster": {"model_args": {"weights": "imagenet", "dropout": 0.5}, "image_size": (268, 182)},
}
grid = {"learning_rate": (1e-2, 1e-3, 1e-4)}

quick_config = transfer["quick_config"]
quick_sets = {"dropout": {"model_args": {"weights": "posters", "dropout": 0.5}}}
quick_grid = {"learning_rate": (1e-3,)}
