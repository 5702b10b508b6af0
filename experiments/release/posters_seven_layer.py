"""The shipped network `posters_seven_layer`: paper 1's network for its four genres, on a split that does not leak.

    poster-cnn sweep experiments/release/posters_seven_layer.py --data DATA --out runs/posters_seven_layer --workers 2

The runs `evaluated` and `shipped` are those of `posters_mobilenet_v2.py`: 70% of the posters with the scores of the
others, and 98% of the posters. Posters are mirrored at random, and the learning rate decreases along a cosine, unlike
in the paper. Expected on 3,488 posters: about 10 minutes on 2 CPU cores.
"""

import pathlib
import runpy

here = pathlib.Path(__file__)
paper = runpy.run_path(str(here.parent.with_name("dave") / "table_2.py"))["config"]

config = paper.replace(
    experiment="posters_seven_layer",
    variant="release",
    split="leak_free",
    allow_leak=False,
    ratio=40,
    learning_rate=1e-4,
    schedule="cosine",
    augmentation="flip",
)
grid = {"seed": (0,)}
sets = {"evaluated": {"fractions": (0.7, 0.1, 0.2)}, "shipped": {"fractions": (0.98, 0.02)}}

quick_config = {"epochs": 5, "learning_rate": 1e-3, "ratio": 30}
quick_grid, quick_sets = grid, {"evaluated": sets["evaluated"]}
