"""Paper 5's ensemble with sentence vectors of the plots, next to the paper's mean word vectors (LeBaron, section 3).

    pip install -e '.[sentences]'
    poster-cnn sweep experiments/lebaron/plots.py --data DATA --out runs/lebaron_plots

Expected with the paper preset on 2,985 movies: 1 minute for the posters' features, then 1 minute for each of the 10
ensembles on 2 CPU cores.
"""

import pathlib
import runpy

ensemble = runpy.run_path(str(pathlib.Path(__file__).with_name("ensemble.py")))

config = ensemble["config"].replace(experiment="lebaron_plots")
sets = {
    "word_vectors": {},  # section 3
    "sentences": {"plot_encoder": "sentences"},
}
grid = ensemble["grid"]

quick_config = ensemble["quick_config"] | {"modalities": ("plot",)}
quick_sets = {"word_vectors": {}}  # which needs no further package
quick_grid = ensemble["quick_grid"]
