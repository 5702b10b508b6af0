"""The worth of each augmentation on the real posters: MobileNetV2, unfrozen, three seeds, the options of the release.

    poster-cnn sweep experiments/release/augmentation.py --data DATA --out runs/augmentation --workers 2

Every run trains on 70% of the posters of a split that does not leak, and differs from the network that is shipped in
its augmentation only. Not run yet; 15 trainings of about 40 minutes on 2 CPU cores.
"""

import pathlib
import runpy

release = runpy.run_path(str(pathlib.Path(__file__).with_name("posters_mobilenet_v2.py")))

config = release["config"].replace(experiment="augmentation", fractions=(0.7, 0.1, 0.2))
grid = {"augmentation": ("none", "flip", "light", "randaugment", "mixup"), "seed": (0, 1, 2)}
quick_config = release["quick_config"]
quick_grid = grid | {"seed": (0,)}
