"""Paper 1's grid with all networks of one image size trained as one program of JAX, and the fraction of the peak.

    python experiments/benchmarks/device_grid.py prepare DATA POSTERS
    KERAS_BACKEND=jax python experiments/benchmarks/vectorized_grid.py POSTERS RESULTS.csv

Five learning rates times five seeds are 25 networks for each of the five sizes, whose weights are stacked; `jax.vmap`
turns the training step of one network into that of all. Each network sees the posters in the order that `fit_arrays`
gives it, with the same initial weights and the same dropout, so it is the one that `device_grid.py` trains alone, up to
rounding. Unlike there, nothing is validated between epochs. RESULTS.csv is written after each size, and networks that
it has for the same posters, device, precision and epochs are skipped. To try it: `--ratios 30 --epochs 3 --seeds 0`.
"""

import argparse
import itertools
import pathlib
import runpy
import time

import jax
import keras
import numpy as np
import pandas as pd
from device_grid import CELL, EXPERIMENT, SHOWN, about_cells, accuracy, read_parts, speed
from flops import peak_flops
from jax import numpy as jnp
from tqdm import tqdm

from poster_cnn.results.collect import read_results, write_results
from poster_cnn.training.build import build_model, seed_dropout
from poster_cnn.training.config import PRECISIONS
from poster_cnn.training.processor import about_machine

NETWORK = [*CELL, "seed"]  # identify a finished network
TEST_BATCH = 64


def stacked(configs, labels):
    """Return the compiled network of the last config, and the stacked state of all networks.

    Returns:
        `(model, (trainable, others, optimizer))`: lists of arrays `(num_networks, ...)`: the weights, the other
        variables such as the random states of dropout, and the optimizer's variables with its learning rate.
    """
    states = []
    for config in configs:
        keras.utils.set_random_seed(config.fit.seed)
        model = build_model(config, labels=labels)
        model.optimizer.build(model.trainable_variables)
        variables = model.trainable_variables, model.non_trainable_variables, model.optimizer.variables
        states.append([[variable.value for variable in group] for group in variables])
    return model, jax.tree.map(lambda *arrays: jnp.stack(arrays), *states)


def training_step(model):
    """Return the compiled function `(state, images, labels, rows) -> (state, losses)` of a step of all networks."""

    def loss_of(trainable, others, images, labels):
        outputs, others = model.stateless_call(trainable, others, images, training=True)
        return model.compute_loss(x=images, y=labels, y_pred=outputs), others

    def step(state, images, labels, rows):
        trainable, others, optimizer = state
        batch = images[rows].astype("float32"), labels[rows]
        (loss, others), gradients = jax.value_and_grad(loss_of, has_aux=True)(trainable, others, *batch)
        trainable, optimizer = model.optimizer.stateless_apply(optimizer, gradients, trainable)
        return [trainable, others, optimizer], loss

    return jax.jit(jax.vmap(step, in_axes=(0, None, None, 0)), donate_argnums=0)


def with_dropout_of(epoch, model, seeds, others):
    """Return the other variables with the random states that `fit_arrays` gives dropout in an epoch."""
    others = list(others)
    drawn = [position for position, v in enumerate(model.non_trainable_variables) if "seed_generator" in v.path]
    states = []
    for seed in seeds:
        seed_dropout(model, seed, epoch)
        states.append([model.non_trainable_variables[position].value for position in drawn])
    for number, position in enumerate(drawn):
        others[position] = jnp.stack([state[number] for state in states])
    return others


def train_together(configs, images, labels, *, progress=True):
    """Train networks that differ in `learning_rate` and `seed` only.

    Args:
        configs: List of `TrainingConfig`.
        images: uint8 array `(num_movies, height, width, 3)`.
        labels: Zeros and ones `(num_movies, num_classes)`.
        progress: Whether to show a progress bar of the epochs. Defaults to `True`.

    Returns:
        `(model, state, losses, seconds)`: the network, the state of all (see `stacked`), the last epoch's loss of each
        network, and a list of the seconds of each epoch, of which the first compiles.
    """
    fit, seeds = configs[0].fit, [config.fit.seed for config in configs]
    model, state = stacked(configs, labels)
    step, (images, labels) = training_step(model), (jnp.asarray(images), jnp.asarray(labels, dtype="float32"))
    sizes = [min(fit.batch_size, len(images) - first) for first in range(0, len(images), fit.batch_size)]
    seconds = []
    for epoch in tqdm(range(fit.epochs), desc=f"{len(configs)} networks", unit="epoch", disable=not progress):
        started = time.perf_counter()
        state[1] = with_dropout_of(epoch, model, seeds, state[1])
        # Keras on JAX calls `on_epoch_end` before the first epoch too: `fit_arrays` begins with the order of epoch 1.
        order = np.stack([np.random.default_rng([seed, epoch + 1]).permutation(len(images)) for seed in seeds])
        losses = []
        for rows in np.split(order, np.cumsum(sizes)[:-1], axis=1):
            state, loss = step(state, images, labels, rows)
            losses.append(loss)
        losses = np.average(jnp.stack(losses), axis=0, weights=sizes)  # waits for the device
        seconds.append(time.perf_counter() - started)
    return model, state, losses, seconds


def predict_together(model, state, images):
    """Return the predictions of all networks as an array `(num_networks, num_movies, num_classes)`."""

    def predict(state, images):
        return model.stateless_call(state[0], state[1], images.astype("float32"), training=False)[0]

    predict = jax.jit(jax.vmap(predict, in_axes=(0, None)))
    batches = [images[first : first + TEST_BATCH] for first in range(0, len(images), TEST_BATCH)]
    return np.concatenate([predict(state, batch) for batch in batches], axis=1)


def train_size(configs, parts, peak):
    """Train and score the networks of one size; return their rows."""
    (images, labels), (test_images, test_labels) = parts["train"], parts["test"]
    started = time.perf_counter()
    model, state, losses, seconds = train_together(configs, images, labels)
    about = {"networks": len(configs), "seconds": (time.perf_counter() - started) / len(configs)}
    about |= speed(model, seconds, peak, len(configs) * len(images))
    rows = []
    for loss, predictions in zip(losses, predict_together(model, state, test_images), strict=True):
        is_finite = np.isfinite(predictions).all()  # otherwise this network has no score, and the others have
        rows.append({"loss": loss} | about | (accuracy(test_labels, predictions) if is_finite else {}))
    return rows


def run(posters, results_path, *, ratios=None, seeds=range(5), epochs=None, precision="float32"):
    """Train the networks that are missing from the results, and write the results after each size."""
    experiment = runpy.run_path(str(EXPERIMENT))
    config, grid = experiment["config"].replace(precision=precision), experiment["grid"]
    config = config.replace(epochs=epochs or config.epochs)
    about = about_cells(posters, config.epochs, precision)
    results = read_results(results_path) if results_path.is_file() else pd.DataFrame(columns=NETWORK)
    finished, peak = set(results[NETWORK].itertuples(index=False, name=None)), None
    for ratio in ratios or grid["ratio"]:
        of_size, rates_and_seeds = config.replace(ratio=ratio), itertools.product(grid["learning_rate"], seeds)
        cells = [{"ratio": ratio, "learning_rate": rate, "seed": seed} | about for rate, seed in rates_and_seeds]
        missing = [cell for cell in cells if tuple(cell[name] for name in NETWORK) not in finished]
        if not missing:
            continue
        peak = peak or peak_flops(precision)
        configs = [of_size.replace(learning_rate=cell["learning_rate"], seed=cell["seed"]) for cell in missing]
        rows = train_size(configs, read_parts(posters, of_size), peak)
        rows = [cell | row | about_machine("jax") for cell, row in zip(missing, rows, strict=True)]
        results = pd.DataFrame([*results.to_dict("records"), *rows])
        write_results(results, results_path)
        keras.backend.clear_session()
    print(results[["seed", "loss", *SHOWN]].to_string(index=False, float_format="%.4g"))
    print(f"results: {results_path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("posters", type=pathlib.Path, help="folder written by device_grid.py prepare")
    parser.add_argument("results", type=pathlib.Path, help="csv to write or to continue")
    parser.add_argument("--ratios", type=int, nargs="+", help="default: those of the experiment")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)), help="default: 0 to 4")
    parser.add_argument("--epochs", type=int, help="default: those of the experiment")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    arguments = parser.parse_args()
    if keras.backend.backend() != "jax":
        parser.error(f"KERAS_BACKEND must be jax. Received: {keras.backend.backend()}")
    options = {name: getattr(arguments, name) for name in ("ratios", "seeds", "epochs", "precision")}
    run(arguments.posters, arguments.results, **options)


if __name__ == "__main__":
    main()
