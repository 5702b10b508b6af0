"""The README's headline networks of papers 2, 3 and 4 with five seeds: how much of a score is chance?

    poster-cnn sweep experiments/evidence/headline_seeds.py --data DATA --out runs/evidence_headline_seeds

Each is a run of another experiment with five seeds, the first of which is that run's, on the same split. Papers 1 and 5
have such experiments of their own. Paper 2's custom network and paper 3's unfrozen MobileNetV2 are not among them, as
each seed takes more than half an hour, nor is paper 3's one-hot network, which predicts almost nothing. Expected on the
papers' posters: half an hour on one CPU core, half of it with paper 4's printed batch size of 2.
"""

import pathlib

from poster_cnn.tuning import load_experiment

folder = pathlib.Path(__file__).parents[1]
HEADLINES = {  # set -> experiment, run
    "paper 2, corrected": ("wang/frozen_mobilenet_leak_free.py", "dropout,learning_rate=0.001"),
    "paper 3, corrected": ("zavala/transfer_leak_free.py", "dropout,learning_rate=0.0001"),
    "paper 4, sane rate": ("densenet/accuracy.py", "mobilenet_v2,sane_rate,seed=0"),
    "paper 4, corrected": ("densenet/accuracy_leak_free.py", "mobilenet_v2,dropout,no_crops,seed=0"),
    "paper 4, as printed": ("densenet/accuracy.py", "mobilenet_v2,as_printed,seed=0"),
}
runs = {name: load_experiment(folder / path).cells()[run].to_dict() for name, (path, run) in HEADLINES.items()}

paper_2 = folder / "wang" / "frozen_mobilenet_leak_free.py"
config = load_experiment(paper_2).config.replace(experiment="evidence_headline_seeds", variant="headline_seeds")
own = ("experiment", "variant", "set_name", "seed")
sets = {name: {key: value for key, value in run.items() if key not in own} for name, run in runs.items()}
grid = {"seed": (0, 1, 2, 3, 4)}

quick = load_experiment(paper_2, preset="quick").config.to_dict()
quick_config = {key: value for key, value in quick.items() if key not in own}
quick_sets, quick_grid = {"paper 2, corrected": {}}, {"seed": (0, 1)}
