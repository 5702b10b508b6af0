"""Paper 5's ensemble with one choice changed at a time; choose among them by the validation scores.

    poster-cnn sweep experiments/lebaron/variants.py --data DATA --out runs/lebaron_variants

Expected with the paper preset: as `ensemble.py`, for each variant at most: branches that several have are trained once.
"""

import pathlib
import runpy

ensemble = runpy.run_path(str(pathlib.Path(__file__).with_name("ensemble.py")))

config = ensemble["config"].replace(experiment="lebaron_variants")
_dropout = {"dropout": {"poster": 0.5, "metadata": 0.5, "plot": 0.5}}
sets = {
    "fusion_of_probabilities": {"fusion": "probabilities", "variant": "faithful"},  # section 4, as printed
    "fused_on_validation": {"fusion_rows": "validation"},
    "untrained_fusion": {"fusion_rows": "none"},
    "hidden_branches": {"hidden_share": 0.3},
    "dropout": _dropout,
    "end_to_end": {"end_to_end": True},
    "end_to_end,dropout": {"end_to_end": True} | _dropout,
    "unweighted": {"weighted": False},
    "unweighted,dropout": {"weighted": False} | _dropout,
}
grid = ensemble["grid"]

quick_config = ensemble["quick_config"]
quick_sets = {name: sets[name] for name in ("fused_on_validation", "untrained_fusion")}
quick_grid = ensemble["quick_grid"]
