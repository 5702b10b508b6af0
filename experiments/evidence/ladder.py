"""A ladder of networks on one split that does not leak: what does each step add to the color histogram?

    poster-cnn sweep experiments/evidence/ladder.py --data DATA --out runs/evidence_ladder

The 18 genres and the split are those of the run `evaluated` of `experiments/release/posters_mobilenet_v2.py`, the
shipped network, which is the last step. The steps before it are paper 1's network from scratch, and MobileNetV2 from
random weights, frozen with ImageNet weights, and unfrozen from its sixth block on. All have sigmoid outputs, and those
of MobileNetV2 the same dense layer on averaged features.

Posters are 112×76 for MobileNetV2, a quarter of the pixels of the shipped network, so that five seeds can be trained on
2 CPU cores; `frozen_large` shows what the size is worth. Networks of `keras.applications` and of KerasHub follow,
frozen, for which weights are in Keras's or KerasHub's cache folder; the others are named. Expected on 10,327 posters:
about three hours on 2 CPU cores without further networks.
"""

import os
import pathlib
import re
import runpy

from poster_cnn.models import catalog

here = pathlib.Path(__file__)
release = runpy.run_path(str(here.parent.with_name("release") / "posters_mobilenet_v2.py"))["config"]

config = release.replace(
    experiment="evidence_ladder",
    variant="ladder",
    fractions=(0.7, 0.1, 0.2),
    image_size=(112, 76),
    ema_momentum=None,
    augmentation="none",
    epochs=20,
    fine_tune_epochs=0,
    fine_tune_from=None,
    warmup_epochs=0,
    weight_decay=0.5,
    metrics=("average_precision", "average_precision_micro"),
)
head = {"pooling": "avg", "dropout": 0.5}
sets = {
    "seven_layer_cnn": {
        "model": "seven_layer_cnn",
        "model_args": {},
        "ratio": 30,
        "optimizer": "adam",
        "weight_decay": None,
        "precision": "mixed_bfloat16",
    },
    "mobilenet_v2_random": {
        "model_args": {"weights": None, "trainable": True, **head},
        "epochs": 8,
        "weight_decay": 0.05,
    },
    "mobilenet_v2_frozen": {},
    "mobilenet_v2_frozen_large": {"image_size": (224, 152)},
    "mobilenet_v2_unfrozen": {
        "epochs": 2,
        "weight_decay": 0.05,
        "fine_tune_epochs": 5,
        "fine_tune_from": "block_6_expand",
    },
}
grid = {"seed": (0, 1, 2, 3, 4)}

# Weights that Keras and KerasHub have downloaded before.
names = [name for name in catalog.NETWORKS if name.startswith("keras:")]
networks = {re.sub("[^a-z0-9]", "", name.removeprefix("keras:").lower()): name for name in names}
found = {"keras:MobileNetV2"}  # on the ladder already
for file in pathlib.Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser().glob("models/*.h5"):
    plain = re.sub("[^a-z0-9]", "", file.name.lower().removeprefix("weights_"))
    if "notop" in plain and (matching := [known for known in networks if plain.startswith(known)]):
        found.add(networks[max(matching, key=len)])
further = {name: name for name in names if name in found - {"keras:MobileNetV2"}}
for preset in pathlib.Path("~/.cache/kagglehub/models/keras").expanduser().glob("*/keras/*/*/config.json"):
    further[f"hub:{preset.parent.parent.name}"] = f"hub:{preset.parent}"
sets |= {
    name.replace(":", "_"): {"model": model, "image_size": (224, 152), "model_args": head}
    for name, model in further.items()
}
print("ladder: no weights at hand for", ", ".join(name.removeprefix("keras:") for name in names if name not in found))

# ImageNet's weights may not be at hand.
quick_config = {"model_args": {"weights": "posters", **head}, "image_size": (64, 44), "epochs": 2}
quick_grid = {"seed": (0,)}
quick_sets = {
    name: sets[name] | {"epochs": 2} for name in ("seven_layer_cnn", "mobilenet_v2_frozen", "mobilenet_v2_unfrozen")
}
quick_sets["mobilenet_v2_unfrozen"]["fine_tune_epochs"] = 1
