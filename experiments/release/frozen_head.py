"""What other losses and larger posters are worth to the last layer, on the frozen backbone of the shipped network.

    poster-cnn sweep experiments/release/frozen_head.py --data DATA --out runs/release_frozen_head

The split and the genres are those of the run `evaluated` of posters_mobilenet_v2.py. The backbone is not unfrozen, so a
run takes seconds once the features are computed; a choice that helps here may be worth less after unfreezing. Expected
on 10,327 posters: about 20 minutes on 2 CPU cores, most of it for the features of two sizes.
"""

import pathlib
import runpy

here = pathlib.Path(__file__)
ladder = runpy.run_path(str(here.parent.with_name("evidence") / "ladder.py"))

config = ladder["config"].replace(
    experiment="release_frozen_head", variant="release", **ladder["sets"]["mobilenet_v2_frozen_large"]
)
sets = {
    "plain": {},
    "label_smoothing": {"label_smoothing": 0.1},
    "class_weights": {"class_weights": "balanced"},
    "focal": {"loss": "binary_focal_crossentropy"},
    "asymmetric": {"loss": "asymmetric_loss"},
    "weight_decay_2": {"weight_decay": 2.0},
    "full_size": {"image_size": (268, 182)},
}
grid = {"seed": (0, 1, 2)}

quick_config, quick_grid = ladder["quick_config"], {"seed": (0,)}
quick_sets = {name: change for name, change in sets.items() if name != "full_size"}
