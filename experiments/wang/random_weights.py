"""Paper 2's kind of networks without ImageNet weights, on posters shrunk to 24%: what a laptop can train (Wang et al.).

    poster-cnn sweep experiments/wang/random_weights.py --data DATA --out runs/wang_random_weights

ResNet18, which the paper names and its code does not have, and DenseNet-121, smaller than its DenseNet-201. Pixels are
scaled as for ImageNet weights. Expected with the paper preset on 6,000 posters and --precision mixed_bfloat16: 7 to 21
minutes a network on one CPU core.
"""

import pathlib
import runpy

vgg_like = runpy.run_path(str(pathlib.Path(__file__).with_name("vgg_like.py")))

config = vgg_like["config"].replace(experiment="wang_random_weights", ratio=24)
sets = {
    "resnet18": {"model": "resnet18", "model_args": {"weights": None, "trainable": True, "logits_dropout": 0.5}},
    "densenet121": {"model": "densenet121", "model_args": {"weights": None, "trainable": True}},
}
grid = vgg_like["grid"]

quick_config, quick_grid = vgg_like["quick_config"] | {"epochs": 2}, vgg_like["quick_grid"]
quick_sets = {"resnet18": sets["resnet18"]}
