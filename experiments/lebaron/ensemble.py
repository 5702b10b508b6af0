"""Paper 5, Fig. 5: poster, metadata and plot, each alone, and their ensemble (LeBaron, sections 3 to 5).

    poster-cnn sweep experiments/lebaron/ensemble.py --data DATA --out runs/lebaron_ensemble

Trailers take part where there are some: add "trailer" to `modalities`. MobileNetV2 stands in for VGG-16 where there are
no ImageNet weights for it. Expected with the paper preset on 2,985 movies: 1 minute for the posters' features, then
1 minute a seed on 2 CPU cores; the paper's ensemble has an average precision of 62.7% (micro), 56.4% (macro) and 73.6%
(samples). The quick preset has random weights, and the embedded dataset's trailers.
"""

from poster_cnn.multimodal.config import EnsembleConfig

config = EnsembleConfig(
    experiment="lebaron_ensemble",
    variant="corrected",  # of `fusion`; the fusion as printed is a set in variants.py
    class_names=(  # section 3
        *("Action", "Animation", "Biography", "Comedy", "Crime", "Drama", "Family"),
        *("Fantasy", "Horror", "Mystery", "Romance", "Sci-Fi", "Thriller"),
    ),
    modalities=("poster", "metadata", "plot"),
    split="leak_free",
    fractions=(0.7, 0.1, 0.2),  # section 3: 3,449, 491 and 987 movies
    backbone="mobilenet_v2",
    image_size=(224, 224),  # section 3
    max_words=3000,  # section 3
    batch_size=64,  # section 5
    learning_rate=1e-3,  # section 5: "the default values" of Adam
    weighted=True,  # section 4: p_c
    epochs=100,
    patience=5,  # section 5: "a few epochs in a row"
    fusion="logits",  # ours, for any subset of modalities; section 4 stacks probabilities, see variants.py
    fusion_rows="train",
)
grid = {"seed": (0, 1, 2, 3, 4)}

quick_config = {
    "modalities": ("poster", "trailer", "metadata", "plot"),
    "backbone": "resnet18",  # each of the ensembles is saved and loaded whole: the one with the fewest layers
    "backbone_weights": None,
    "image_size": (48, 32),
    "batch_size": 256,
    "learning_rate": 2e-3,
    "epochs": 20,
}
quick_grid = {"seed": (0,)}
