"""Early stopping, and callbacks of Keras in runs that are fitted epoch by epoch."""

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import MOBILENET, assert_same_run, assert_same_weights, without_graphs

from poster_cnn.training import fit as fitting
from poster_cnn.training.data import load_training_data
from poster_cnn.training.saved_model import load_model
from poster_cnn.training.train import train


def history_of(run_dir):
    return pd.read_csv(run_dir / "history.csv")


@pytest.fixture
def fake_epochs(monkeypatch):
    """Replace epochs by given validation losses; the weights of an epoch are its number."""

    def use(losses):
        def run_epoch(network, events, epoch, *_):
            network.set_weights([np.full(weights.shape, epoch) for weights in network.get_weights()])
            network.optimizer.iterations.assign((epoch % 10 + 1) * steps)
            return {"loss": 1.0, "accuracy": 0.5, "val_loss": losses[epoch], "val_accuracy": 1 - losses[epoch]}

        monkeypatch.setattr(fitting, "_run_epoch", run_epoch)

    steps = 6  # of 43 training posters and batches of 8
    return use


@pytest.fixture(scope="module")
def data(tiny_config, data_folder):
    return load_training_data(tiny_config.data, data_folder)


FALLING = [0.9, 0.5, 0.7, 0.6, 0.8, 0.4, 0.3, 0.2, 0.1, 0.0]


@pytest.mark.parametrize(
    ("options", "losses", "epochs", "best"),
    [
        ({"early_stopping": "val_loss", "patience": 3}, FALLING, 5, 1),
        ({"early_stopping": "val_accuracy", "patience": 3}, FALLING, 5, 1),
        ({"early_stopping": "val_loss", "patience": 2}, [0.5] * 10, 3, 0),  # an equal value is not better
        ({"early_stopping": "val_loss", "patience": 9}, [0.1, *FALLING[:9]], 10, 0),  # the best epoch, not the last
    ],
)
@pytest.mark.parametrize("is_interrupted", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_early_stopping_keeps_the_best_weights(
    options, losses, epochs, best, is_interrupted, fake_epochs, tiny_config, data, tmp_path, monkeypatch
):
    config = tiny_config.replace(**options)
    fake_epochs(losses)
    save_epoch = fitting._save_epoch

    def interrupted(*arguments):
        save_epoch(*arguments)
        raise KeyboardInterrupt

    if is_interrupted:
        monkeypatch.setattr(fitting, "_save_epoch", interrupted)
        for _ in range(epochs):
            with pytest.raises(KeyboardInterrupt):
                fitting.fit(config, data, tmp_path, progress=False)
    model = fitting.fit(config, data, tmp_path, progress=False)
    assert history_of(tmp_path)["epoch"].tolist() == list(range(epochs))
    assert all((weights == best).all() for weights in model.get_weights())
    fitting.remove_checkpoints(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["history.csv"]


class Recorder(keras.callbacks.Callback):
    """Record the events with their epochs, and stop after a given epoch."""

    def __init__(self, last=99):
        super().__init__()
        self.events, self.last = [], last

    def on_train_begin(self, logs=None):
        self.events.append("train")

    def on_train_end(self, logs=None):
        self.events.append("end")

    def on_epoch_begin(self, epoch, logs=None):
        self.events.append((epoch, float(self.model.optimizer.learning_rate)))

    def on_epoch_end(self, epoch, logs=None):
        assert {"loss", "val_loss"} <= set(logs)
        self.model.stop_training = epoch == self.last

    def on_train_batch_end(self, batch, logs=None):
        self.events.append("batch")

    def on_test_begin(self, logs=None):
        self.events.append("test")


def test_callbacks_are_called_as_in_one_fit(small, tiny_config, data_folder, tmp_path):
    fine_tuned = {"fine_tune_epochs": 1, "fine_tune_learning_rate": 0.5, "batch_size": 64, "learning_rate": 0.25}
    config = tiny_config.replace(**MOBILENET, **fine_tuned, epochs=9)
    recorder, checkpoint = Recorder(last=1), keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    with without_graphs():
        train(config, data_folder, tmp_path / "run", callbacks=[recorder, checkpoint], progress=False)
    steps = ["batch", "test"]
    first, second, fine = ((0, 0.25), *steps), ((1, 0.25), *steps), ((9, 0.5), *steps)
    assert recorder.events == ["train", *first, *second, *fine, "end"]
    assert history_of(tmp_path / "run")["epoch"].tolist() == [0, 1, 9]
    assert_same_weights(load_model(tmp_path / "run")[0], keras.models.load_model(tmp_path / "10.keras"))
    assert keras.models.load_model(tmp_path / "2.keras").input_shape == (None, 32, 32, 3)  # not the head alone


def test_rejects_what_is_no_callback(tiny_config, data_folder, tmp_path):
    for wrong in (keras.callbacks.CSVLogger("log.csv"), ["CSVLogger"]):
        with pytest.raises(ValueError, match="`callbacks` must be a list of callbacks of Keras"):
            train(tiny_config, data_folder, tmp_path, callbacks=wrong)


@pytest.mark.slow
def test_run_killed_three_times_ends_bit_identically(tiny_config, data_folder, tmp_path, train_and_kill):
    model_args = {"filters": [8], "dense_units": [8], "dropout": 0.1}
    options = {"optimizer": "adamw", "schedule": "cosine", "warmup_epochs": 1, "augmentation": "mixup"}
    config = tiny_config.replace(model_args=model_args, early_stopping="val_loss", patience=4, epochs=30, **options)
    train(config, data_folder, tmp_path / "whole", progress=False)
    run_dir = tmp_path / "killed"
    for done in (1, 3, 5):
        history = run_dir / "history.csv"
        enough = lambda: history.exists() and len(history.read_text().splitlines()) > done  # noqa: B023, E731
        train_and_kill(config, data_folder, run_dir, when=enough, pause=0.2)
        assert not (run_dir / "metrics.json").exists()
    train(config, data_folder, run_dir, progress=False)
    assert len(history_of(run_dir)) < 30  # stopped early
    assert_same_run(run_dir, tmp_path / "whole")
