"""Paper 4, its table and figures: DenseNet-121 and a custom network on 20 genres (section "Results").

    poster-cnn sweep experiments/densenet/accuracy.py --data DATA --out runs/densenet_accuracy

`mobilenet_v2` stands in where there are no ImageNet weights for DenseNet, `random_weights` shows what they are worth.
Whole posters are squeezed to 150×150, as the paper says nothing of them. Expected with the paper preset on 9,067
posters, 35,932 images: a quarter of an hour for each frozen backbone on 2 CPU cores, hours for the custom network;
26.41% and 4.1% in the paper.
"""

from poster_cnn.training.config import TrainingConfig

config = TrainingConfig(
    experiment="densenet_accuracy",
    variant="faithful",
    class_names=(  # "Genre list"
        *("Action", "Adventure", "Animation", "Biography", "Comedy", "Crime", "Documentary", "Drama", "Family"),
        *("Fantasy", "History", "Horror", "Music", "Mystery", "Romance", "Sci-Fi", "Sport", "Thriller", "War", "Other"),
    ),
    genre_groups={  # "Data"
        "Other": ("Adult", "Game-Show", "News", "Reality-TV", "Short", "Talk-Show", "Western"),
        "Music": ("Musical",),
    },
    min_year=1980,  # "Introduction"
    max_year=2015,
    crops_per_genre=3000,  # "Data"
    crop_size=(150, 150),  # "Data"
    crop_before_split=True,  # the authors' code: crops of one poster are trained and tested on
    split="random",
    fractions=(0.7, 0.3),  # "Modified DenseNet-121"; there is no validation set
    allow_leak=True,
    image_size=(150, 150),
    classifier_activation="sigmoid",  # "Modified DenseNet-121"
    loss="binary_crossentropy",
    learning_rate=0.5,  # "Model Accuracy"
    batch_size=2,  # "Model Accuracy"
    epochs=10,  # "Model Accuracy"
    metrics=("top_n_accuracy",),
)
_sane = {"learning_rate": 1e-3, "batch_size": 32}
_twice = {"loss": "sigmoid_twice_crossentropy"}  # the authors' code
_densenet = {"model": "densenet121", "model_args": {"weights": "imagenet"}}  # the authors' code: frozen
_random = {"model": "densenet121", "model_args": {"weights": None}}
_mobilenet = {"model": "mobilenet_v2", "model_args": {"weights": "imagenet"}}
_custom = {"model": "six_conv_cnn"}
_reduced = {  # minutes without a GPU: half the size, so one block less, a third of the crops, 3 epochs
    "image_size": (75, 75),
    "model_args": {"filters": (128, 64, 64, 64, 32), "dropout": (0.3, 0.3, 0.3, 0.3, 0.2)},
    "crops_per_genre": 1000,
    "epochs": 3,
}
sets = {
    "densenet121,as_printed": _densenet,
    "densenet121,sigmoid_twice": _densenet | _twice,
    "densenet121,sane_rate": _densenet | _sane,
    "custom,as_printed": _custom,
    "custom,sane_rate": _custom | _sane,
    "custom,as_printed,reduced": _custom | _reduced,
    "mobilenet_v2,as_printed": _mobilenet,
    "mobilenet_v2,sigmoid_twice": _mobilenet | _twice,
    "mobilenet_v2,sane_rate": _mobilenet | _sane,
    "random_weights,as_printed": _random,
    "random_weights,sane_rate": _random | _sane,
}
grid = {"seed": (0,)}

quick_config = {
    "class_names": ("Action", "Comedy", "Drama", "Horror", "Music", "Other"),  # the embedded dataset has them all
    "max_movies": 300,
    "crops_per_genre": 100,
    "image_size": (32, 32),
    "batch_size": 8,
    "epochs": 3,
}
_small = {"model": "six_conv_cnn", "model_args": {"filters": (16, 8), "dropout": (0.3, 0.2)}}
quick_sets = {
    "densenet121,as_printed": _random,
    "custom,as_printed": _small,
    "custom,sigmoid_twice": _small | _twice,
    "custom,sane_rate": _small | _sane,
}
quick_grid = {"seed": (0,)}
