"""Several seeds averaged, teachers, and a student that learns from them: networks with the options of the release.

    poster-cnn sweep experiments/release/distillation.py --data DATA --out runs/distillation --workers 2

The three runs are those of `augmentation.py` with mirror images: posters of 160×108 pixels, six epochs of fine-tuning.
`distill.py` averages them and trains the student. Expected on 10,327 posters: about 35 minutes on 2 CPU cores.
"""

import pathlib
import runpy

augmentation = runpy.run_path(str(pathlib.Path(__file__).with_name("augmentation.py")))

config = augmentation["config"].replace(experiment="distillation", augmentation="flip")
grid = {"seed": (0, 1, 2)}
quick_config, quick_grid = augmentation["quick_config"], grid
