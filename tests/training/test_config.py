"""Configs: read back from JSON, derived values, and what is rejected."""

import json

import pytest
from conftest import SIGMOID

from poster_cnn.training.config import TrainingConfig

NEW_IN_0_2 = "optimizer weight_decay schedule warmup_epochs label_smoothing ema_momentum class_weights".split()


def test_config_is_restored_from_json(tiny_config):
    saved = json.loads(json.dumps(tiny_config.to_dict()))
    again = TrainingConfig.from_dict(saved)
    assert again.to_dict() == tiny_config.to_dict() == saved
    assert (again.class_names, again.metrics) == (tiny_config.class_names, tiny_config.metrics)
    assert again.replace(seed=3).seed == 3 and again.seed == 0
    older = {name: value for name, value in saved.items() if name not in NEW_IN_0_2}
    assert TrainingConfig.from_dict(older).to_dict() == saved
    with pytest.raises(ValueError, match="Unknown configuration: momentum. Was it written by another version?"):
        TrainingConfig.from_dict(saved | {"momentum": 0.9})


def test_ratio_determines_image_size_and_vice_versa(tiny_config):
    assert TrainingConfig(class_names=("Horror", "Drama")).image_size == (107, 73)  # 40%, paper 1's best
    assert tiny_config.replace(ratio=30).image_size == (80, 55)
    by_size = tiny_config.replace(image_size=(150, 101))
    assert (by_size.image_size, by_size.ratio) == ((150, 101), None)
    assert by_size.replace(ratio=30) == tiny_config.replace(ratio=30)
    assert TrainingConfig.from_dict(by_size.to_dict()).image_size == (150, 101)


@pytest.mark.parametrize(
    "changes",
    [
        {"crop_size": [268, 182]},
        {"crop_size": (1, 1)},
        {"genre_groups": {"Horror": ("Horror", "Thriller")}},
        {"genre_groups": {"Feature": ("Horror",), "Horror": ("Thriller",)}},  # a merged genre as a new class
    ],
)
def test_accepts_crop_sizes_and_genre_groups(tiny_config, changes):
    config = tiny_config.replace(**changes)
    assert TrainingConfig.from_dict(config.to_dict()).to_dict() == config.to_dict()
    assert len(config.crop_size) == 2 and config.crop_size == tuple(changes.get("crop_size", (150, 150)))


SHARES = "`fractions` must be shares of train, validation and test"
NO_SOFTMAX = "`loss` must be a loss of one distribution with softmax, such as 'categorical"
NO_SIGMOID = "`loss` must be a loss of multi-hot labels with sigmoid, such as 'binary"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # The data.
        ({"class_names": ("Horror", "Horror")}, "`class_names` must be at least 2 different genres"),
        ({"split": "years"}, "`split` must be one of .*'stratified'.*Received: split='years'"),
        ({"max_per_genre": 10}, "`max_per_genre` must be None without `one_row_per_genre`"),
        ({"keep_unlabeled": True}, "`keep_unlabeled` must be False with softmax, which predicts a genre for each mov"),
        ({"max_movies": 0}, "`max_movies` must be 1 or more, or None"),
        ({"max_train_movies": 9, "num_folds": 2}, "`max_train_movies` must be None with `num_folds`"),
        ({"crops_per_genre": 0}, "`crops_per_genre` must be 1 or more, or None"),
        ({"crops_per_genre": 9, "one_row_per_genre": True}, "`crops_per_genre` must be None with `one_row_per_genre`"),
        ({"crops_per_genre": 9, "num_folds": 3, "fold": 0}, "`crops_per_genre` must be None with `num_folds`, unless"),
        ({"evaluation_crop": "middle"}, "`evaluation_crop` must be 'whole' or 'center'"),
        ({"evaluation_crop": "center"}, "`evaluation_crop` must be 'whole' unless"),
        ({"evaluation_crop": "center", "crops_per_genre": 9, "crop_before_split": True}, "must be 'whole' unless"),
        ({"crop_before_split": True}, "`crop_before_split` must be False without `crops_per_genre`"),
        ({"crop_size": (269, 150)}, r"`crop_size` must be \(height, width\) in pixels, .* to \(268, 182\), a whole"),
        ({"crop_size": (150, 0)}, r"`crop_size` must be .*Received: crop_size=\(150, 0\)"),
        ({"crop_size": (150, 150, 3)}, "`crop_size` must be"),
        ({"crop_size": (150, 150.5)}, "`crop_size` must be"),
        ({"genre_groups": {"Feature": ("Horror", "Musical")}}, "must be none of Horror, Musical, which `genre_groups`"),
        ({"split": "stratified", "fractions": (0.8, 0.2)}, SHARES),
        ({"num_folds": 3, "fractions": (0.8, 0.2)}, SHARES),
        ({"split": "random", "fractions": (0.4, 0.3, 0.2, 0.1)}, SHARES),
        ({"num_folds": 1}, "`num_folds` must be 2 or more"),
        ({"num_folds": 4, "fold": 4}, "`fold` must be 0 … `num_folds` - 1, or None. Received: fold=4"),
        ({"fold": 0}, "`fold` must be"),
        ({"image_size": (0, 10)}, r"`image_size` must be \(height, width\) in pixels"),
        ({"image_size": (150, 101), "ratio": 30}, "`image_size` must be 30% of 182×268, or ratio=None"),
        # The network and the fit.
        ({"classifier_activation": "relu"}, "Received: classifier_activation='relu'"),
        ({"learning_rate": 0}, "`learning_rate` must be a positive number. Received: learning_rate=0"),
        ({"batch_size": 0}, "`batch_size` must be 1 or more"),
        ({"epochs": 0}, "`epochs` must be 1 or more"),
        ({"precision": "float16"}, "`precision` must be 'float32' or 'mixed_bfloat16'"),
        ({"validation_steps": 0}, "`validation_steps` must be 1 or more"),
        ({"fine_tune_epochs": -1}, "`fine_tune_epochs` must be 0 or more"),
        ({"fine_tune_from": "conv"}, "`fine_tune_from` must be None without `fine_tune_epochs`"),
        ({"optimizer": "rmsprop"}, "`optimizer` must be one of .*'adamw'.*Received: optimizer='rmsprop'"),
        ({"weight_decay": -1}, "`weight_decay` must be 0 or more, or None"),
        ({"schedule": "linear"}, "`schedule` must be 'constant' or 'cosine'"),
        ({"warmup_epochs": 10}, "`warmup_epochs` must be from 0 to less than the 10 epochs"),
        ({"warmup_epochs": 2, "fine_tune_epochs": 2}, "less than the 2 epochs of the shortest phase"),
        ({"ema_momentum": 1}, "`ema_momentum` must be between 0 and 1, or None"),
        ({"augmentation": "cutout"}, "`augmentation` must be one of .*'randaugment'.*Received: augmentation='cutout'"),
        ({"augmentation": "mixup", "class_weights": "balanced"}, "`augmentation` must be another one than 'mixup'"),
        ({"augmentation": "mixup", "loss": "sparse_categorical_crossentropy"}, "`augmentation` must be another one"),
        ({"early_stopping": "val_f1"}, "`early_stopping` must be one of .*'val_loss', 'val_accuracy'.*: .*'val_f1'"),
        ({"early_stopping": "val_top_n_accuracy"}, "`early_stopping` must be one of"),  # not among the metrics
        ({"early_stopping": "val_loss", "patience": 0}, "`patience` must be 1 or more"),
        (
            {"early_stopping": "val_loss", "split": "random", "fractions": (0.8, 0.2)},
            "`early_stopping` must be None without validation movies, or it would choose on the test movies",
        ),
        # The loss.
        ({"label_smoothing": 1}, "`label_smoothing` must be a share from 0 to less than 1"),
        ({"label_smoothing": 0.1, "loss": "sparse_categorical_crossentropy"}, "`label_smoothing` must be 0 with loss="),
        (SIGMOID | {"label_smoothing": 0.1, "loss": "asymmetric_loss"}, "`label_smoothing` must be 0 with loss='asymm"),
        ({"class_weights": "inverse"}, "`class_weights` must be 'balanced' or None"),
        ({"class_weights": "balanced", "loss": "mean_squared_error"}, "`class_weights` must be None with loss='mean_s"),
        ({"loss": "binary_crossentropy"}, NO_SOFTMAX),
        ({"loss": "bce"}, NO_SOFTMAX),
        ({"loss": "BinaryFocalCrossentropy"}, NO_SOFTMAX),
        ({"loss": "sigmoid_twice_crossentropy"}, NO_SOFTMAX),
        ({"loss": "asymmetric_loss"}, "Received: loss='asymmetric_loss'"),
        ({"classifier_activation": "sigmoid"}, NO_SIGMOID),
        (SIGMOID | {"loss": "CategoricalFocalCrossentropy"}, NO_SIGMOID),
        (SIGMOID | {"loss": "sparse_categorical_crossentropy"}, NO_SIGMOID),
        (SIGMOID | {"loss": "SparseCategoricalCrossentropy"}, NO_SIGMOID),
    ],
)
def test_rejects_invalid_configs(tiny_config, changes, message):
    with pytest.raises(ValueError, match=message):
        tiny_config.replace(**changes)
