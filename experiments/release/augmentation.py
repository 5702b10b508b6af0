"""The worth of each augmentation on the real posters: MobileNetV2, unfrozen, three seeds, the options of the release.

    poster-cnn sweep experiments/release/augmentation.py --data DATA --out runs/augmentation --workers 2

Every run trains on 70% of the posters of a split that does not leak. The runs differ in their augmentation and seed
only. Posters of 160×108 pixels instead of 224×152, and six epochs of fine-tuning instead of ten, make 15 trainings of
about 15 minutes, two at a time on 2 CPU cores.
"""

import pathlib
import runpy

release = runpy.run_path(str(pathlib.Path(__file__).with_name("posters_mobilenet_v2.py")))

config = release["config"].replace(
    experiment="augmentation", fractions=(0.7, 0.1, 0.2), image_size=(160, 108), fine_tune_epochs=6
)
grid = {"seed": (0, 1, 2), "augmentation": ("none", "flip", "light", "randaugment", "mixup")}
quick_config = release["quick_config"]
quick_grid = grid | {"seed": (0,)}
