"""Paper 2's protocol with a frozen MobileNetV2, its pretrained stand-in for machines without a GPU (Wang et al.).

    poster-cnn sweep experiments/wang/frozen_mobilenet.py --data DATA --out runs/wang_frozen_mobilenet

Expected with the paper preset on 6,000 posters: about 2 minutes on 2 CPU cores. Without a network, put the ImageNet
weights into the data folder as `mobilenet_v2_<anything>.h5`. The quick preset starts from the weights that come with
the package, which have seen real posters but none of the embedded ones, and scales pixels as these weights expect.
"""

import pathlib
import runpy

vgg_like = runpy.run_path(str(pathlib.Path(__file__).with_name("vgg_like.py")))
_args = {"weights": "imagenet", "pixel_range": (0, 1), "channel_order": "bgr"}  # pixels as in the authors' code

config = vgg_like["config"].replace(experiment="wang_frozen_mobilenet", model="mobilenet_v2", model_args=_args)
sets = {
    "plain": {},
    "logits_dropout": {"model_args": _args | {"logits_dropout": 0.5}},  # as in the authors' ResNets
}
grid = vgg_like["grid"]

_shipped = {"model_args": {"weights": "posters"}, "image_size": (96, 64), "epochs": 20}
quick_config = vgg_like["quick_config"] | _shipped
quick_sets = {"plain": {}}
quick_grid = {"learning_rate": (1e-2,)}
