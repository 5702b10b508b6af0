"""Paper 2, its results: ResNets and DenseNet-201 from ImageNet weights, all weights trained (Wang et al., section V).

    poster-cnn sweep experiments/wang/pretrained.py --data DATA --out runs/wang_pretrained

For a GPU: on 2 CPU cores a network takes days. The quick preset has random weights: it shows that everything runs.
In the paper OF1 .5577 ("ResNet18", in its code ResNet152), .4796 (ResNet50), .6331 (DenseNet201, of 53 posters).
"""

import pathlib
import runpy

vgg_like = runpy.run_path(str(pathlib.Path(__file__).with_name("vgg_like.py")))

config = vgg_like["config"].replace(experiment="wang_pretrained")
_pixels = {"pixel_range": (0, 1), "channel_order": "bgr"}  # the authors' code: pixels / 255, read by OpenCV
_resnet = {"weights": "imagenet", "trainable": True, "logits_dropout": 0.5} | _pixels  # the authors' code
sets = {
    "resnet152": {"model": "resnet152", "model_args": _resnet},  # the paper says ResNet18
    "resnet50": {"model": "resnet50", "model_args": _resnet},
    "densenet201": {"model": "densenet201", "model_args": {"weights": "imagenet", "trainable": True} | _pixels},
}
grid = vgg_like["grid"]

quick_config, quick_grid = vgg_like["quick_config"], vgg_like["quick_grid"]
quick_sets = {"resnet50": {"model": "resnet50", "model_args": _resnet | {"weights": None, "trainable": False}}}
