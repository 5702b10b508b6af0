"""The shipped network `posters_mobilenet_v2`: MobileNetV2 for 18 genres, in the recommended way of training.

    poster-cnn sweep experiments/release/posters_mobilenet_v2.py --data DATA --out runs/posters_mobilenet_v2 --workers 2

The run `evaluated` is trained on 70% of the posters of a split that does not leak; its test part gives the published
scores, and its validation part the thresholds and the calibration. The run `shipped` has the same seed and the same
options on 98% of the posters; the other 2% only show that nothing went wrong.

First the last layer is trained on the frozen backbone, then the backbone from its sixth block on, with its batch
normalization as it came. Whole posters are not squeezed, and average pooling replaces paper 3's global max pooling.
Expected on 10,327 posters: about 75 minutes on 2 busy CPU cores.
"""

from poster_cnn import TrainingConfig

config = TrainingConfig(
    experiment="posters_mobilenet_v2",
    variant="release",
    # All genres with at least 200 posters.
    class_names=(
        "Action",
        "Adventure",
        "Animation",
        "Biography",
        "Comedy",
        "Crime",
        "Documentary",
        "Drama",
        "Family",
        "Fantasy",
        "History",
        "Horror",
        "Music",
        "Mystery",
        "Romance",
        "Sci-Fi",
        "Sport",
        "Thriller",
    ),
    image_size=(224, 152),
    split="leak_free",
    model="mobilenet_v2",
    model_args={"weights": "imagenet", "pooling": "avg", "dropout": 0.5},
    classifier_activation="sigmoid",
    loss="binary_crossentropy",
    optimizer="adamw",
    weight_decay=0.05,
    schedule="cosine",
    warmup_epochs=0.5,
    ema_momentum=0.998,
    augmentation="mixup",
    epochs=2,
    learning_rate=1e-3,
    fine_tune_epochs=10,
    fine_tune_learning_rate=4e-4,
    fine_tune_from="block_6_expand",
    metrics=("average_precision", "average_precision_micro", "overall_f1", "hit_at_1", "label_accuracy"),
)
grid = {"seed": (0,)}
sets = {"evaluated": {"fractions": (0.7, 0.1, 0.2)}, "shipped": {"fractions": (0.98, 0.02)}}

# ImageNet's weights may not be at hand.
_shipped = {"weights": "posters", "pooling": "avg", "dropout": 0.5}
quick_config = {
    "model_args": _shipped,
    "image_size": (64, 44),
    "epochs": 1,
    "fine_tune_epochs": 1,
    "warmup_epochs": 0,
}
quick_grid, quick_sets = grid, {"evaluated": sets["evaluated"]}
