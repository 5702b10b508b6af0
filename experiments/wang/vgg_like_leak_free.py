"""Paper 2, the custom network, corrected: a genre for each movie, a validation set, no copy on two sides (Wang et al.).

    poster-cnn sweep experiments/wang/vgg_like_leak_free.py --data DATA --out runs/wang_vgg_like_leak_free

Expected with the paper preset on 4,700 posters: about as long a network as vgg_like.py; `half_size` takes a quarter.
"""

import pathlib
import runpy

vgg_like = runpy.run_path(str(pathlib.Path(__file__).with_name("vgg_like.py")))

config = vgg_like["config"].replace(
    experiment="wang_vgg_like_leak_free",
    variant="leak_free",
    keep_unlabeled=False,
    split="leak_free",
    fractions=(0.7, 0.1, 0.2),
    allow_leak=False,
)
sets = {"full_size": {}, "half_size": {"image_size": (134, 91)}}
grid = {"learning_rate": (1e-4,)}

quick_config, quick_grid = vgg_like["quick_config"] | {"max_movies": 300}, vgg_like["quick_grid"]
quick_sets = {"full_size": {}}
