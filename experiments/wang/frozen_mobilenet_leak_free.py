"""Paper 2's protocol, corrected, with a frozen MobileNetV2: pixels as it was trained, dropout before the dense layer.

    poster-cnn sweep experiments/wang/frozen_mobilenet_leak_free.py --data DATA --out runs/wang_frozen_leak_free

No movie without one of the five genres, a validation set, no copy on two sides (Wang et al., section IV.A). Expected
with the paper preset on 4,700 posters: about 2 minutes on 2 CPU cores.
"""

import pathlib
import runpy

folder = pathlib.Path(__file__).parent
frozen = runpy.run_path(str(folder / "frozen_mobilenet.py"))
corrected = runpy.run_path(str(folder / "vgg_like_leak_free.py"))

config = corrected["config"].replace(
    experiment="wang_frozen_mobilenet_leak_free", model="mobilenet_v2", model_args={"weights": "imagenet"}
)
sets = {
    "plain": {},
    "dropout": {"model_args": {"weights": "imagenet", "dropout": 0.5}, "epochs": 40},
}
grid = frozen["grid"]

quick_config = corrected["quick_config"] | frozen["_shipped"]
quick_sets, quick_grid = {"plain": {}}, frozen["quick_grid"]
