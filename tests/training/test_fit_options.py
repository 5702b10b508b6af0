"""Options of the fit: optimizers, schedules, losses, averaged weights."""

import platform
import warnings

import keras
import numpy as np
import pytest
from conftest import MOBILENET, SIGMOID, assert_same_run, without_graphs
from sklearn.utils.class_weight import compute_class_weight

from poster_cnn.models import losses
from poster_cnn.training import fit as fitting
from poster_cnn.training import processor
from poster_cnn.training.arrays import fit_arrays
from poster_cnn.training.build import build_model, check_config, compile_network
from poster_cnn.training.config import TrainingConfig
from poster_cnn.training.data import load_training_data
from poster_cnn.training.train import train

GENRES = ("Horror", "Romance", "Action", "Documentary")
LABELS = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [1, 0, 1, 0]] * 10 + [[0, 0, 0, 1]] * 2, dtype="float32")  # 4 steps of 8


def config_of(**options):
    model_args = {"filters": (4,), "dense_units": (8,)}
    return TrainingConfig(GENRES, ratio=10, model_args=model_args, batch_size=8, epochs=5, **options)


# --- optimizers and schedules ---


@pytest.mark.parametrize(
    ("options", "kind", "weight_decay"),
    [
        ({}, keras.optimizers.Adam, None),
        ({"optimizer": "adam", "weight_decay": 0.01}, keras.optimizers.Adam, 0.01),
        ({"optimizer": "adamw"}, keras.optimizers.AdamW, 0.004),
        ({"optimizer": "adamw", "weight_decay": 0.05}, keras.optimizers.AdamW, 0.05),
        ({"optimizer": "sgd", "weight_decay": 1e-4}, keras.optimizers.SGD, 1e-4),
    ],
)
def test_optimizer_is_chosen_by_name(options, kind, weight_decay):
    optimizer = build_model(config_of(**options)).optimizer
    assert type(optimizer) is kind and optimizer.weight_decay == weight_decay
    assert getattr(optimizer, "momentum", 0.9) == 0.9


def cosine(share):
    return (1 + np.cos(np.pi * share)) / 2


@pytest.mark.parametrize(
    ("options", "expected"),  # learning rates at steps 0, 2, 4, 8, 12 and 20, the last one
    [
        ({}, [1, 1, 1, 1, 1, 1]),
        ({"schedule": "cosine"}, [cosine(step / 20) for step in (0, 2, 4, 8, 12, 20)]),
        ({"warmup_epochs": 1}, [0, 0.5, 1, 1, 1, 1]),
        ({"schedule": "cosine", "warmup_epochs": 0.5}, [0] + [cosine(step / 18) for step in (0, 2, 6, 10, 18)]),
    ],
)
def test_learning_rate_follows_the_schedule(options, expected):
    optimizer = build_model(config_of(learning_rate=1.0, **options), labels=LABELS).optimizer
    found = []
    for step in (0, 2, 4, 8, 12, 20):
        optimizer.iterations.assign(step)
        found.append(float(optimizer.learning_rate))
    assert found == pytest.approx(expected, abs=1e-6)


def test_each_phase_has_its_own_schedule():
    config = config_of(schedule="cosine", fine_tune_epochs=2)
    model = build_model(config, labels=LABELS)
    compile_network(model, config, 0.5, epochs=config.fine_tune_epochs, labels=LABELS)
    model.optimizer.iterations.assign(4)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.25)


def test_a_warmup_may_take_all_steps_of_a_few():
    config = config_of(schedule="cosine", warmup_epochs=4.9, learning_rate=1.0)
    optimizer, found = build_model(config, labels=LABELS[:8]).optimizer, []  # one step per epoch
    for step in range(5):
        optimizer.iterations.assign(step)
        found.append(float(optimizer.learning_rate))
    assert found == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])


@pytest.mark.parametrize("options", [{"schedule": "cosine"}, {"warmup_epochs": 1}, {"class_weights": "balanced"}])
def test_rejects_options_that_need_labels_without_them(options):
    with pytest.raises(ValueError, match="`labels` must be the labels of the training part"):
        build_model(config_of(**options))


# --- losses ---

Y_TRUE, Y_PRED = np.array([[1.0, 0, 1, 0]]), np.array([[0.9, 0.02, 0.3, 0.6]])


def test_asymmetric_loss_is_that_of_the_paper():
    positive = [(1 - p) * np.log(p) for p in (0.9, 0.3)]
    negative = [0, 0.55**4 * np.log(0.45)]  # 0.02 is below the margin of 0.05
    assert float(losses.asymmetric_loss(Y_TRUE, Y_PRED)[0]) == pytest.approx(-sum(positive + negative) / 4, rel=1e-5)
    plain = losses.asymmetric_loss(Y_TRUE, Y_PRED, gamma_negative=0, gamma_positive=0, clip=0)
    assert float(plain[0]) == pytest.approx(float(keras.losses.binary_crossentropy(Y_TRUE, Y_PRED)[0]), rel=1e-5)


def test_balanced_weights_are_those_of_scikit_learn():
    expected = compute_class_weight("balanced", classes=np.arange(4), y=np.nonzero(LABELS)[1])
    np.testing.assert_allclose(losses.balanced_weights(LABELS), expected, rtol=1e-6)
    assert losses.balanced_weights([[1, 0], [1, 0]]).tolist() == [0.5, 1]


ASYMMETRIC = float(losses.asymmetric_loss(Y_TRUE, Y_PRED)[0])
CROSS_ENTROPY = -(Y_TRUE * np.log(Y_PRED) + (1 - Y_TRUE) * np.log(1 - Y_PRED))
SMOOTHED = 0.8 * CROSS_ENTROPY - 0.1 * (np.log(Y_PRED) + np.log(1 - Y_PRED))  # by a share of 0.2
LOG_SOFTMAX = np.log(Y_PRED / Y_PRED.sum())
POSITIVE = np.where(Y_TRUE > 0, (32 - LABELS.sum(axis=0)) / LABELS.sum(axis=0), 1)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (SIGMOID, CROSS_ENTROPY.mean()),
        (SIGMOID | {"loss": "BinaryCrossentropy"}, CROSS_ENTROPY.mean()),
        (SIGMOID | {"loss": "binary_focal_crossentropy"}, (CROSS_ENTROPY * np.abs(Y_TRUE - Y_PRED) ** 2).mean()),
        (SIGMOID | {"loss": "asymmetric_loss"}, ASYMMETRIC),
        (SIGMOID | {"class_weights": "balanced"}, (POSITIVE * CROSS_ENTROPY).mean()),
        (SIGMOID | {"label_smoothing": 0.2}, SMOOTHED.mean()),
        (SIGMOID | {"label_smoothing": 0.2, "class_weights": "balanced"}, (POSITIVE * SMOOTHED).mean()),
        ({}, -(Y_TRUE * LOG_SOFTMAX).sum()),
        ({"label_smoothing": 0.2}, -((0.8 * Y_TRUE + 0.2 / 4) * LOG_SOFTMAX).sum()),
        ({"class_weights": "balanced"}, -(losses.balanced_weights(LABELS) * Y_TRUE * LOG_SOFTMAX).sum()),
    ],
)
def test_compiled_loss_has_smoothing_and_weights(options, expected):
    model = build_model(config_of(**options), labels=LABELS)
    assert float(model.compute_loss(None, Y_TRUE, keras.ops.convert_to_tensor(Y_PRED))) == pytest.approx(expected, 1e-4)


@pytest.mark.parametrize("name", ["positive_weights", "weighted_binary_crossentropy", "keras", "crossentropy"])
def test_rejects_what_is_no_loss(name):
    with pytest.raises(ValueError, match=f"`loss` must be the name of a loss of Keras, or .*asymmetric_loss.*{name}"):
        build_model(config_of(loss=name))


# --- averaged weights and resumption ---


def test_saves_averaged_weights_and_trains_the_others():
    images = np.random.default_rng(0).integers(0, 256, (32, 27, 18, 3)).astype("uint8")
    config = config_of(optimizer="sgd", learning_rate=1e-2, ema_momentum=0.9).replace(epochs=2)
    trained = []
    keep = keras.callbacks.LambdaCallback(on_train_batch_end=lambda *_, **__: trained.append(keep.model.get_weights()))
    with without_graphs():
        model, history = fit_arrays(config, images, LABELS, (images, LABELS), callbacks=[keep], progress=False)
        evaluated = model.evaluate(images, LABELS, verbose=0)[0]
    averages = model.optimizer._model_variables_moving_average
    for weights, average, last in zip(model.get_weights(), averages, trained[-1], strict=True):
        assert (weights == average).all() and (weights != last).any()
    assert evaluated == pytest.approx(history["val_loss"].iloc[-1], rel=1e-5)


def test_callbacks_see_the_averaged_weights_that_were_evaluated(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (32, 27, 18, 3)).astype("uint8")
    config = config_of(optimizer="sgd", learning_rate=1e-2, ema_momentum=0.9).replace(epochs=2)
    save = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    with without_graphs():
        _, history = fit_arrays(config, images, LABELS, (images, LABELS), callbacks=[save], progress=False)
        saved = [keras.models.load_model(tmp_path / f"{epoch}.keras") for epoch in (1, 2)]
        losses = [model.evaluate(images, LABELS, verbose=0)[0] for model in saved]
    assert losses == pytest.approx(history["val_loss"].tolist(), rel=1e-5)


OPTIONS = {
    "optimizer": "adamw",
    "weight_decay": 0.01,
    "schedule": "cosine",
    "warmup_epochs": 1,
    "label_smoothing": 0.1,
    "ema_momentum": 0.9,
    "class_weights": "balanced",
}


def test_rejects_an_unknown_layer_before_the_first_epoch(small, tiny_config, data_folder, tmp_path):
    config = tiny_config.replace(**MOBILENET, fine_tune_epochs=1, fine_tune_from="block_99")
    with pytest.raises(ValueError, match="`fine_tune_from` must be .*conv norm.*Received: fine_tune_from='block_99'"):
        train(config, data_folder, tmp_path, progress=False)
    assert not (tmp_path / "history.csv").exists()


def test_only_training_posters_are_augmented(small, tiny_config, data_folder, monkeypatch):
    config = tiny_config.replace(**MOBILENET, augmentation="flip")
    data = load_training_data(config.data, data_folder)
    train_batches, validation, _ = fitting._poster_batches(config.fit, data)
    plain, held_out, _ = fitting._poster_batches(config.replace(augmentation="none").fit, data)
    for batch, other in zip(validation, held_out, strict=True):
        assert (batch[0].numpy() == other[0].numpy()).all()
    changed, unchanged = (
        np.concatenate([images for images, _ in batches(1).as_numpy_iterator()]) for batches in (train_batches, plain)
    )
    is_same = (changed == unchanged).all(axis=(1, 2, 3))
    assert is_same.any() and not is_same.all()
    assert not config.fit.caches_features and config.replace(augmentation="none").fit.caches_features


@pytest.mark.slow
def test_run_with_options_resumes_bit_identically(small, tiny_config, data_folder, tmp_path, monkeypatch):
    config = tiny_config.replace(**MOBILENET, **OPTIONS, epochs=3, fine_tune_epochs=2, batch_size=16)
    train(config, data_folder, tmp_path / "whole", progress=False)
    saved, save_epoch = [], fitting._save_epoch

    def interrupted(network, history, checkpoint):
        save_epoch(network, history, checkpoint)
        if len(history) not in saved:
            saved.append(len(history))
            raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "_save_epoch", interrupted)
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            train(config, data_folder, tmp_path / "interrupted", progress=False)
    train(config, data_folder, tmp_path / "interrupted", progress=False)
    assert_same_run(tmp_path / "whole", tmp_path / "interrupted")
    assert saved == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("cpuinfo", "precision", "warned"),
    [
        ("model name\t: laptop\nflags\t\t: fpu avx2 avx512f\n", "mixed_bfloat16", True),
        ("Features\t: fp asimd\n", "mixed_bfloat16", True),
        ("flags\t\t: fpu avx2 avx512f\n", "float32", False),
        ("flags\t\t: fpu avx512f avx512_bf16\n", "mixed_bfloat16", False),
        ("Features\t: fp asimd bf16\n", "mixed_bfloat16", False),
        ("processor\t: 0\n", "mixed_bfloat16", False),
        (None, "mixed_bfloat16", False),
    ],
)
def test_warns_of_emulated_bfloat16(cpuinfo, precision, warned, tmp_path, monkeypatch):
    file = tmp_path / "cpuinfo"
    if cpuinfo is not None:
        file.write_text(cpuinfo)
    monkeypatch.setattr(processor, "_CPUINFO", file)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        processor.warn_of_slow_precision(precision)
    assert [str(warning.message)[:42] for warning in caught] == warned * ["This processor has no bfloat16 arithmetic "]


def test_names_the_processor_and_the_flags_that_matter(tmp_path, monkeypatch):
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nmodel name\t: a laptop\nflags\t\t: fpu amx_bf16 avx2 sse avx512f\n")
    monkeypatch.setattr(processor, "_CPUINFO", file)
    assert processor.about_processor() == {"processor": "a laptop", "flags": "avx2 avx512f amx_bf16"}
    file.unlink()
    about = processor.about_processor()
    assert about["flags"] == "" and about["processor"] in (platform.processor(), platform.machine())


@pytest.mark.filterwarnings("error:Genres that")
def test_checking_the_config_of_one_genre_does_not_warn_of_its_labels():
    options = {"ratio": 10, "model_args": {"filters": (4,), "dense_units": (8,)}, "class_weights": "balanced"}
    check_config(TrainingConfig(("Horror",), **SIGMOID, **options))
